//! The webhook server: the router of the webhooks crate behind TLS, by HTTP/1.1 and HTTP/2.
//!
//! It promises that whatever clients do, they get an answer or are cut off in bounded time, and that the next request
//! is served: connections, requests at a time and large bodies at a time are bounded, and so is how long each phase
//! of a connection may last.

mod activity_stream;
mod connections;
mod streaming_body;

use super::logs::Logs;
use activity_stream::ActivityStream;
use axum::{Router, body::Body};
use connections::{ConnectionSlot, Connections};
use hyper::{
    Request, Response, Version,
    body::{Body as _, Incoming},
    header::{CONNECTION, HeaderValue},
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use socket2::{SockRef, TcpKeepalive};
use sojourn_certs::server::{CertResolver, ServerConfigError, server_config};
use sojourn_webhooks::http::{WebhookState, router};
use std::{convert::Infallible, io, pin::pin, sync::Arc, time::Duration};
use streaming_body::StreamingBody;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{Instant, interval, sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// What the server bears.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at a time.
    pub connections: usize,
    /// Requests at a time; more wait.
    pub requests: usize,
    /// Requests with a large body at a time; more wait. They bound the memory that bodies can take.
    pub large_requests: usize,
    /// How long a client may take to shake hands.
    pub handshake: Duration,
    /// How long a client may take from the first byte of a request to the end of its head.
    pub head: Duration,
    /// How long a connection may wait for the next request. Longer than the API server keeps one, so that it is the
    /// API server that closes it: a request that crosses our closing on its way would fail.
    pub idle: Duration,
    /// How long the answers on a connection may take: somewhat longer than the longest deadline of a request. For an
    /// answer that goes on and on it is how long its client may take over a piece.
    pub answer: Duration,
    /// How long requests that are under way may take once the server ends.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            requests: 256,
            large_requests: 8,
            handshake: Duration::from_secs(5),
            head: Duration::from_secs(2),
            idle: Duration::from_secs(120),
            answer: Duration::from_secs(35),
            drain: Duration::from_secs(10),
        }
    }
}

/// A body of more bytes counts as large, and so does one that does not say.
const LARGE: u64 = 256 << 10;
/// Streams at a time on one connection by HTTP/2.
const STREAMS: u32 = 64;
/// The head of a request by HTTP/2. An API server's is under one KiB.
const HEAD_SIZE: u32 = 64 << 10;
/// How often connections are looked through for those that take too long.
const SWEEP: Duration = Duration::from_millis(250);
/// How long a connection is silent before its client is asked whether it is still there, and then between questions.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// How long to wait when the system has no more file descriptors.
const EXHAUSTED: Duration = Duration::from_millis(50);

/// How a server ends.
#[derive(Clone, Debug)]
pub struct Shutdown {
    /// The replica goes. It serves on until the cluster has learned that, and whoever asks on a connection is told not
    /// to ask there again: an API server may hold on to a connection to a pod that is not an endpoint any more.
    pub leaving: CancellationToken,
    /// No new request is taken; those under way are answered.
    pub stop: CancellationToken,
}

/// A server that nobody holds connections to ends at once.
impl From<CancellationToken> for Shutdown {
    fn from(stop: CancellationToken) -> Self {
        Self { leaving: stop.clone(), stop }
    }
}

/// Why the server does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeWebhooksError {
    /// The TLS settings do not fit together.
    #[error("the TLS settings of the webhooks: {0}")]
    Tls(#[from] ServerConfigError),
}

/// Serves the webhooks until the end, then lets requests that are under way end. The logs of sessions are served beside
/// them, if there are any.
pub async fn serve(
    listener: TcpListener,
    resolver: Arc<CertResolver>,
    guard: WebhookState,
    logs: Option<Logs>,
    ending: Shutdown,
) -> Result<(), ServeWebhooksError> {
    let routes = router(guard);
    #[cfg(feature = "otel")]
    let routes = crate::telemetry::trace::continued(routes);
    let routes = logs.into_iter().fold(routes, |routes, logs| routes.merge(logs.router()));
    serve_router(listener, resolver, routes, Limits::default(), ending).await
}

