//! The HTTP side of the fake: both headers, versions, and the four requests.

use crate::{
    Options,
    notify::{self, Frame},
    record::{Asked, Record},
    schema::Part,
    script::{Answer, Step},
};
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::{collections::VecDeque, io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_util::sync::CancellationToken;

type Reply = Response<Full<Bytes>>;

/// Serves until it is stopped; what is under way ends with it.
pub(crate) async fn serve(
    listener: TcpListener,
    options: Options,
    record: Arc<Record>,
    stop: CancellationToken,
) {
    let certificate = options.certificate.as_ref();
    let tls = certificate.map(|certificate| TlsAcceptor::from(Arc::new(certificate.server_config())));
    let fake = Fake { options: Arc::new(options), record, stop: stop.clone() };
    let mut connections = JoinSet::new();
    while let Some(Ok((stream, _))) = stop.run_until_cancelled(listener.accept()).await {
        stream.set_nodelay(true).ok();
        let (fake, tls) = (fake.clone(), tls.clone());
        connections.spawn(async move {
            match tls {
                None => fake.connection(stream).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        fake.connection(stream).await;
                    }
                }
            }
        });
    }
}

#[derive(Clone)]
struct Fake {
    options: Arc<Options>,
    record: Arc<Record>,
    stop: CancellationToken,
}

/// What a request is about.
enum About {
    Info,
    Create { id: String, owner: String },
    Stop { id: String, owner: String },
    Subscribe { key: String },
}

impl Fake {
    async fn connection<S>(&self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(|request| self.clone().answer(request));
        let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        // How a connection ends is up to the peer and to the script.
        self.stop.run_until_cancelled(serving.with_upgrades()).await;
    }

    async fn answer(self, mut request: Request<Incoming>) -> io::Result<Reply> {
        let upgrade = hyper::upgrade::on(&mut request);
        let asked = asked(request).await?;
        self.record.change(|state| state.asked.push(asked.0.clone()));
        let about = match self.read(&asked.0, asked.1) {
            Ok(about) => about,
            Err(reply) => return Ok(*reply),
        };
        let mut steps = self.steps(&about, &asked.0.body).into_iter();
        let answer = loop {
            match steps.next() {
                Some(Step::Answer(answer)) => break answer,
                Some(step) => self.step(step, &about).await,
                None => break Answer::Behave,
            }
        };
        let reply = match answer {
            Answer::Behave => self.behave(&about),
            Answer::Status(status, body) => {
                if let Ok(body) = serde_json::from_str(&body)
                    && !status.is_success()
                {
                    self.record.hold_against(Part::Failure, &body);
                }
                reply(status, body)
            }
            Answer::Location(status, location) => {
                let mut reply = reply(status, String::new());
                reply.headers_mut().insert(header::LOCATION, location.parse().map_err(io::Error::other)?);
                reply
            }
            Answer::Flood(status, bytes) => reply(status, "x".repeat(bytes)),
            Answer::Drop => return Err(io::ErrorKind::ConnectionReset.into()),
            Answer::Hang => std::future::pending().await,
        };
        if reply.status() == StatusCode::SWITCHING_PROTOCOLS {
            let (record, stop) = (self.record.clone(), self.stop.clone());
            tokio::spawn(async move {
                if let Ok(stream) = upgrade.await {
                    stop.run_until_cancelled(notify::serve(TokioIo::new(stream), record)).await;
                }
            });
        }
        tokio::spawn(async move {
            for step in steps {
                self.step(step, &about).await;
            }
        });
        Ok(reply)
    }

    async fn step(&self, step: Step, about: &About) {
        match step {
            Step::Notify(mut notification) => {
                if let (None, About::Create { id, .. } | About::Stop { id, .. }) =
                    (notification.get("session_id"), about)
                {
                    notification["session_id"] = id.as_str().into();
                }
                self.record.notify(&notification);
            }
            Step::Wait(time) => tokio::time::sleep(time).await,
            Step::Hold(permits) => {
                if let Ok(permit) = permits.acquire().await {
                    permit.forget();
                }
            }
            Step::DropSocket => self.record.change(|state| state.outbox.send(Frame::Drop)),
            // Only the first one can be given.
            Step::Answer(_) => {}
        }
    }

    fn steps(&self, about: &About, body: &str) -> Vec<Step> {
        let script = &mut self.record.state.lock().script;
        let next = match about {
            About::Info => script.info.pop_front(),
            About::Create { .. } => {
                let own = script.create_of.iter().position(|(text, _)| body.contains(text));
                own.map(|own| script.create_of.remove(own).1).or_else(|| script.create.pop_front())
            }
            About::Stop { id, .. } => {
                let own = script.stop_of.get_mut(id).and_then(VecDeque::pop_front);
                own.or_else(|| script.stop.pop_front())
            }
            About::Subscribe { .. } => script.subscribe.pop_front(),
        };
        next.unwrap_or_default()
    }

