//! The HTTP server behind the listeners that untrusted clients reach: HTTP/1.1 and HTTP/2, by TLS or in clear, upgrades
//! included.
//!
//! Whatever clients do, they get a response or are disconnected in bounded time, and the next connection is served:
//! connections at a time are bounded, and so is how long each phase of one may last. What requests may take is bounded
//! by the service, with [`shares`].
//!
//! It is not axum's or hyper's own server, because hyper has one timer for two things: a request head that trickles in
//! has to be cut off after seconds, but a connection that waits for its client's next request has to be kept for longer
//! than an API server keeps it.

mod connections;
pub(crate) mod http2;
pub(crate) mod observed_stream;
pub(crate) mod shares;
mod state;
mod streaming_body;
pub mod tls;

pub use connections::ConnectionSlot;
pub use shares::Claimant;

use bytes::Bytes;
use connections::Connections;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use hyper::{
    body::{Body, Incoming},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use observed_stream::ObservedStream;
use socket2::{SockRef, TcpKeepalive};
use sojourn_certs::ClientChain;
use std::{convert::Infallible, error::Error, io, net::IpAddr, pin::pin, sync::Arc, time::Duration};
use streaming_body::StreamingBody;
use tls::PortTls;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::{Instant, interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// What is logged, and nothing else, of what a connection failed with.
type ConnectionError = Box<dyn Error + Send + Sync>;

/// Bounds of a server. A duration of [`Duration::MAX`] is no bound.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at a time. For one more, another one is closed.
    pub connections: usize,
    /// Connections at a time that have proven nothing by their first request. For one more, some are closed: what each
    /// can make the server hold is bounded by the protocol only.
    pub strangers: usize,
    /// Connections by HTTP/1.1 are not kept for a next request while fewer slots than this are free: one that is closed
    /// for another may be closed while a request is on its way.
    pub spare: usize,
    /// How long a client may take for the TLS handshake or, in clear, to send its first request.
    pub handshake: Duration,
    /// How long a client may take from the first byte of a request to the end of its head, by HTTP/1.1.
    pub head: Duration,
    /// How long a connection may wait for the next request. Longer than the API server keeps one, so that it is the
    /// API server that closes it: a request that crosses our closing on its way would fail.
    pub idle: Duration,
    /// How long the responses on a connection may take: somewhat longer than the longest deadline of a request. For a
    /// streamed response it is how long its client may take to receive a piece.
    pub answer: Duration,
    /// How long requests in progress may take once the server shuts down.
    pub drain: Duration,
}

/// For a port that the API server calls and that anything in the cluster can reach.
impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            strangers: 1024,
            // The API server is to keep its connections, whatever others do.
            spare: 0,
            handshake: Duration::from_secs(5),
            head: Duration::from_secs(2),
            idle: Duration::from_secs(120),
            answer: Duration::from_secs(35),
            drain: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// How often connections are checked against the limits: often enough for the shortest one.
    fn check_interval(&self) -> Duration {
        self.handshake.min(self.head).min(self.idle).min(self.answer) / 8
    }
}

/// How long a connection is silent before TCP probes it, and the interval of probes.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// How long to wait after a failed accept: it fails for want of file descriptors, which become free again.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// When a server shuts down.
#[derive(Clone, Debug)]
pub struct Shutdown {
    /// The replica is about to end. It serves on until the cluster has noticed, and each response asks the client to
    /// close the connection: an API server may keep a connection to a pod that is not an endpoint any more.
    pub leaving: CancellationToken,
    /// No new request is accepted; those in progress are answered.
    pub stop: CancellationToken,
}

/// A server without clients that keep connections shuts down at once.
impl From<CancellationToken> for Shutdown {
    fn from(stop: CancellationToken) -> Self {
        Self { leaving: stop.clone(), stop }
    }
}

/// The other end of a connection.
#[derive(Clone)]
pub struct Peer {
    /// Its address; an IPv4 address is never mapped to IPv6.
    pub address: IpAddr,
    /// The slot of the connection. A tunnel keeps it, for it outlives the requests of the connection.
    pub slot: Arc<ConnectionSlot>,
    /// What it showed of itself in the TLS handshake.
    pub chain: Arc<ClientChain>,
}

impl Peer {
    /// As whom it shares what the server has.
    pub fn claimant(&self) -> Claimant {
        Claimant { address: self.address, proven: self.slot.is_proven() }
    }
}

/// How a listener is served.
pub struct Server {
    /// Bounds.
    pub limits: Limits,
    /// The settings of both versions of HTTP.
    pub http: auto::Builder<TokioExecutor>,
    /// Shakes hands first; `None` serves in clear.
    pub tls: Option<Arc<PortTls>>,
    /// When it ends.
    pub shutdown: Shutdown,
}

/// A server with what its connections share.
struct Serving<S> {
    server: Server,
    service: S,
    connections: Arc<Connections>,
}

