//! The plain HTTP servers: probes and debug pages at one address, metrics at another, or all at one.
//!
//! Liveness answers as long as the process does. It depends neither on the API server nor on readiness: a
//! restart mends neither. Debug pages are at the address of the probes only, so that who may scrape may not
//! look inside. They are for clients in the pod, and so for those that the API server lets forward a port to it: anything
//! in the cluster can reach the address of the pod, and one of the pages changes what is logged.

use super::ready::Readiness;
use crate::{
    http_server::{Limits, Peer, Server},
    settings::address::Address,
    telemetry::log::LogHandle,
};
use axum::{
    Json, Router,
    body::Body,
    extract::{ConnectInfo, DefaultBodyLimit, RawQuery, State},
    http::{HeaderValue, Request, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, put},
};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioTimer},
    server::conn::auto,
};
use prometheus_client::{encoding::text, registry::Registry};
use std::{
    collections::BTreeMap,
    fmt::Write,
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use tower_http::timeout::TimeoutLayer;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Bytes of a request's head.
const HEAD_SIZE: usize = 16 << 10;
/// Anything in the cluster can reach these ports, and a response with metrics may be some MiB long. When all places are
/// taken, the longest idle connection makes room, so that a probe is answered.
const LIMITS: Limits = Limits {
    connections: 16,
    strangers: 16,
    spare: 4,
    handshake: Duration::from_secs(10),
    // The timer of the HTTP library does for it.
    head: Duration::MAX,
    idle: Duration::from_secs(90),
    answer: Duration::from_secs(30),
    drain: Duration::from_secs(5),
};
/// Log directives are one line.
const BODY_LIMIT: usize = 4 << 10;
const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// A listener cannot be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen at {address} for {purpose}: {source}")]
pub(crate) struct ListenError {
    address: Address,
    purpose: &'static str,
    source: io::Error,
}

/// Provides the debug page.
pub(crate) trait DebugState: Send + Sync + 'static {
    /// The current state, without secrets.
    fn state(&self) -> serde_json::Value;
}

impl<F: Fn() -> serde_json::Value + Send + Sync + 'static> DebugState for F {
    fn state(&self) -> serde_json::Value {
        self()
    }
}

/// What the plain HTTP servers serve.
#[derive(Clone)]
pub(crate) struct Admin {
    /// The checks of /readyz.
    pub readiness: Readiness,
    /// The metrics.
    pub registry: Arc<Registry>,
    /// Changes the log filter.
    pub log: LogHandle,
    /// The debug page.
    pub debug: Arc<dyn DebugState>,
}

impl Admin {
    /// Probes and debug pages.
    pub(crate) fn health_router(&self) -> Router {
        let debug = Router::new()
            .route("/debug/state", get(debug_state))
            .route("/debug/log", put(set_log).get(show_log))
            .route_layer(middleware::from_fn(only_from_the_pod));
        Router::new()
            .route("/healthz", get(async || "ok"))
            .route("/livez", get(async || "ok"))
            .route("/readyz", get(readyz))
            .merge(debug)
            .layer(DefaultBodyLimit::max(BODY_LIMIT))
            .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_LIMIT))
            .with_state(self.clone())
    }

    /// Metrics.
    pub(crate) fn metrics_router(&self) -> Router {
        Router::new().route("/metrics", get(metrics)).with_state(self.clone())
    }

    /// Listens, and returns the servers as one future that ends when `stop` does. Equal addresses share a
    /// listener.
    pub(crate) async fn listen(
        self,
        health: Option<Address>,
        metrics: Option<Address>,
        stop: CancellationToken,
    ) -> Result<impl Future<Output = ()>, ListenError> {
        let mut servers = Vec::new();
        let shared = health.is_some() && health == metrics;
        if let Some(address) = health {
            let mut router = self.health_router();
            if shared {
                router = router.merge(self.metrics_router());
            }
            servers.push((listener(&address, "probes").await?, router));
        }
        if let Some(address) = metrics.filter(|_| !shared) {
            servers.push((listener(&address, "metrics").await?, self.metrics_router()));
        }
        let serving =
            servers.into_iter().map(move |(listener, router)| serve(listener, router, stop.clone()));
        let serving = futures::future::join_all(serving);
        Ok(async move { drop(serving.await) })
    }
}

