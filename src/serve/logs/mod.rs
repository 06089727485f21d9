//! The log of an IDE session, by the path and with the parameters of the original, on the operator's HTTPS port.
//!
//! A custom resource cannot have a subresource `log`, so the API server does not proxy to it: clients connect to the
//! replica. A client needs a token that may `get` the resource `idesessions/log`. Objects come from a
//! [`SessionLookup`], files from the [`Capture`] store, never from a path in a status.

mod line_filter;
mod query;
mod reader;

use super::auth::{AccessRequest, AuthError, AuthGate, Authorizer};
use crate::{
    capture::{Capture, Owner},
    telemetry::ides::LogMetrics,
};
use axum::{
    Json, Router,
    body::Body,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use k8s_openapi::api::authorization::v1::ResourceAttributes;
use query::{Query, ReadQueryError, Source};
use reader::LogReader;
use sojourn_crds::DescribedKind;
use sojourn_crds::ide_session::{GROUP, IdeSession, State as SessionState};
use std::sync::Arc;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

/// The path of the log of a session.
pub const PATH: &str = "/apis/usvc-dev.developer.microsoft.com/v1/idesessions/{name}/log";
/// Authorizations pending at a time.
const DECISIONS: usize = 16;
/// Clients that follow a log at a time.
const FOLLOWERS: usize = 64;
/// Clients that read a log without following it, at a time.
const READERS: usize = 64;

/// What serving the log of a session depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionInfo {
    /// UID of the object.
    pub uid: String,
    /// State of the session.
    pub state: SessionState,
    /// Whether the object is being deleted.
    pub deleting: bool,
}

/// The sessions of the cluster, as the operator's cache has them.
pub trait SessionLookup: Send + Sync + 'static {
    /// The session of that name.
    fn find(&self, name: &str) -> Option<SessionInfo>;
    /// Whether this replica captures the output of sessions: it does while it is the leader.
    fn keeps_logs(&self) -> bool;
    /// Changes when the result of another method may have changed.
    fn changes(&self) -> watch::Receiver<u64>;
}

/// The HTTP API of logs.
#[derive(Clone)]
pub struct Logs {
    sessions: Arc<dyn SessionLookup>,
    capture: Capture,
    gate: AuthGate,
    followers: Arc<Semaphore>,
    readers: Arc<Semaphore>,
    metrics: LogMetrics,
    stop: CancellationToken,
}

/// The log is not served.
#[derive(Debug, thiserror::Error)]
enum ShowLogError {
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error(transparent)]
    Query(#[from] ReadQueryError),
    #[error("idesessions.{GROUP} {0:?} not found")]
    NotFound(String),
    #[error(
        "this replica does not keep what sessions write, the one that leads does: the holder of the operator's Lease, \
         which `kubectl get leases` shows"
    )]
    NotLeader,
    #[error("too many read logs at once")]
    TooManyRequests,
    #[error("the log cannot be read: {0}")]
    Read(#[from] std::io::Error),
}

impl ShowLogError {
    fn status(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Auth(error) => error.status(),
            Self::Query(_) => (StatusCode::BAD_REQUEST, "BadRequest"),
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "NotFound"),
            Self::NotLeader => (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable"),
            Self::TooManyRequests => (StatusCode::TOO_MANY_REQUESTS, "TooManyRequests"),
            Self::Read(_) => (StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
        }
    }
}

/// A `Status` object, as API servers respond with.
impl IntoResponse for ShowLogError {
    fn into_response(self) -> Response {
        let (status, reason) = self.status();
        let body = serde_json::json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.to_string(),
            "reason": reason,
            "code": status.as_u16(),
        });
        let response = (status, Json(body)).into_response();
        match self {
            Self::Auth(error) => error.with_headers(response),
            _ => response,
        }
    }
}

impl Logs {
    /// Serves the captured output of `sessions` to clients that `authorizer` allows. Followed logs end at `stop`.
    pub fn new(
        sessions: Arc<dyn SessionLookup>,
        capture: Capture,
        authorizer: Arc<dyn Authorizer>,
        metrics: LogMetrics,
        stop: CancellationToken,
    ) -> Self {
        Self {
            sessions,
            capture,
            gate: AuthGate::new(authorizer, DECISIONS),
            followers: Arc::new(Semaphore::new(FOLLOWERS)),
            readers: Arc::new(Semaphore::new(READERS)),
            metrics,
            stop,
        }
    }

    /// The route of logs.
    pub fn router(self) -> Router {
        Router::new().route(PATH, get(answer)).with_state(self)
    }

    async fn show(&self, name: String, query: &str, headers: &HeaderMap) -> Result<Response, ShowLogError> {
        // An unauthorized client must not learn which sessions exist.
        self.gate.admit(headers, get_log(&name)).await?;
        let query = Query::read(query)?;
        let found = self.sessions.find(&name).ok_or_else(|| ShowLogError::NotFound(name.clone()))?;
        if !self.sessions.keeps_logs() {
            return Err(ShowLogError::NotLeader);
        }
        let Source::File(stream) = query.source else { return Ok(text(Body::empty())) };
        let owner = Owner::new(&name, &found.uid).map_err(|_| ShowLogError::NotFound(name))?;
        let places = if query.follow { &self.followers } else { &self.readers };
        let place = places.clone().try_acquire_owned().map_err(|_| ShowLogError::TooManyRequests)?;
        let reading = LogReader::begin(self, owner, stream, &query, place).await?;
        let lost =
            !reading.has_file() && !matches!(found.state, SessionState::Initial | SessionState::Starting);
        let mut response = text(Body::from_stream(reading.stream()));
        if lost {
            response.headers_mut().insert(header::WARNING, HeaderValue::from_static(NOT_KEPT));
        }
        Ok(response)
    }
}

/// To `get` the resource `idesessions/log` of a session.
fn get_log(name: &str) -> AccessRequest {
    AccessRequest::Resource(Box::new(ResourceAttributes {
        verb: Some("get".to_owned()),
        group: Some(GROUP.to_owned()),
        version: Some(IdeSession::DESCRIPTOR.version.to_owned()),
        resource: Some(IdeSession::DESCRIPTOR.plural.to_owned()),
        subresource: Some("log".to_owned()),
        name: Some(name.to_owned()),
        ..ResourceAttributes::default()
    }))
}

/// The warning of an empty response for a session that has run.
const NOT_KEPT: &str = "299 sojourn \"what this session wrote is not kept on this replica\"";

async fn answer(
    State(logs): State<Logs>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ShowLogError> {
    let answer = logs.show(name, query.as_deref().unwrap_or_default(), &headers).await;
    logs.metrics.count(match &answer {
        Ok(response) => response.status().as_u16(),
        Err(error) => error.status().0.as_u16(),
    });
    answer
}

/// A response of text. The process controls the content, so browsers must not guess another type.
fn text(body: Body) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/plain"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, body).into_response()
}

#[cfg(test)]
mod tests;
