//! What a browser does, and the Ingress before the session: plain requests, tunnels, and a walk through redirects and
//! a form with the cookies that come by.

use crate::{process, support::Scene};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use sojourn_cluster::eventually;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

/// A session as it is reached by its Service.
pub(crate) struct Site<'a> {
    scene: &'a Scene,
    address: SocketAddr,
}

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

impl<'a> Site<'a> {
    pub(crate) async fn of(scene: &'a Scene, session: &str) -> Self {
        Self { scene, address: scene.service(session).await }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        self.scene.connect(self.address)
    }

    /// A Service leads to a pod a moment after it is ready.
    pub(crate) async fn is_reached(&self) {
        let address = self.address;
        let connects = move || std::net::TcpStream::connect(address).is_ok();
        eventually("the session is reached", async || self.scene.stage.cluster.inside(connects).unwrap())
            .await
            .unwrap();
    }

    /// Another address of the same pod.
    pub(crate) fn at(&self, address: &str) -> Self {
        Self { scene: self.scene, address: address.parse().unwrap() }
    }

    /// A WebSocket, as far as proxies can tell; the session echoes what comes.
    pub(crate) async fn tunnel(
        &self,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<TokioIo<Upgraded>, StatusCode> {
        let ask = [
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let request = process::request(path, &[&ask, headers].concat());
        let mut answer = process::send_by(self.connect(), request).await;
        match answer.status() {
            StatusCode::SWITCHING_PROTOCOLS => {
                Ok(TokioIo::new(hyper::upgrade::on(&mut answer).await.unwrap()))
            }
            status => Err(status),
        }
    }

    /// How much comes at a path. Nothing of it is kept.
    pub(crate) async fn download(&self, path: &str, headers: &[(&str, &str)]) -> usize {
        let mut body = process::send_by(self.connect(), process::request(path, headers)).await.into_body();
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            length += frame.unwrap().into_data().unwrap().len();
        }
        length
    }

    /// What comes back of what is sent through a tunnel.
    pub(crate) async fn echo(&self, path: &str, headers: &[(&str, &str)]) -> Result<String, StatusCode> {
        Ok(exchange(&mut self.tunnel(path, headers).await?).await)
    }
}

/// Sends through a tunnel, and reads what comes back.
pub(crate) async fn exchange(tunnel: &mut TokioIo<Upgraded>) -> String {
    let mut text = *b"ping";
    tunnel.write_all(&text).await.unwrap();
    text = [0; 4];
    tunnel.read_exact(&mut text).await.unwrap();
    String::from_utf8_lossy(&text).into_owned()
}

/// The answer to a GET.
pub(crate) async fn ask(site: &Site<'_>, path: &str, headers: &[(&str, &str)]) -> Answer {
    send(site.connect(), process::request(path, headers)).await
}

async fn send(stream: TcpStream, request: Request<Full<Bytes>>) -> Answer {
    let response = process::send_by(stream, request).await;
    let headers = response.headers().clone();
    let (status, body) = process::text(response).await;
    Answer { status, headers, body }
}

struct Cookie {
    host: String,
    path: String,
    name: String,
    value: String,
    secure: bool,
}

/// A browser of one user, for whom the host names of sessions lead to their Services, and the Ingress ends TLS.
pub(crate) struct Browser<'a> {
    scene: &'a Scene,
    sites: Vec<(&'static str, SocketAddr)>,
    cookies: Vec<Cookie>,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(scene: &'a Scene, sites: &[(&'static str, &Site)]) -> Self {
        let sites = sites.iter().map(|(host, site)| (*host, site.address)).collect();
        Self { scene, sites, cookies: Vec::new() }
    }

    /// Opens a page, redirects included: where it ended and what is there.
    pub(crate) async fn open(&mut self, url: &str) -> (Url, Answer) {
        self.visit(Method::GET, url.parse().unwrap(), String::new()).await
    }

    /// Fills in the form of a page.
    pub(crate) async fn submit(&mut self, page: &(Url, Answer), field: &str, value: &str) -> (Url, Answer) {
        let action = page.1.body.split_once("action=\"").unwrap().1.split_once('"').unwrap().0;
        let url = page.0.join(&action.replace("&amp;", "&")).unwrap();
        let body = url::form_urlencoded::Serializer::new(String::new()).append_pair(field, value).finish();
        self.visit(Method::POST, url, body).await
    }

    /// The header with the cookies for a page.
    pub(crate) fn cookies(&self, url: &str) -> String {
        let url: Url = url.parse().unwrap();
        let fits = |cookie: &&Cookie| {
            url.host_str() == Some(&cookie.host)
                && url.path().starts_with(cookie.path.trim_end_matches('/'))
                && (!cookie.secure || url.scheme() == "https")
        };
        let all: Vec<_> =
            self.cookies.iter().filter(fits).map(|c| format!("{}={}", c.name, c.value)).collect();
        all.join("; ")
    }

    async fn visit(&mut self, mut method: Method, mut url: Url, mut body: String) -> (Url, Answer) {
        for _ in 0..10 {
            let answer = self.ask(&method, &url, body).await;
            self.keep(&url, &answer.headers);
            if !answer.status.is_redirection() {
                return (url, answer);
            }
            url = url.join(answer.header("location")).unwrap();
            (method, body) = (Method::GET, String::new());
        }
        panic!("it goes round in circles: {url}");
    }

    async fn ask(&self, method: &Method, url: &Url, body: String) -> Answer {
        let host = url.host_str().unwrap();
        let site = self.sites.iter().find(|(name, _)| *name == host).map(|(_, address)| *address);
        let address = site.unwrap_or_else(|| url.socket_addrs(|| None).unwrap()[0]);
        let host = url.port().map_or(host.to_owned(), |port| format!("{host}:{port}"));
        let path = url.query().map_or(url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        let mut request = Request::builder().method(method).uri(path).header("host", host);
        if *method == Method::POST {
            request = request.header("content-type", "application/x-www-form-urlencoded");
        }
        let cookies = self.cookies(url.as_str());
        if !cookies.is_empty() {
            request = request.header("cookie", cookies);
        }
        let request = request.header("x-forwarded-proto", url.scheme()).header("accept", "text/html");
        send(self.scene.connect(address), request.body(Full::from(body)).unwrap()).await
    }

    /// Keeps the cookies of an answer.
    fn keep(&mut self, url: &Url, headers: &HeaderMap) {
        for text in headers.get_all("set-cookie") {
            let mut parts = text.to_str().unwrap().split("; ");
            let (name, value) = parts.next().unwrap().split_once('=').unwrap();
            let host = url.host_str().unwrap().to_owned();
            let (mut path, mut secure, mut gone) = ("/".to_owned(), false, value.is_empty());
            for part in parts {
                match part.split_once('=').unwrap_or((part, "")) {
                    ("Path", place) => place.clone_into(&mut path),
                    ("Secure", _) => secure = true,
                    ("Max-Age", "0") => gone = true,
                    _ => {}
                }
            }
            self.cookies.retain(|cookie| (&*cookie.host, &*cookie.name) != (&*host, name));
            if !gone {
                self.cookies.push(Cookie {
                    host,
                    path,
                    name: name.to_owned(),
                    value: value.to_owned(),
                    secure,
                });
            }
        }
    }
}