/// Serves any routes as the webhooks are served; benchmarks put routes beside them to compare with.
pub async fn serve_router(
    listener: TcpListener,
    resolver: Arc<CertResolver>,
    routes: Router,
    limits: Limits,
    ending: impl Into<Shutdown>,
) -> Result<(), ServeWebhooksError> {
    let ending = ending.into();
    let stop = ending.stop.clone();
    let server = Server {
        tls: TlsAcceptor::from(server_config(resolver)?),
        // Routes without a state left to fill in are ready once, and not made so for each request.
        routes: routes.with_state(()),
        requests: Semaphore::new(limits.requests),
        large_requests: Semaphore::new(limits.large_requests),
        ending,
    };
    let connections = Arc::new(Connections::new(limits));
    tokio::select! {
        () = accept(&listener, Arc::new(server), &connections) => {}
        () = sweep(&connections) => {}
        () = stop.cancelled() => {}
    }
    drop(listener);
    let drained = async {
        tokio::select! {
            () = connections.none_left() => {}
            () = sweep(&connections) => {}
        }
    };
    if timeout(limits.drain, drained).await.is_err() {
        connections.close_all();
    }
    Ok(())
}

/// What every connection needs.
struct Server {
    tls: TlsAcceptor,
    routes: Router,
    requests: Semaphore,
    large_requests: Semaphore,
    ending: Shutdown,
}

/// Takes connections in for as long as it is asked to.
async fn accept(listener: &TcpListener, server: Arc<Server>, connections: &Arc<Connections>) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // A client that is gone again is nothing; without file descriptors somebody has to go first.
                if !is_about_the_client(&error) {
                    tracing::warn!(%error, "the webhooks cannot take a connection in");
                    connections.make_room();
                    sleep(EXHAUSTED).await;
                }
                continue;
            }
        };
        let Some(place) = connections.place().await else { return };
        tokio::spawn(converse(stream, Arc::new(place), server.clone()));
    }
}

fn is_about_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Looks for connections that take too long, for as long as it is asked to.
async fn sweep(connections: &Connections) {
    let mut ticks = interval(SWEEP);
    loop {
        ticks.tick().await;
        connections.close_overdue(Instant::now());
    }
}

/// One connection, until either side ends it.
async fn converse(stream: TcpStream, place: Arc<ConnectionSlot>, server: Arc<Server>) {
    let ended = tokio::select! {
        ended = answer_all(stream, &place, server) => ended,
        () = place.has_to_go() => Err("it took too long, or others needed the place".into()),
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

async fn answer_all(
    stream: TcpStream,
    place: &Arc<ConnectionSlot>,
    server: Arc<Server>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    // Answers are small, and the API server waits for each.
    stream.set_nodelay(true)?;
    // Who follows a log says nothing for a long time; one that has vanished is noticed all the same.
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
    SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
    let stream = server.tls.accept(stream).await?;
    place.shook_hands();
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let service = service_fn({
        let (server, place) = (server.clone(), place.clone());
        move |request| answer(server.clone(), place.clone(), request)
    });
    macro_rules! serve {
        ($builder:expr, $stream:expr) => {{
            let mut connection = pin!($builder.serve_connection(TokioIo::new($stream), service));
            tokio::select! {
                ended = connection.as_mut() => return Ok(ended?),
                () = server.ending.stop.cancelled() => connection.as_mut().graceful_shutdown(),
            }
            Ok(connection.await?)
        }};
    }
    if is_http2 {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.timer(TokioTimer::new()).max_concurrent_streams(STREAMS).max_header_list_size(HEAD_SIZE);
        // Its frames come while nothing is asked, too: they begin no request.
        serve!(builder, stream)
    } else {
        let mut builder = http1::Builder::new();
        builder.header_read_timeout(None);
        serve!(builder, ActivityStream::new(stream, place.clone()))
    }
}

async fn answer(
    server: Arc<Server>,
    place: Arc<ConnectionSlot>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let answering = place.answer();
    let large = request.body().size_hint().upper().is_none_or(|size| size > LARGE);
    // A semaphore that nobody closes always gives a permit, some time.
    let _turn = if large { server.large_requests.acquire().await } else { server.requests.acquire().await };
    // By HTTP/2 the end of a connection is not told in a header.
    let told = server.ending.leaving.is_cancelled() && request.version() < Version::HTTP_2;
    let mut response = server.routes.clone().oneshot(request).await?;
    if response.body().size_hint().exact().is_none() {
        response = response.map(|body| Body::new(StreamingBody::new(body, answering)));
    }
    if told {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}
