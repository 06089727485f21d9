//! The router: one route per row of the table.
//!
//! Every request gets a response. A verdict has the status 200 and the uid of the request; a body that is not a review
//! has 4xx; while the facts are not synced the status is 503. When a rule panics, the failure policy of the row
//! decides. Bodies are bounded and never logged.

use std::collections::BTreeSet;
use std::error::Error;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request as HttpRequest, StatusCode, header};
use axum::response::{IntoResponse, Response as HttpResponse};
use axum::routing::post;
use http_body_util::LengthLimitError;
use tokio::time::{Instant, timeout_at};

use crate::access_reviews::{FewAtATime, review_all};
use crate::evaluate::{Evaluation, Verdict};
use crate::facts::{Authorizer, Facts, Reviewed};
use crate::finding::cut;
use crate::metrics::{Metrics, Outcome};
use crate::request::Request;
use crate::review::{self, LONGEST_NAME, Response};
use crate::table::{FailurePolicy, Row, TABLE};

/// The largest body that is read: an update has two objects, each up to 3 MiB, and an envelope.
pub const BODY_LIMIT: usize = 7 * 1024 * 1024;

/// When a request arrived, if it waited for something before it came to the router. Its deadline counts from there.
#[derive(Debug, Clone, Copy)]
pub struct Arrived(pub Instant);

/// A request whose client is authenticated. Whoever terminates TLS says so.
#[derive(Debug, Clone, Copy)]
pub struct Authenticated;

/// Whose requests a router answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clients {
    Any,
    Authenticated,
}

/// The state of the router.
#[derive(Clone)]
pub struct WebhookState {
    /// The facts for the rules.
    pub facts: Arc<dyn Facts>,
    /// Lets the API server review accesses.
    pub authorizer: Arc<dyn Authorizer>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
}

/// The router of all webhooks.
pub fn router(state: WebhookState) -> Router {
    router_of(&TABLE, state)
}

/// The router of all webhooks that refuses requests without [`Authenticated`].
pub fn authenticated_router(state: WebhookState) -> Router {
    routes(&TABLE, state, Clients::Authenticated)
}

/// The router of some rows.
pub fn router_of(rows: &'static [Row], state: WebhookState) -> Router {
    routes(rows, state, Clients::Any)
}

fn routes(rows: &'static [Row], state: WebhookState, clients: Clients) -> Router {
    let state = WebhookState { authorizer: Arc::new(FewAtATime::new(state.authorizer)), ..state };
    rows.iter().fold(Router::new(), |router, row| {
        let state = state.clone();
        router.route(&row.path(), post(async move |request| answer(row, &state, clients, request).await))
    })
}

/// A response and its outcome for the metrics.
type Ended = (HttpResponse, Outcome);

async fn answer(
    row: &'static Row,
    state: &WebhookState,
    clients: Clients,
    request: HttpRequest<Body>,
) -> HttpResponse {
    let started = request.extensions().get().map_or_else(Instant::now, |Arrived(at)| *at);
    let _in_flight = state.metrics.enter();
    let deadline = started + deadline(row, request.uri().query());
    let known = clients == Clients::Any || request.extensions().get::<Authenticated>().is_some();
    let (response, outcome) = if !known {
        let text = "the webhooks answer API servers that show a client certificate; see --webhook-client-ca";
        refuse(StatusCode::UNAUTHORIZED, text, Outcome::Unauthenticated)
    } else {
        match body(request, deadline).await {
            Ok(body) => decide(row, state, &body, started, deadline).await,
            Err(ended) => ended,
        }
    };
    state.metrics.answered(row.name, outcome, started.elapsed().as_secs_f64());
    response
}

/// The time for a response: the timeout of the row, or that in the query if it is less; and less a tenth. Anybody can
/// write a longer time into a query.
fn deadline(row: &Row, query: Option<&str>) -> Duration {
    let configured = Duration::from_secs(u64::from(row.timeout_seconds.unsigned_abs()));
    let parameters = query.unwrap_or_default().split('&');
    let told = parameters.filter_map(|pair| pair.strip_prefix("timeout=")).find_map(seconds);
    told.unwrap_or(configured).min(configured).mul_f64(0.9)
}

/// Parses a timeout of the API server, which is in whole seconds, for example `5s`.
fn seconds(text: &str) -> Option<Duration> {
    let span = sojourn_crds::duration::parse(text).ok()?;
    let nanos = u64::try_from(span.as_nanos()).ok()?;
    Some(Duration::from_nanos(nanos).min(Duration::from_secs(30)))
}