/// Serves `routes` by HTTP/1.1 until `stop`.
async fn serve(listener: TcpListener, routes: Router, stop: CancellationToken) {
    let mut http = auto::Builder::new(TokioExecutor::new()).http1_only();
    http.http1().timer(TokioTimer::new()).header_read_timeout(LIMITS.idle).max_buf_size(HEAD_SIZE);
    let service = move |mut request: Request<Incoming>, peer: Peer| {
        request.extensions_mut().insert(ConnectInfo(peer.address));
        let routes = routes.clone();
        async move { routes.oneshot(request).await.unwrap_or_else(|never| match never {}) }
    };
    Server { limits: LIMITS, http, tls: None, shutdown: stop.into() }.serve(listener, service).await;
}

/// Listens at `address`.
pub(crate) async fn listener(address: &Address, purpose: &'static str) -> Result<TcpListener, ListenError> {
    let listener =
        address.bind().await.map_err(|source| ListenError { address: address.clone(), purpose, source })?;
    if let Ok(local) = listener.local_addr() {
        tracing::info!(address = %local, purpose, "listening");
    }
    Ok(listener)
}

/// 403 for clients outside of the pod. A request of which nobody knows where it comes from is one of theirs.
async fn only_from_the_pod(request: Request<Body>, next: Next) -> Response {
    let peer = request.extensions().get().map(|ConnectInfo::<IpAddr>(peer)| peer.to_canonical());
    if peer.is_some_and(is_in_the_pod) {
        return next.run(request).await;
    }
    let text = "debug pages are for clients in the pod: kubectl -n NAMESPACE port-forward POD PORT, then \
                http://localhost:PORT\n";
    (StatusCode::FORBIDDEN, text).into_response()
}

/// Not all of 127.0.0.0/8: service meshes hand over what comes from outside from other addresses of it.
fn is_in_the_pod(peer: IpAddr) -> bool {
    peer == Ipv4Addr::LOCALHOST || peer == Ipv6Addr::LOCALHOST
}

/// 200 or 503; what is not ready is always named, the rest on `?verbose`.
async fn readyz(State(admin): State<Admin>, RawQuery(query): RawQuery) -> Response {
    let verbose =
        query.unwrap_or_default().split('&').any(|part| part == "verbose" || part.starts_with("verbose="));
    let report = admin.readiness.report();
    let ready = report.iter().all(|(_, check)| check.is_ok());
    if ready && !verbose {
        return "ok".into_response();
    }
    let mut text = String::new();
    for (name, check) in &report {
        // Writing to a String cannot fail.
        let _ = match check {
            Ok(()) if verbose => writeln!(text, "[+] {name} ok"),
            Ok(()) => Ok(()),
            Err(why) => writeln!(text, "[-] {name}: {why}"),
        };
    }
    for (name, concern) in admin.readiness.concerns() {
        let _ = writeln!(text, "[!] {name}: {concern}");
    }
    text.push_str(if ready { "ready\n" } else { "not ready\n" });
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, text).into_response()
}

async fn metrics(State(admin): State<Admin>) -> Response {
    let mut body = String::new();
    match text::encode(&mut body, &admin.registry) {
        Ok(()) => {
            let mut response = Response::new(Body::from(body));
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(OPEN_METRICS));
            response
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn debug_state(State(admin): State<Admin>) -> Json<serde_json::Value> {
    let ready: serde_json::Map<_, _> = admin
        .readiness
        .report()
        .into_iter()
        .map(|(name, check)| (name, check.err().unwrap_or_else(|| "ok".to_owned()).into()))
        .collect();
    Json(serde_json::json!({
        "version": env!("CARGO_PKG_VERSION"),
        "ready": ready,
        "concerns": admin.readiness.concerns().into_iter().collect::<BTreeMap<_, _>>(),
        "logFilter": admin.log.filter().ok(),
        "state": admin.debug.state(),
    }))
}

async fn show_log(State(admin): State<Admin>) -> Response {
    match admin.log.filter() {
        Ok(filter) => format!("{filter}\n").into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn set_log(State(admin): State<Admin>, directives: String) -> Response {
    match admin.log.set(directives.trim()) {
        Ok(()) => {
            tracing::info!(filter = directives.trim(), "log filter changed");
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    }
}

#[cfg(test)]
mod tests;
