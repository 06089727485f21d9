//! A server in the place of a user's session: says what it was asked, echoes bodies and tunnels.

use axum::{
    Router,
    body::Body,
    extract::Request,
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use http::StatusCode;
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// Starts one on loopback; ends with the runtime of the test.
pub(crate) async fn start() -> SocketAddr {
    start_on(TcpListener::bind("127.0.0.1:0").await.unwrap())
}

/// Starts one on a listener of the caller's.
pub(crate) fn start_on(listener: TcpListener) -> SocketAddr {
    let router = Router::new()
        .route("/echo", post(async |request: Request| request.into_body()))
        .route("/drain", post(drain))
        .route("/zeros/{mib}", get(zeros))
        .route("/tunnel", any(tunnel));
    // The same under the path of a session, and what was asked at every other.
    let router = Router::new().nest("/notebook", router.clone()).merge(router).fallback(any(show));
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Request line and headers, as they arrived.
async fn show(request: Request) -> String {
    let mut text = format!("{} {} {:?}\n", request.method(), request.uri(), request.version());
    for (name, value) in request.headers() {
        text.push_str(&format!("{name}: {}\n", value.to_str().unwrap()));
    }
    text
}

async fn drain(request: Request) -> String {
    use futures::StreamExt;
    let pieces = request.into_body().into_data_stream();
    pieces.fold(0, async |sum, piece| sum + piece.unwrap().len()).await.to_string()
}

async fn zeros(axum::extract::Path(mib): axum::extract::Path<usize>) -> Body {
    let mebibyte = bytes::Bytes::from(vec![0; 1 << 20]);
    Body::from_stream(futures::stream::iter((0..mib).map(move |_| Ok::<_, std::io::Error>(mebibyte.clone()))))
}

/// Echoes bytes after a change of protocol.
async fn tunnel(mut request: Request) -> Response {
    let Some(protocol) = request.headers().get("upgrade").cloned() else {
        return StatusCode::UPGRADE_REQUIRED.into_response();
    };
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let (mut read, mut write) = tokio::io::split(TokioIo::new(upgrade.await.unwrap()));
        tokio::io::copy(&mut read, &mut write).await.ok();
    });
    let headers = [("connection", "upgrade".parse().unwrap()), ("upgrade", protocol)];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}
