//! The TLS port: the router of the webhooks crate and the HTTP APIs of the operator, by HTTP/1.1 and HTTP/2.

use super::intake::{Intake, IntakeLimits};
use crate::http_server::{Limits, Peer, Server, Shutdown, http2::Http2Limits, tls::PortTls};
use axum::{Router, http::StatusCode, response::IntoResponse as _};
use http::Request;
use hyper::body::Incoming;
use hyper_util::{rt::TokioExecutor, server::conn::auto};
use sojourn_certs::server::{CertResolver, ServerConfigError};
use sojourn_webhooks::http::{Authenticated, WebhookState, authenticated_router, router};
use std::sync::Arc;
use tokio::net::TcpListener;
use tower::ServiceExt as _;

/// Bytes of a request's head. An API server's is under one KiB, and a token has a few.
const HEAD_SIZE: u16 = 16 << 10;
/// The replica has 256 MiB. As many connections as there may be take 64 of them with these windows, beside what requests
/// take ([`IntakeLimits`]).
const HTTP2: Http2Limits = Http2Limits {
    streams: 64,
    head: HEAD_SIZE as u32,
    stream_window: 64 << 10,
    connection_window: 64 << 10,
    send_buffer: 64 << 10,
};

/// The TLS port is not served.
#[derive(Debug, thiserror::Error)]
pub enum ServeWebhooksError {
    /// The TLS settings do not fit together.
    #[error("the TLS settings of the webhooks: {0}")]
    Tls(#[from] ServerConfigError),
}

/// Bounds of the TLS port.
#[derive(Debug, Clone, Copy, Default)]
pub struct PortLimits {
    /// Those of its connections.
    pub connections: Limits,
    /// Those of its requests.
    pub intake: IntakeLimits,
}

impl From<Limits> for PortLimits {
    fn from(connections: Limits) -> Self {
        Self { connections, ..Self::default() }
    }
}

/// Serves the webhooks, and `apis` beside them, until shutdown. Then requests in progress are answered.
///
/// Where clients are authenticated, the webhooks answer those only. The APIs authenticate by token.
pub async fn serve(
    listener: TcpListener,
    tls: Arc<PortTls>,
    state: WebhookState,
    apis: Vec<Router>,
    shutdown: Shutdown,
) {
    let routes = match tls.authenticates_clients() {
        true => authenticated_router(state),
        false => router(state),
    };
    #[cfg(feature = "otel")]
    let routes = crate::telemetry::trace::continued(routes);
    let routes = apis.into_iter().fold(routes, Router::merge);
    serve_port(listener, tls, routes, PortLimits::default(), shutdown).await;
}

/// Serves `routes` by TLS, as the webhooks are served. No client is authenticated.
pub async fn serve_router(
    listener: TcpListener,
    resolver: Arc<CertResolver>,
    routes: Router,
    limits: impl Into<PortLimits>,
    shutdown: impl Into<Shutdown>,
) -> Result<(), ServeWebhooksError> {
    serve_port(listener, Arc::new(PortTls::new(resolver)?), routes, limits, shutdown).await;
    Ok(())
}

/// Serves `routes` by `tls`.
///
/// What distinguishes a good client is that it is authenticated, or that something was answered with 200: a review with
/// a verdict, or whatever a route gives to those it authorizes. Whoever else connects is refused in some other way.
pub async fn serve_port(
    listener: TcpListener,
    tls: Arc<PortTls>,
    routes: Router,
    limits: impl Into<PortLimits>,
    shutdown: impl Into<Shutdown>,
) {
    let mut http = auto::Builder::new(TokioExecutor::new());
    // The server has a timer of its own.
    http.http1().header_read_timeout(None).max_buf_size(HEAD_SIZE.into());
    HTTP2.apply(&mut http);
    let PortLimits { connections: limits, intake } = limits.into();
    let server = Server { limits, http, tls: Some(tls.clone()), shutdown: shutdown.into() };
    // A router whose state is filled in is built once, and not for each request.
    let routes = routes.with_state(());
    let intake = Arc::new(Intake::new(intake));
    let service = move |mut request: Request<Incoming>, peer: Peer| {
        let (routes, intake) = (routes.clone(), intake.clone());
        if tls.is_authenticated(&peer.chain) {
            request.extensions_mut().insert(Authenticated);
            peer.slot.prove();
        }
        async move {
            let (request, _held) = match intake.take(request, || peer.claimant()).await {
                Ok(taken) => taken,
                Err(error) => {
                    tracing::debug!(peer = %peer.address, %error, "a request is not taken in");
                    return error.into_response();
                }
            };
            let response = routes.oneshot(request).await.unwrap_or_else(|never| match never {});
            if response.status() == StatusCode::OK {
                peer.slot.prove();
            }
            response
        }
    };
    server.serve(listener, service).await;
}
