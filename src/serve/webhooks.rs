//! The webhook server: the router of the webhooks crate behind TLS.

use axum::Router;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use sojourn_certs::server::{CertResolver, ServerConfigError, server_config};
use sojourn_webhooks::http::{Guard, router};
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How long a client may take to shake hands.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// How long a client may take to say what it wants.
const HEADERS: Duration = Duration::from_secs(2);
/// How long requests that are under way may take once the server ends.
const DRAIN: Duration = Duration::from_secs(10);

/// Why the server does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeWebhooks {
    /// The TLS settings do not fit together.
    #[error("the TLS settings of the webhooks: {0}")]
    Tls(#[from] ServerConfigError),
    /// The listener failed.
    #[error("the listener of the webhooks: {0}")]
    Listen(#[from] io::Error),
}

/// Serves the webhooks until `stop`, then lets requests that are under way end.
pub async fn serve(
    listener: TcpListener,
    resolver: Arc<CertResolver>,
    guard: Guard,
    stop: CancellationToken,
) -> Result<(), ServeWebhooks> {
    let routes = router(guard);
    #[cfg(feature = "otel")]
    let routes = crate::telemetry::trace::continued(routes);
    serve_router(listener, resolver, routes, stop).await
}

/// Serves any routes as the webhooks are served; benchmarks put routes beside them to compare with.
pub async fn serve_router(
    listener: TcpListener,
    resolver: Arc<CertResolver>,
    routes: Router,
    stop: CancellationToken,
) -> Result<(), ServeWebhooks> {
    let config = RustlsConfig::from_config(server_config(resolver)?);
    let handle = axum_server::Handle::<SocketAddr>::new();
    let mut server = axum_server::from_tcp(listener.into_std()?)?
        .acceptor(RustlsAcceptor::new(config).handshake_timeout(HANDSHAKE))
        .handle(handle.clone());
    server.http_builder().http1().timer(hyper_util::rt::TokioTimer::new()).header_read_timeout(HEADERS);
    let serving = server.serve(routes.into_make_service());
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        ended = &mut serving => return Ok(ended?),
        () = stop.cancelled() => handle.graceful_shutdown(Some(DRAIN)),
    }
    Ok(serving.await?)
}
