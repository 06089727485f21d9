//! The TLS port: the router of the webhooks crate and the HTTP APIs of the operator, by HTTP/1.1 and HTTP/2.

use crate::http_server::{Limits, Server, Shutdown};
use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioTimer},
    server::conn::auto,
};
use sojourn_certs::server::{CertResolver, ServerConfigError, server_config};
use sojourn_webhooks::http::{WebhookState, router};
use std::sync::Arc;
use tokio::net::TcpListener;
use tower::ServiceExt as _;

/// Streams at a time on one connection by HTTP/2.
const STREAMS: u32 = 64;
/// Bytes of a request's head by HTTP/2. An API server's is under one KiB.
const HEAD_SIZE: u32 = 64 << 10;

/// The TLS port is not served.
#[derive(Debug, thiserror::Error)]
pub enum ServeWebhooksError {
    /// The TLS settings do not fit together.
    #[error("the TLS settings of the webhooks: {0}")]
    Tls(#[from] ServerConfigError),
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
    serve_router(listener, resolver, routes, Limits::default(), shutdown).await
}

/// Serves `routes` by TLS, as the webhooks are served.
pub async fn serve_router(
    listener: TcpListener,
    resolver: Arc<CertResolver>,
    routes: Router,
    limits: Limits,
    shutdown: impl Into<Shutdown>,
) -> Result<(), ServeWebhooksError> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    // The server has a timer of its own.
    http.http1().header_read_timeout(None);
    http.http2().timer(TokioTimer::new()).max_concurrent_streams(STREAMS).max_header_list_size(HEAD_SIZE);
    let server =
        Server { limits, http, tls: Some(server_config(resolver)?.into()), shutdown: shutdown.into() };
    // A router whose state is filled in is built once, and not for each request.
    let routes = routes.with_state(());
    let service = move |request, _| {
        let response = routes.clone().oneshot(request);
        async move { response.await.unwrap_or_else(|never| match never {}) }
    };
    server.serve(listener, service).await;
    Ok(())
}
