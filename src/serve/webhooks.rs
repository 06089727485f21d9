//! The TLS port: the router of the webhooks crate and the HTTP APIs of the operator, by HTTP/1.1 and HTTP/2.

use super::intake::{Intake, IntakeLimits};
use crate::http_server::{Limits, Peer, Server, Shutdown, http2::Http2Limits};
use axum::{Router, http::StatusCode, response::IntoResponse as _};
use hyper_util::{rt::TokioExecutor, server::conn::auto};
use sojourn_certs::server::{CertResolver, ServerConfigError, server_config};
use sojourn_webhooks::http::{WebhookState, router};
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
pub async fn serve(
    listener: TcpListener,
    resolver: Arc<CertResolver>,
    state: WebhookState,
    apis: Vec<Router>,
    shutdown: Shutdown,
) -> Result<(), ServeWebhooksError> {
    let routes = router(state);
    #[cfg(feature = "otel")]
    let routes = crate::telemetry::trace::continued(routes);
    let routes = apis.into_iter().fold(routes, Router::merge);
    serve_router(listener, resolver, routes, PortLimits::default(), shutdown).await
}

/// Serves `routes` by TLS, as the webhooks are served.
///
/// What distinguishes a good client is that something was answered with 200: a review with a verdict, or whatever a
/// route gives to those it authorizes. Whoever else connects is refused in some other way.
pub async fn serve_router(
    listener: TcpListener,
    resolver: Arc<CertResolver>,
    routes: Router,
    limits: impl Into<PortLimits>,
    shutdown: impl Into<Shutdown>,
) -> Result<(), ServeWebhooksError> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    // The server has a timer of its own.
    http.http1().header_read_timeout(None).max_buf_size(HEAD_SIZE.into());
    HTTP2.apply(&mut http);
    let PortLimits { connections: limits, intake } = limits.into();
    let server =
        Server { limits, http, tls: Some(server_config(resolver)?.into()), shutdown: shutdown.into() };
    // A router whose state is filled in is built once, and not for each request.
    let routes = routes.with_state(());
    let intake = Arc::new(Intake::new(intake));
    let service = move |request, peer: Peer| {
        let (routes, intake) = (routes.clone(), intake.clone());
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
    Ok(())
}
