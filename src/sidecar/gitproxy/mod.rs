//! `gitproxy proxy`: a forward proxy in a session's pod that adds credentials to what git asks of the session's own
//! repositories, so that the session itself never has them.
//!
//! * [`settings`]: the environment
//! * [`repositories`]: which requests are for which repository, as a pure function
//! * [`tokens`]: tokens of providers, kept fresh
//!
//! To add something it must look into TLS, for which it has an authority of its own, made when it starts and gone when
//! it ends. It serves its own pod only.

pub(crate) mod repositories;
pub(crate) mod settings;
pub(crate) mod tokens;

use super::{
    listen::{self, Body, full},
    proxy::{access::Access, rewrite},
    web,
};
use crate::{http_server::Peer, settings::address::Address};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header, uri::Authority};
use http_body_util::BodyExt;
use hyper::{body::Incoming, service::service_fn};
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use jiff::Timestamp;
use repositories::{Repositories, Target};
use settings::Settings;
use sojourn_certs::{
    authority::{Authority as CertificateAuthority, AuthorityError},
    leaf::{Leaf, LeafError},
    names::Names,
    server::{CertResolver, ServerConfigError, server_config},
};
use std::{
    convert::Infallible,
    io,
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};
use tokens::Tokens;
use tokio::{io::copy_bidirectional, net::TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// Connections at a time, for git and for the kubelet.
const SLOTS: usize = 128;
const HEALTH_SLOTS: usize = 16;
/// The time for connecting to a host, and for git's TLS handshake.
const CONNECT: Duration = Duration::from_secs(10);
/// The time for the proxy's request to itself.
const HEALTH: Duration = Duration::from_secs(5);

/// The proxy does not serve.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeGitProxyError {
    /// The listener cannot be bound.
    #[error("cannot listen at {0}: {1}")]
    ListenError(Address, #[source] io::Error),
    /// The authority cannot be generated.
    #[error("no authority can be made: {0}")]
    Authority(#[from] AuthorityError),
    /// The authority's certificate cannot be handed to git.
    #[error("the authority's certificate cannot be written to {0:?}: {1}")]
    WriteAuthority(PathBuf, #[source] io::Error),
}

/// There is no certificate for a host.
#[derive(Debug, thiserror::Error)]
enum InterceptError {
    #[error(transparent)]
    Issue(#[from] LeafError),
    #[error(transparent)]
    Configure(#[from] ServerConfigError),
}

/// One proxy at work.
struct Proxy {
    repositories: Repositories,
    tokens: Tokens,
    authority: CertificateAuthority,
    client: Client<HttpsConnector<HttpConnector>, Body>,
}

/// Serves until `stop`.
pub(crate) async fn serve(settings: Settings, stop: CancellationToken) -> Result<(), ServeGitProxyError> {
    let authority = CertificateAuthority::generate(Timestamp::now())?;
    if let Some(file) = &settings.ca_file {
        std::fs::write(file, authority.certificate_pem())
            .map_err(|error| ServeGitProxyError::WriteAuthority(file.clone(), error))?;
    }
    let bind = async |address: &Address, purpose| {
        let listener =
            address.bind().await.map_err(|e| ServeGitProxyError::ListenError(address.clone(), e))?;
        let local = listener.local_addr().map_err(|e| ServeGitProxyError::ListenError(address.clone(), e))?;
        tracing::info!(address = %local, purpose, "listening");
        Ok::<_, ServeGitProxyError>((listener, local))
    };
    let (git, own) = bind(&settings.bind, "git").await?;
    let (health, health_address) = bind(&settings.health_bind, "health").await?;
    let ca = authority.certificate_pem().to_owned();
    let tokens = Tokens::new(settings.tokens);
    let keep_fresh = tokens.clone().keep_fresh();
    let proxy = Arc::new(Proxy {
        repositories: settings.repositories,
        tokens,
        authority,
        client: Client::builder(TokioExecutor::new()).http1_title_case_headers(true).build(web::connector()),
    });
    let answers = move |request, peer| {
        let proxy = proxy.clone();
        async move { proxy.answer(request, peer).await }
    };
    let healthy = move |request: Request<Incoming>, _: Peer| {
        let (path, ca) = (request.uri().path().to_owned(), ca.clone());
        async move {
            match path.as_str() {
                "/ping" => message(StatusCode::OK, "pong"),
                "/health" => match check_itself(own.port(), health_address.port()).await {
                    Ok(()) => message(StatusCode::OK, "running"),
                    Err(error) => message(StatusCode::BAD_REQUEST, &error.to_string()),
                },
                "/ca.pem" => Response::new(full(ca)),
                _ => message(StatusCode::NOT_FOUND, "Not Found"),
            }
        }
    };
    tokio::select! {
        _ = async {
            tokio::join!(
                listen::serve(git, SLOTS, stop.clone(), answers),
                listen::serve(health, HEALTH_SLOTS, stop, healthy)
            )
        } => {}
        () = keep_fresh => {}
    }
    Ok(())
}

fn message(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(full(serde_json::json!({"message": text}).to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Requests `/ping` through the proxy itself.
async fn check_itself(port: u16, health_port: u16) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let ask = async {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let host = format!("127.0.0.1:{health_port}");
        let request =
            Request::get(format!("http://{host}/ping")).header(header::HOST, host).body(full(""))?;
        let exchange = async move {
            let status = sender.send_request(request).await?.status();
            if status.is_success() { Ok(()) } else { Err(format!("the proxy answers {status}").into()) }
        };
        tokio::join!(exchange, connection).0
    };
    tokio::time::timeout(HEALTH, ask).await?
}

impl Proxy {
    async fn answer(self: Arc<Self>, mut request: Request<Incoming>, peer: Peer) -> Response<Body> {
        // Any client that can reach the port could use the tokens.
        if Access::Pod.authorize(&HeaderMap::new(), peer.address).is_err() {
            return message(StatusCode::FORBIDDEN, "Forbidden");
        }
        peer.slot.prove();
        let Some(authority) = request.uri().authority().cloned() else {
            return message(
                StatusCode::INTERNAL_SERVER_ERROR,
                "this is a proxy for git, and answers nothing itself",
            );
        };
        if request.method() != Method::CONNECT {
            return self.forward(request, authority, false).await;
        }
        let Some(port) = authority.port_u16() else {
            return message(StatusCode::BAD_REQUEST, "a port is missing");
        };
        let client = hyper::upgrade::on(&mut request);
        if self.repositories.includes_host(authority.host(), port) {
            let tls = match self.tls_for(authority.host()) {
                Ok(tls) => tls,
                Err(error) => {
                    tracing::error!(%error, "no certificate for a host");
                    return message(StatusCode::INTERNAL_SERVER_ERROR, "no certificate can be made");
                }
            };
            tokio::spawn(self.intercept(client, tls, authority, peer));
        } else {
            let connecting = TcpStream::connect((authority.host().trim_matches(['[', ']']), port));
            let mut there = match tokio::time::timeout(CONNECT, connecting).await {
                Ok(Ok(there)) => there,
                Ok(Err(_)) | Err(_) => return message(StatusCode::BAD_GATEWAY, "the host does not answer"),
            };
            tokio::spawn(async move {
                if let Ok(client) = client.await {
                    copy_bidirectional(&mut TokioIo::new(client), &mut there).await.ok();
                }
                drop(peer.slot);
            });
        }
        Response::new(full(""))
    }

    /// TLS with a certificate for `host`.
    fn tls_for(&self, host: &str) -> Result<TlsAcceptor, InterceptError> {
        let names = match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) => Names::default().with_ip(address),
            Err(_) => Names::default().with_dns(host),
        };
        let resolver = Arc::new(CertResolver::default());
        resolver.set(Leaf::issue(&self.authority, &names, Timestamp::now())?.certified_key()?);
        Ok(server_config(resolver)?.into())
    }

    /// Terminates TLS of a tunnel to `authority` and serves the requests in it.
    async fn intercept(
        self: Arc<Self>,
        client: hyper::upgrade::OnUpgrade,
        tls: TlsAcceptor,
        authority: Authority,
        peer: Peer,
    ) {
        let Ok(client) = client.await else { return };
        let shaking = tokio::time::timeout(CONNECT, tls.accept(TokioIo::new(client)));
        let stream = match shaking.await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                tracing::info!(host = authority.host(), %error, "git does not trust this proxy's authority");
                return;
            }
            Err(_) => return,
        };
        let service = service_fn(|request| {
            let (proxy, authority) = (self.clone(), authority.clone());
            async move { Ok::<_, Infallible>(proxy.forward(request, authority, true).await) }
        });
        let serving = listen::builder();
        if let Err(error) = serving.serve_connection(TokioIo::new(stream), service).await {
            tracing::debug!(%error, "a connection ended early");
        }
        drop(peer.slot);
    }

    /// Passes `request` on to `authority`, whatever the request itself says about its host, with credentials if it is
    /// for one of the repositories.
    async fn forward(&self, request: Request<Incoming>, authority: Authority, tls: bool) -> Response<Body> {
        let (mut head, body) = request.into_parts();
        let (scheme, default) = if tls { ("https", 443) } else { ("http", 80) };
        let port = authority.port_u16().unwrap_or(default);
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let target = Target { scheme, host: authority.host(), port, path: head.uri.path() };
        let repository = self.repositories.find(&target).cloned();
        let uri = Uri::builder().scheme(scheme).authority(authority.clone()).path_and_query(path).build();
        let (Ok(uri), Ok(host)) = (uri, HeaderValue::from_str(authority.as_str())) else {
            return message(StatusCode::BAD_REQUEST, "the request's target is no address");
        };
        head.uri = uri;
        head.version = http::Version::HTTP_11;
        rewrite::remove_hop_by_hop(&mut head.headers, None);
        head.headers.remove(header::EXPECT);
        head.headers.insert(header::HOST, host);
        if let Some(provider) = repository.and_then(|repository| repository.provider) {
            match self.tokens.authorization(&provider).await {
                Ok(value) => drop(head.headers.insert(header::AUTHORIZATION, value)),
                Err(error) => {
                    tracing::warn!(provider, %error, "there is no token for a repository");
                    return message(StatusCode::UNAUTHORIZED, "The git token could not be refreshed");
                }
            }
        }
        match self.client.request(Request::from_parts(head, body.boxed_unsync())).await {
            Ok(response) => {
                let (mut head, body) = response.into_parts();
                rewrite::remove_hop_by_hop(&mut head.headers, None);
                head.version = http::Version::HTTP_11;
                Response::from_parts(head, body.boxed_unsync())
            }
            Err(error) => {
                tracing::warn!(
                    host = authority.host(),
                    error = web::error_chain(&error),
                    "a host does not answer"
                );
                message(StatusCode::BAD_GATEWAY, "the host does not answer")
            }
        }
    }
}
