//! `proxy serve`: a reverse proxy in front of a session that admits its users only.
//!
//! * [`settings`]: flags, environment and file
//! * [`access`]: authorization of requests
//! * [`origin`]: which pages may open a websocket
//! * [`rewrite`]: requests as the session receives them
//! * [`activity`]: when the session was last used, which the operator asks for
//!
//! Bodies stream both ways and upgrades become tunnels, so what a request costs does not depend on its size.

pub(crate) mod access;
pub(crate) mod activity;
pub(crate) mod origin;
pub(crate) mod rewrite;
pub(crate) mod settings;

use super::{
    listen::{self, BUFFER, Body, full},
    web::error_chain,
};
use crate::http_server::{Peer, observed_stream::ObservedStream};
use access::{Access, AccessError, Credential};
use activity::{Activity, TunnelObserver};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::{body::Incoming, upgrade::OnUpgrade};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use jiff::Timestamp;
use rewrite::Target;
use settings::Settings;
use std::{io, sync::Arc, time::Duration};
use tokio::{
    io::copy_bidirectional_with_sizes,
    net::TcpListener,
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::sync::CancellationToken;

/// Answered without a token, for the kubelet.
pub(crate) const HEALTH_PATH: &str = "/__amalthea__/health";
/// Requests and tunnels to the session at a time. If no client reads what the session sends, they take about 10 MiB.
const FORWARDED: usize = 128;
/// Requests that wait for one of these; more are refused.
const WAITING: usize = 64;
/// Connections at a time. There are more than requests of users can hold, so that there are always some that are idle or
/// were refused. These are closed for new ones: neither strangers nor users themselves keep the kubelet's probe out, which
/// comes to the port of the users.
const SLOTS: usize = FORWARDED + WAITING + 32;
/// Connections for the operator at a time.
const META_SLOTS: usize = 16;
/// The session is in the same pod, so it answers at once or is not there.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a connection to the session is kept for the next request. Servers close idle ones after some seconds; one
/// that is closed just when a request goes out is a failed request.
const IDLE: Duration = Duration::from_secs(2);
/// What a tunnel buffers in each direction.
const TUNNEL: usize = 8 << 10;

/// A listener cannot be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen at {address} for {purpose}: {source}")]
pub(crate) struct ListenError {
    address: crate::settings::address::Address,
    purpose: &'static str,
    source: io::Error,
}

/// One proxy at work.
struct Proxy {
    target: Target,
    access: Access,
    activity: Activity,
    client: Client<HttpConnector, Body>,
    forwarded: Arc<Semaphore>,
    waiting: Semaphore,
}

/// Serves until `stop`.
pub(crate) async fn serve(settings: Settings, stop: CancellationToken) -> Result<(), ListenError> {
    let bind = async |address: &crate::settings::address::Address, purpose| {
        let listener = address.bind().await.map_err(|source| ListenError {
            address: address.clone(),
            purpose,
            source,
        })?;
        if let Ok(local) = listener.local_addr() {
            tracing::info!(address = %local, purpose, "listening");
        }
        Ok::<TcpListener, ListenError>(listener)
    };
    let users = bind(&settings.bind, "users").await?;
    let meta = bind(&settings.meta_bind, "request stats").await?;
    if settings.access == Access::Pod {
        tracing::info!("a login proxy stands in front: only what comes from this pod is passed on");
    }
    let activity = Activity::new(Timestamp::now());
    let proxy = Arc::new(Proxy {
        target: settings.target,
        access: settings.access,
        activity: activity.clone(),
        client: client(),
        forwarded: Arc::new(Semaphore::new(FORWARDED)),
        waiting: Semaphore::new(WAITING),
    });
    let answers = move |request, peer| {
        let proxy = proxy.clone();
        async move { proxy.answer(request, peer).await }
    };
    let stats = move |request: Request<Incoming>, _: Peer| {
        let answer = stats(&request, &activity);
        async move { answer }
    };
    tokio::join!(
        listen::serve(users, SLOTS, stop.clone(), answers),
        listen::serve(meta, META_SLOTS, stop, stats)
    );
    Ok(())
}

fn client() -> Client<HttpConnector, Body> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT));
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(32)
        .http1_read_buf_exact_size(BUFFER)
        // As the original sends them: some servers know their headers in this spelling only.
        .http1_title_case_headers(true)
        .build(connector)
}

fn stats(request: &Request<Incoming>, activity: &Activity) -> Response<Body> {
    if request.method() != Method::GET || request.uri().path() != "/request_stats" {
        return message(StatusCode::NOT_FOUND, "Not Found");
    }
    json(StatusCode::OK, &serde_json::json!({"last_request_time": activity.last()}))
}