impl Server {
    /// Answers the requests that come to `listener` with `service`. Returns after shutdown, when requests in progress
    /// are answered or their time is over.
    pub async fn serve<S, F, B>(self, listener: TcpListener, service: S)
    where
        S: Fn(Request<Incoming>, Peer) -> F + Send + Sync + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data = Bytes, Error: Into<ConnectionError>> + Unpin + Send + 'static,
    {
        let (limits, stop) = (self.limits, self.shutdown.stop.clone());
        let connections = Arc::new(Connections::new(limits));
        let serving = Arc::new(Serving { server: self, service, connections: connections.clone() });
        // Each connection holds a sender: the channel closes with the last one.
        let (running, mut ended) = mpsc::channel::<Infallible>(1);
        tokio::select! {
            () = accept_all(&listener, &serving, &running) => {}
            () = close_overdue(&connections, limits) => {}
            () = stop.cancelled() => {}
        }
        drop(listener);
        drop(running);
        let drained = async {
            tokio::select! {
                _ = ended.recv() => {}
                () = close_overdue(&connections, limits) => {}
            }
        };
        if timeout(limits.drain, drained).await.is_err() {
            tracing::info!("some requests did not end in time");
            connections.close_all();
        }
    }
}

/// Accepts connections and serves each in a task. Does not return.
async fn accept_all<S, F, B>(
    listener: &TcpListener,
    serving: &Arc<Serving<S>>,
    running: &mpsc::Sender<Infallible>,
) where
    S: Fn(Request<Incoming>, Peer) -> F + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<ConnectionError>> + Unpin + Send + 'static,
{
    loop {
        match serving.connections.accept(listener).await {
            Ok((stream, peer)) => {
                let (serving, running) = (serving.clone(), running.clone());
                tokio::spawn(async move {
                    serving.run(stream, peer).await;
                    drop(running);
                });
            }
            // The client is gone already.
            Err(error) if is_about_the_client(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                serving.connections.make_room();
                sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

fn is_about_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Closes connections that exceed a limit. Does not return.
async fn close_overdue(connections: &Connections, limits: Limits) {
    let mut ticks = interval(limits.check_interval());
    loop {
        ticks.tick().await;
        connections.close_overdue(Instant::now());
    }
}

impl<S, F, B> Serving<S>
where
    S: Fn(Request<Incoming>, Peer) -> F + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<ConnectionError>> + Unpin + Send + 'static,
{
    /// Serves one connection until either side closes it.
    async fn run(self: Arc<Self>, stream: TcpStream, peer: Peer) {
        let (address, slot) = (peer.address, peer.slot.clone());
        let ended = tokio::select! {
            ended = self.shake_hands(stream, peer) => ended,
            () = slot.closed() => Err("it took too long, or its slot was needed".into()),
        };
        if let Err(error) = ended {
            tracing::debug!(peer = %address, %error, "a connection ended early");
        }
    }

    async fn shake_hands(self: Arc<Self>, stream: TcpStream, mut peer: Peer) -> Result<(), ConnectionError> {
        // Small responses are not to wait for the acknowledgement of earlier ones.
        stream.set_nodelay(true)?;
        // A client that follows a log is silent for a long time; that it has vanished is noticed all the same.
        let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
        SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
        let Some(tls) = &self.server.tls else { return self.answer_all(stream, peer).await };
        let stream = tls.acceptor().accept(stream).await?;
        peer.slot.handshake_done();
        let shown = stream.get_ref().1.peer_certificates();
        peer.chain = Arc::new(shown.map(ClientChain::new).unwrap_or_default());
        if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
            // Its frames begin no request: some come while the connection is idle.
            return self.answer_all(stream, peer).await;
        }
        let stream = ObservedStream::new(stream, peer.slot.clone());
        self.answer_all(stream, peer).await
    }

    async fn answer_all<I>(self: Arc<Self>, stream: I, peer: Peer) -> Result<(), ConnectionError>
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = {
            let serving = self.clone();
            service_fn(move |request| {
                let (serving, peer) = (serving.clone(), peer.clone());
                async move { Ok::<_, Infallible>(serving.answer(request, peer).await) }
            })
        };
        let builder = &self.server.http;
        let mut connection = pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
        tokio::select! {
            ended = connection.as_mut() => return ended,
            () = self.server.shutdown.stop.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        connection.await
    }

    async fn answer(&self, request: Request<Incoming>, peer: Peer) -> Response<StreamingBody<B>> {
        let slot = peer.slot.clone();
        let in_progress = slot.begin_request();
        // HTTP/2 does not announce the end of a connection in a header, and its tunnels share the connection.
        let http1 = request.version() < Version::HTTP_2;
        let connect = request.method() == Method::CONNECT;
        let last = self.server.shutdown.leaving.is_cancelled() || self.connections.is_scarce();
        let mut response = (self.service)(request, peer).await;
        let status = response.status();
        if http1 && (status == StatusCode::SWITCHING_PROTOCOLS || (connect && status.is_success())) {
            slot.upgraded();
        } else if http1 && last && !connect {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        let streamed = response.body().size_hint().exact().is_none();
        response.map(|body| StreamingBody::new(body, streamed.then_some(in_progress)))
    }
}