    /// Checks what every request must have, and finds out what it is about.
    fn read(&self, asked: &Asked, key: Option<String>) -> Result<About, Box<Reply>> {
        let refuse = |status, code, message| Err(Box::new(failure(&self.record, status, code, message)));
        let (Some(authorization), Some(instance)) = (&asked.authorization, &asked.instance) else {
            return refuse(StatusCode::UNAUTHORIZED, "MissingHeaders", "Both headers are required");
        };
        if *authorization != format!("Bearer {}", self.options.token) {
            return refuse(StatusCode::UNAUTHORIZED, "InvalidToken", "The token is another one");
        }
        if asked.path != "/info" {
            let listed = self.options.info["protocols_supported"].as_array();
            let spoken = asked.query.strip_prefix("api-version=");
            if !listed.into_iter().flatten().any(|version| version.as_str() == spoken) {
                self.record.change(|state| state.violations.push(format!("version '{}'", asked.query)));
                return refuse(StatusCode::BAD_REQUEST, "UnsupportedVersion", "The version is not supported");
            }
        }
        let owner = owner(instance, self.options.owners);
        match (asked.method.as_str(), asked.path.as_str(), key) {
            ("GET", "/info", _) => Ok(About::Info),
            ("PUT", "/run_session", _) => {
                let Some(owner) = owner else {
                    return refuse(StatusCode::BAD_REQUEST, "MissingDebugSessionId", "No owner is named");
                };
                let body = serde_json::from_str(&asked.body).unwrap_or(Value::Null);
                self.record.hold_against(Part::Create, &body);
                if asked.content_type.as_deref() != Some("application/json") {
                    self.record.change(|state| state.violations.push("content type".to_owned()));
                }
                Ok(About::Create { id: self.record.next_id(), owner })
            }
            ("GET", "/run_session/notify", Some(key)) => Ok(About::Subscribe { key }),
            ("DELETE", path, _) if path.starts_with("/run_session/") => {
                let id = path["/run_session/".len()..].to_owned();
                Ok(About::Stop { id, owner: owner.unwrap_or_default() })
            }
            _ => refuse(StatusCode::NOT_FOUND, "NotFound", "There is nothing there"),
        }
    }

    fn behave(&self, about: &About) -> Reply {
        match about {
            About::Info => {
                self.record.hold_against(Part::Info, &self.options.info);
                reply(StatusCode::OK, self.options.info.to_string())
            }
            About::Create { id, owner } => {
                self.record.change(|state| state.sessions.insert(id.clone(), owner.clone()));
                if self.options.lively {
                    self.live(id.clone());
                }
                let location = format!("https://localhost/run_session/{id}");
                let mut reply = reply(StatusCode::CREATED, String::new());
                if let Ok(location) = location.parse() {
                    reply.headers_mut().insert(header::LOCATION, location);
                }
                reply
            }
            About::Stop { id, owner } => {
                match self.record.state.lock().sessions.get(id) {
                    None => return reply(StatusCode::NO_CONTENT, String::new()),
                    Some(other) if other == owner => {}
                    Some(_) => {
                        let body = json!({"error": {"code": "RunSessionOwnerMismatch"}});
                        return reply(StatusCode::FORBIDDEN, body.to_string());
                    }
                }
                let (record, id, delay) = (self.record.clone(), id.clone(), self.options.stop_delay);
                tokio::spawn(async move {
                    tokio::time::sleep(delay).await;
                    record.end(&id, Some(0));
                });
                reply(StatusCode::OK, String::new())
            }
            About::Subscribe { key } => {
                let mut reply = reply(StatusCode::SWITCHING_PROTOCOLS, String::new());
                let headers = reply.headers_mut();
                headers.insert(header::CONNECTION, header::HeaderValue::from_static("Upgrade"));
                headers.insert(header::UPGRADE, header::HeaderValue::from_static("websocket"));
                if let Ok(accept) = derive_accept_key(key.as_bytes()).parse() {
                    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
                }
                reply
            }
        }
    }

    /// Gives a session a process, and a line of output each second for as long as it runs.
    fn live(&self, id: String) {
        let (record, stop) = (self.record.clone(), self.stop.clone());
        tokio::spawn(async move {
            let live = async {
                tokio::time::sleep(Duration::from_millis(200)).await;
                let pid = 10_000 + id.len() as i64;
                record
                    .notify(&json!({"notification_type": "processRestarted", "session_id": id, "pid": pid}));
                for second in 0.. {
                    if !record.state.lock().sessions.contains_key(&id) {
                        break;
                    }
                    let line = format!("{id} has run for {second} s");
                    record.notify(&json!({"notification_type": "serviceLogs", "session_id": id,
                        "is_std_err": false, "log_message": line}));
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            };
            stop.run_until_cancelled(live).await;
        });
    }
}

/// Who a session belongs to, by the instance id. Strict as the commonest IDE is, or by all but the random
/// characters.
fn owner(instance: &str, strict: bool) -> Option<String> {
    if !strict {
        return Some(instance.get(..instance.len().saturating_sub(12)).unwrap_or_default().to_owned());
    }
    let (owner, rest) = instance.strip_prefix("aspire-extension-run-")?.split_once('-')?;
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    (!owner.is_empty() && owner.bytes().all(plain) && !rest.is_empty()).then(|| owner.to_owned())
}

async fn asked(request: Request<Incoming>) -> io::Result<(Asked, Option<String>)> {
    let (parts, body) = request.into_parts();
    let text =
        |name: &str| parts.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into());
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let key = text("sec-websocket-key").filter(|_| parts.method == Method::GET);
    let asked = Asked {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        authorization: text("authorization"),
        instance: text("microsoft-developer-dcp-instance-id"),
        content_type: text("content-type"),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    Ok((asked, key))
}

fn failure(record: &Record, status: StatusCode, code: &str, message: &str) -> Reply {
    let body = json!({"error": {"code": code, "message": message}});
    record.hold_against(Part::Failure, &body);
    reply(status, body.to_string())
}

fn reply(status: StatusCode, body: String) -> Reply {
    let mut reply = Response::new(Full::new(body.into()));
    *reply.status_mut() = status;
    reply
}