fn json(status: StatusCode, body: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(full(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn message(status: StatusCode, text: &str) -> Response<Body> {
    json(status, &serde_json::json!({"message": text}))
}

fn refusal(error: AccessError) -> Response<Body> {
    if matches!(error, AccessError::Outside | AccessError::Origin) {
        return message(StatusCode::FORBIDDEN, error.message());
    }
    let mut response = message(StatusCode::UNAUTHORIZED, error.message());
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

impl Proxy {
    async fn answer(&self, request: Request<Incoming>, peer: Peer) -> Response<Body> {
        if request.uri().path() == HEALTH_PATH && matches!(*request.method(), Method::GET | Method::HEAD) {
            return Response::new(full(""));
        }
        // Queries are not logged: some servers take their tokens there.
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let address = peer.address;
        let admitted = self.access.authorize(request.headers(), address).and_then(|credential| {
            let websocket = rewrite::requested_upgrade(request.headers()).is_some_and(rewrite::is_websocket);
            let behind_login = self.access == Access::Pod;
            let foreign = websocket
                && credential == Credential::Ambient
                && origin::is_foreign(request.headers(), behind_login);
            if foreign { Err(AccessError::Origin) } else { Ok(()) }
        });
        let response = match admitted {
            Ok(()) => {
                peer.slot.prove();
                match self.turn().await {
                    Some(turn) => self.forward(request, peer, turn).await,
                    None => message(StatusCode::SERVICE_UNAVAILABLE, "too many requests at once"),
                }
            }
            Err(error) => refusal(error),
        };
        tracing::info!(%method, path, status = response.status().as_u16(), peer = %address, "request");
        response
    }

    /// Waits until there is room for one more request to the session. `None` if too many wait already.
    async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(turn) = self.forwarded.clone().try_acquire_owned() {
            return Some(turn);
        }
        let _waits = self.waiting.try_acquire().ok()?;
        self.forwarded.clone().acquire_owned().await.ok()
    }

    async fn forward(
        &self,
        request: Request<Incoming>,
        peer: Peer,
        turn: OwnedSemaphorePermit,
    ) -> Response<Body> {
        self.activity.touch(Timestamp::now());
        let (mut head, body) = request.into_parts();
        let wanted = rewrite::upgrade(&head);
        let client_side = wanted.as_ref().and_then(|_| head.extensions.remove::<OnUpgrade>());
        if self.target.rewrite(&mut head, peer.address).is_err() {
            return message(StatusCode::BAD_REQUEST, "the request's target is not a path");
        }
        self.access.strip_credentials(&mut head.headers);
        let request = Request::from_parts(head, self.tracked(body, ()));
        let mut response = match self.client.request(request).await {
            Ok(response) => response,
            Err(error) => {
                tracing::warn!(error = error_chain(&error), "the session does not answer");
                return message(StatusCode::BAD_GATEWAY, "the session does not answer");
            }
        };
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let (Some(client_side), Some(wanted)) = (client_side, wanted) else {
                return message(StatusCode::BAD_GATEWAY, "the session changed the protocol unasked");
            };
            let session_side = hyper::upgrade::on(&mut response);
            let activity = self.activity.clone();
            let websocket = rewrite::is_websocket(&wanted);
            tokio::spawn(async move {
                tunnel(client_side, session_side, activity, websocket, peer).await;
                drop(turn);
            });
            let (mut head, _) = response.into_parts();
            rewrite::remove_hop_by_hop(&mut head.headers, Some(&wanted));
            return Response::from_parts(head, full(""));
        }
        let (mut head, body) = response.into_parts();
        rewrite::remove_hop_by_hop(&mut head.headers, None);
        // The listener knows what it speaks to its client.
        head.version = http::Version::HTTP_11;
        Response::from_parts(head, self.tracked(body, turn))
    }

    /// `body`, each frame of which counts as use of the session. What is `held` is let go with it.
    fn tracked(&self, body: Incoming, held: impl Send + 'static) -> Body {
        let activity = self.activity.clone();
        body.map_frame(move |frame| {
            let _ = &held;
            activity.touch(Timestamp::now());
            frame
        })
        .boxed_unsync()
    }
}

/// Copies bytes both ways until both sides have ended or one has failed.
async fn tunnel(client: OnUpgrade, session: OnUpgrade, activity: Activity, websocket: bool, peer: Peer) {
    let carry = async {
        let (client, session) = (client.await?, session.await?);
        let observer = TunnelObserver::new(activity, websocket);
        let mut client = ObservedStream::new(TokioIo::new(client), observer);
        let mut session = TokioIo::new(session);
        copy_bidirectional_with_sizes(&mut client, &mut session, TUNNEL, TUNNEL).await?;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    };
    if let Err(error) = carry.await {
        tracing::debug!(%error, "a tunnel ended early");
    }
    drop(peer.slot);
}
