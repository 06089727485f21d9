//! How sidecars use the HTTP server: in clear, in bounded memory, and without a limit for what a session takes its
//! time for.
//!
//! A connection that sends no request is closed. When slots become few, idle ones are not kept, and when there are none,
//! one is closed for each that comes: first those that a handler has not said are good ones, then idle ones. At the end
//! requests in progress are given some seconds.

use crate::http_server::{Limits, Peer, Server, http2::Http2Limits};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioTimer},
    server::conn::auto,
};
use std::{convert::Infallible, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How long a client may take to send the head of a request, and how long a connection waits for the next one. Longer
/// than reverse proxies keep idle connections.
const HEADERS: Duration = Duration::from_secs(90);
/// How long requests in progress may take once the process is to end.
const DRAIN: Duration = Duration::from_secs(10);
/// What a connection buffers in each direction. A request's headers must fit; Node.js, which is behind many sessions,
/// takes no more either.
pub(super) const BUFFER: usize = 16 << 10;

/// Connections at a time without a request that was admitted. By HTTP/2 each can make us hold some ten KiB, and the
/// container has 16 MiB.
const STRANGERS: usize = 48;
/// Programs speak it, and browsers do not without TLS: a connection has few requests at a time.
const HTTP2: Http2Limits = Http2Limits {
    streams: 16,
    head: 16 << 10,
    stream_window: 16 << 10,
    connection_window: 64 << 10,
    send_buffer: BUFFER,
};

/// The body of every response.
pub(crate) type Body = UnsyncBoxBody<Bytes, hyper::Error>;

/// A body that is complete.
pub(crate) fn full(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).map_err(|never: Infallible| match never {}).boxed_unsync()
}

/// Answers the requests that come to `listener` with `handler`, on at most `slots` connections at a time, until `stop`.
pub(crate) async fn serve<H, F>(listener: TcpListener, slots: usize, stop: CancellationToken, handler: H)
where
    H: Fn(Request<Incoming>, Peer) -> F + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let limits = Limits {
        connections: slots,
        strangers: STRANGERS.min(slots),
        spare: slots / 4,
        handshake: HEADERS,
        // The timer of the HTTP library does for it.
        head: Duration::MAX,
        // By HTTP/2 the library has no timer, and frames of other kinds than requests keep nothing open here.
        idle: HEADERS,
        answer: Duration::MAX,
        drain: DRAIN,
    };
    Server { limits, http: builder(), tls: None, shutdown: stop.into() }.serve(listener, handler).await;
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
    HTTP2.apply(&mut builder);
    builder
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;

    /// Ends when the server has closed the connection; a server that does not is a test without an end.
    #[tokio::test]
    async fn a_connection_by_http2_that_sends_no_more_requests_is_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let refuse = async |_: Request<Incoming>, _: Peer| {
            let mut response = Response::new(full("no"));
            *response.status_mut() = StatusCode::UNAUTHORIZED;
            response
        };
        tokio::spawn(serve(listener, 4, CancellationToken::new(), refuse));
        let stream = hyper_util::rt::TokioIo::new(tokio::net::TcpStream::connect(address).await.unwrap());
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
        let connection = tokio::spawn(connection);
        let request = Request::get("http://x/").body(full("")).unwrap();
        assert_eq!(sender.send_request(request).await.unwrap().status(), StatusCode::UNAUTHORIZED);
        // From here on nothing happens but time.
        tokio::time::pause();
        connection.await.unwrap().ok();
        assert!(sender.is_closed());
    }
}
