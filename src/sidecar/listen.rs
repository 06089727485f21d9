//! HTTP listeners of sidecars: HTTP/1.1 and HTTP/2 in clear, upgrades included, in bounded memory.
//!
//! A connection that says nothing is closed, more connections than there are slots wait in the kernel, and at the end
//! requests under way are given some seconds.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use std::{
    convert::Infallible,
    net::IpAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

/// How long a client may take to say what it wants. Longer than reverse proxies keep idle connections.
const HEADERS: Duration = Duration::from_secs(90);
/// How long requests that are under way may take once the process is to end.
const DRAIN: Duration = Duration::from_secs(10);
/// What a connection buffers in each direction. A request's headers must fit.
pub(super) const BUFFER: usize = 64 << 10;
/// How long to wait after a failed accept: it fails for want of file descriptors, which come back.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// The body of every answer.
pub type Body = UnsyncBoxBody<Bytes, hyper::Error>;

/// Who asks.
#[derive(Clone)]
pub struct Peer {
    /// The address at the other end.
    pub address: IpAddr,
    /// The slot of the connection. What outlives the connection's requests, as a tunnel does, keeps it.
    pub slot: Arc<OwnedSemaphorePermit>,
}

/// A whole body.
pub fn full(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).map_err(|never: Infallible| match never {}).boxed_unsync()
}

/// Answers with `handler` what comes to `listener`, `slots` connections at a time, until `stop`.
pub async fn serve<H, F>(listener: TcpListener, slots: usize, stop: CancellationToken, handler: H)
where
    H: Fn(Request<Incoming>, Peer) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let slots = Arc::new(Semaphore::new(slots));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &slots) => accepted,
            Some(_) = connections.join_next() => continue,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                connections.spawn(connection(stream, peer, stop.clone(), handler.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN, drained).await.is_err() {
        tracing::info!("some requests did not end in time");
    }
}

/// The next connection, once there is a slot for it.
async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> std::io::Result<(TcpStream, Peer)> {
    let slot = slots.clone().acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, address) = listener.accept().await?;
    // Without it small answers wait for the acknowledgement of earlier ones.
    stream.set_nodelay(true)?;
    Ok((stream, Peer { address: address.ip().to_canonical(), slot: Arc::new(slot) }))
}

async fn connection<H, F>(stream: TcpStream, peer: Peer, stop: CancellationToken, handler: H)
where
    H: Fn(Request<Incoming>, Peer) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let spoke = Arc::new(AtomicBool::new(false));
    let service = {
        let (spoke, peer) = (spoke.clone(), peer.clone());
        service_fn(move |request| {
            spoke.store(true, Ordering::Relaxed);
            let answer = handler(request, peer.clone());
            async move { Ok::<_, Infallible>(answer.await) }
        })
    };
    let builder = builder();
    let mut serving = pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
    let mut silence = pin!(tokio::time::sleep(HEADERS));
    let mut waiting = true;
    let mut ending = false;
    loop {
        tokio::select! {
            ended = &mut serving => {
                if let Err(error) = ended {
                    tracing::debug!(peer = %peer.address, %error, "a connection ended early");
                }
                return;
            }
            // The library's own limit does not count while it waits to learn which HTTP this is.
            () = &mut silence, if waiting => {
                waiting = false;
                if !spoke.load(Ordering::Relaxed) {
                    return;
                }
            }
            () = stop.cancelled(), if !ending => {
                ending = true;
                serving.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Both versions of HTTP, with small buffers: the container has 16 MiB, and a slow client must not have many.
pub(super) fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_buf_size(BUFFER)
        .title_case_headers(true);
    let window = 64 << 10;
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(32)
        .initial_stream_window_size(window)
        .initial_connection_window_size(4 * window)
        .max_send_buf_size(BUFFER)
        .max_header_list_size(64 << 10);
    builder
}