async fn body(request: HttpRequest<Body>, deadline: Instant) -> Result<Bytes, Ended> {
    if !is_json(request.headers()) {
        let text = "the content type must be application/json";
        return Err(refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, text, Outcome::Malformed));
    }
    let late = || refuse(StatusCode::REQUEST_TIMEOUT, "the body did not come in time", Outcome::TimedOut);
    match timeout_at(deadline, axum::body::to_bytes(request.into_body(), BODY_LIMIT)).await {
        Err(_) => Err(late()),
        Ok(Ok(body)) => Ok(body),
        Ok(Err(error)) if caused_by(&error, is_timeout) => Err(late()),
        Ok(Err(error)) if caused_by(&error, <dyn Error>::is::<LengthLimitError>) => {
            let text = format!("the body is larger than {BODY_LIMIT} bytes");
            Err(refuse(StatusCode::PAYLOAD_TOO_LARGE, &text, Outcome::TooLarge))
        }
        Ok(Err(_)) => Err(refuse(StatusCode::BAD_REQUEST, "the body breaks off", Outcome::Malformed)),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

fn caused_by(error: &axum::Error, is: impl Fn(&(dyn Error + 'static)) -> bool) -> bool {
    std::iter::successors(error.source(), |&error| error.source()).any(is)
}

/// Whoever reads bodies before the router does says so that one did not come in time.
fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
}

fn refuse(status: StatusCode, text: &str, outcome: Outcome) -> Ended {
    ((status, text.to_owned()).into_response(), outcome)
}

async fn decide(
    row: &'static Row,
    state: &WebhookState,
    body: &[u8],
    started: Instant,
    deadline: Instant,
) -> Ended {
    let envelope = match review::read(body) {
        Ok(envelope) => envelope,
        Err(error) => return refuse(StatusCode::BAD_REQUEST, &error.to_string(), Outcome::Malformed),
    };
    let uid = envelope.uid.as_str();
    if row.needs_sessions && !state.facts.synced() {
        let text = "sessions are not known yet; try again";
        let response = no_verdict(row, uid, 503, "ServiceUnavailable", text);
        return (
            (StatusCode::SERVICE_UNAVAILABLE, axum::Json(response.review())).into_response(),
            Outcome::NotReady,
        );
    }
    let request = envelope.request();
    let evaluation = match caught(|| Evaluation::open(row, &request, state.facts.settings())) {
        Some(Ok(evaluation)) => evaluation,
        Some(Err(error)) => {
            let response = no_verdict(row, uid, 400, "BadRequest", &error.to_string());
            return (axum::Json(response.review()).into_response(), Outcome::Malformed);
        }
        None => return panicked(row, uid),
    };
    let reviews = match caught(|| evaluation.access_reviews(&*state.facts)) {
        Some(reviews) => {
            review_all(&*state.authorizer, &state.metrics, request.user, reviews, deadline).await
        }
        None => return panicked(row, uid),
    };
    let facts = Reviewed { facts: &*state.facts, reviews };
    let Some(verdict) = caught(|| evaluation.verdict(&facts)) else { return panicked(row, uid) };
    log(row, uid, &request, &verdict, started);
    let response = Response::verdict(row, uid, evaluation.name(), &verdict);
    let outcome = match (response.allowed, &response.patch) {
        (false, _) => Outcome::Denied,
        (true, Some(_)) => Outcome::Patched,
        (true, None) => Outcome::Allowed,
    };
    (axum::Json(response.review()).into_response(), outcome)
}

/// Runs `step` and returns `None` when it panics. The rules have no state that a panic could leave inconsistent.
fn caught<T>(step: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(step)).ok()
}

fn panicked(row: &Row, uid: &str) -> Ended {
    tracing::error!(webhook = row.name, uid, "a rule panicked");
    let text = "a rule failed; this is a fault of the operator, not of the object";
    let response = no_verdict(row, uid, 500, "InternalError", text);
    (axum::Json(response.review()).into_response(), Outcome::Panicked)
}

/// The response of a row without a verdict: what its failure policy says.
fn no_verdict(row: &Row, uid: &str, code: u16, reason: &str, text: &str) -> Response {
    Response::without_verdict(uid, row.failure_policy == FailurePolicy::Ignore, code, reason, text)
}

/// Logs a verdict. Only refusals have the level of information.
fn log(row: &Row, uid: &str, request: &Request<'_>, verdict: &Verdict, started: Instant) {
    // A request may have thousands of findings, and names as long as itself.
    let codes: BTreeSet<_> = verdict.findings.iter().map(|finding| finding.code.id()).collect();
    let name = |text: &str| cut(text, LONGEST_NAME);
    let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    macro_rules! line {
        ($level:ident, $text:literal) => {
            tracing::$level!(
                webhook = row.name,
                uid,
                kind = row.descriptor.kind,
                namespace = name(request.namespace),
                name = name(request.name),
                operation = request.operation.as_str(),
                user = name(request.user_name()),
                dry_run = request.dry_run,
                codes = Vec::from_iter(codes).join(","),
                patched = verdict.patch.len(),
                micros,
                $text
            )
        };
    }
    if verdict.allowed() { line!(debug, "allowed") } else { line!(info, "denied") }
}
