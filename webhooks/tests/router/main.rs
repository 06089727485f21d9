//! The router against requests that are not as they should be: it answers all of them, and with the uid if there is one.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed step of a test is a failed test")]

mod bounds;
mod strangers;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use jiff::Timestamp;
use k8s_openapi::api::authentication::v1::UserInfo;
use rstest::rstest;
use serde_json::{Value, json};
use sojourn_crds::{DescribedKind, KindDescriptor, amalthea::AmaltheaSession};
use sojourn_webhooks::AdmissionSettings;
use sojourn_webhooks::facts::{Access, AccessFuture, AccessReview, Authorizer, Facts};
use sojourn_webhooks::http::{BODY_LIMIT, WebhookState, router, router_of};
use sojourn_webhooks::metrics::Metrics;
use sojourn_webhooks::session_kinds::{JobConstraints, SessionKind};
use sojourn_webhooks::table::{
    FailurePolicy, MUTATE_JOB, Row, TABLE, VALIDATE_IDE_SESSION, VALIDATE_JOB, VALIDATE_SESSION, row,
};
use tower::ServiceExt;

/// A cluster that knows no session, and an API server that takes its time.
struct Empty {
    synced: bool,
    delay: Duration,
    settings: AdmissionSettings,
}

impl Facts for Empty {
    fn job_constraints(&self, _: &SessionKind, _: &str, _: &str) -> Option<JobConstraints> {
        None
    }
    fn settings(&self) -> &AdmissionSettings {
        &self.settings
    }
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
    fn synced(&self) -> bool {
        self.synced
    }
}

impl Authorizer for Empty {
    fn review<'a>(&'a self, _: &'a UserInfo, _: &'a AccessReview) -> AccessFuture<'a> {
        Box::pin(async {
            tokio::time::sleep(self.delay).await;
            Access::Allowed
        })
    }
}

fn guard(synced: bool, delay: Duration) -> WebhookState {
    let empty = Arc::new(Empty { synced, delay, settings: AdmissionSettings::default() });
    WebhookState { facts: empty.clone(), authorizer: empty, metrics: Arc::new(Metrics::default()) }
}

fn ready() -> WebhookState {
    guard(true, Duration::ZERO)
}

fn path(name: &str) -> String {
    row(name).unwrap().path()
}

async fn send(guard: WebhookState, path: &str, kind: &str, body: impl Into<Body>) -> (StatusCode, Value) {
    let request = Request::post(path).header("content-type", kind).body(body.into()).unwrap();
    let response = router(guard).oneshot(request).await.unwrap();
    let status = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

fn review(operation: &str, old: Value, new: Value) -> Value {
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "the-uid", "operation": operation, "namespace": "ns", "name": "x",
        "userInfo": {"username": "alice", "groups": ["a"]}, "object": new, "oldObject": old}})
}

fn session() -> Value {
    json!({"apiVersion": "amalthea.dev/v1alpha1", "kind": "AmaltheaSession", "metadata": {"name": "x"},
           "spec": {"hibernated": false, "session": {"image": "i", "readinessProbe": {"type": "none"}}}})
}

#[rstest]
#[case::empty("")]
#[case::not_json("{")]
#[case::null("null")]
#[case::list("[]")]
#[case::no_request(r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}"#)]
#[case::old_version(r#"{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview","request":{"uid":"u","operation":"CREATE"}}"#)]
#[case::other_kind(r#"{"apiVersion":"admission.k8s.io/v1","kind":"ConversionReview","request":{"uid":"u","operation":"CREATE"}}"#)]
#[case::no_uid(
    r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"operation":"CREATE"}}"#
)]
#[case::odd_operation(r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","operation":"PAINT"}}"#)]
#[tokio::test]
async fn what_is_no_review_is_a_bad_request(#[case] body: &'static str) {
    for row in &TABLE {
        assert_eq!(send(ready(), &row.path(), "application/json", body).await.0, StatusCode::BAD_REQUEST);
    }
}

#[rstest]
#[case("text/plain", StatusCode::UNSUPPORTED_MEDIA_TYPE)]
#[case("", StatusCode::UNSUPPORTED_MEDIA_TYPE)]
#[case("application/yaml", StatusCode::UNSUPPORTED_MEDIA_TYPE)]
#[case("application/json; charset=utf-8", StatusCode::OK)]
#[tokio::test]
async fn the_content_type_counts(#[case] kind: &str, #[case] status: StatusCode) {
    let body = review("CREATE", Value::Null, session()).to_string();
    assert_eq!(send(ready(), &path(VALIDATE_SESSION), kind, body).await.0, status);
}

#[rstest]
#[case(BODY_LIMIT, StatusCode::OK)]
#[case(BODY_LIMIT + 1, StatusCode::PAYLOAD_TOO_LARGE)]
#[tokio::test]
async fn bodies_are_bounded(#[case] size: usize, #[case] status: StatusCode) {
    let mut body = review("CREATE", Value::Null, session()).to_string().into_bytes();
    body.resize(size, b' ');
    assert_eq!(send(ready(), &path(VALIDATE_SESSION), "application/json", body).await.0, status);
}

#[tokio::test]
async fn an_object_that_is_nested_too_deeply_is_answered_with_its_uid() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let body = review("CREATE", Value::Null, json!("deep")).to_string().replace("\"deep\"", &deep);
    let (status, answer) = send(ready(), &path(VALIDATE_SESSION), "application/json", body).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(answer["response"]["uid"], "the-uid");
    assert_eq!(answer["response"]["allowed"], false);
    assert_eq!(answer["response"]["status"]["code"], 400);
}

#[rstest]
#[case::create_null("CREATE", Value::Null, Value::Null)]
#[case::delete("DELETE", session(), Value::Null)]
#[case::delete_all_null("DELETE", Value::Null, Value::Null)]
#[case::connect("CONNECT", Value::Null, json!({"kind": "PodExecOptions"}))]
#[tokio::test]
async fn where_there_is_nothing_to_judge_nothing_is_held_up(
    #[case] operation: &str,
    #[case] old: Value,
    #[case] new: Value,
) {
    for row in &TABLE {
        let body = review(operation, old.clone(), new.clone()).to_string();
        let (status, answer) = send(ready(), &row.path(), "application/json", body).await;
        assert_eq!((status, &answer["response"]["allowed"]), (StatusCode::OK, &json!(true)), "{}", row.name);
        assert_eq!(answer["apiVersion"], "admission.k8s.io/v1");
        assert_eq!(answer["response"]["uid"], "the-uid");
    }
}

/// Nothing is let through unread: the failure policy of the row decides.
#[tokio::test]
async fn what_is_no_object_is_not_let_through() {
    for (row, object) in
        TABLE.iter().flat_map(|row| [json!([]), json!(5), json!("x")].map(|object| (row, object)))
    {
        let body = review("CREATE", Value::Null, object).to_string();
        let (status, answer) = send(ready(), &row.path(), "application/json", body).await;
        let allowed = row.failure_policy == FailurePolicy::Ignore;
        assert_eq!(
            (status, &answer["response"]["allowed"]),
            (StatusCode::OK, &json!(allowed)),
            "{}",
            row.name
        );
        assert_eq!(answer["response"]["uid"], "the-uid");
    }
}

/// What clients of the original get on the wire: the reasons of its own refusals, and its words first.
#[tokio::test]
async fn a_refusal_has_the_reasons_of_the_original() {
    let ide_session = |spec: Value| {
        json!({"apiVersion": "usvc-dev.developer.microsoft.com/v1", "kind": "IdeSession",
            "metadata": {"name": "x"}, "spec": spec})
    };
    let old = ide_session(json!({"launchConfigurations": "[{}]", "desiredState": "Stopped"}));
    let new = ide_session(json!({"desiredState": "Failed"}));
    let body = review("UPDATE", old, new).to_string();
    let (_, answer) = send(ready(), &path(VALIDATE_IDE_SESSION), "application/json", body).await;
    let status = &answer["response"]["status"];
    assert_eq!((&status["code"], &status["reason"]), (&json!(422), &json!("Invalid")));
    let causes: Vec<_> = status["details"]["causes"].as_array().unwrap().iter().collect();
    let text = |cause: &Value, field: &str| cause[field].as_str().unwrap().to_owned();
    let reasons: Vec<_> = causes.iter().map(|cause| [text(cause, "field"), text(cause, "reason")]).collect();
    assert_eq!(
        reasons,
        [
            ["spec.launchConfigurations", "FieldValueForbidden"],
            ["spec.desiredState", "FieldValueForbidden"],
            ["spec.launchConfigurations", "FieldValueRequired"],
            ["spec.desiredState", "FieldValueInvalid"],
        ]
    );
    let words = [
        "launchConfigurations cannot be changed after the IdeSession is created.",
        "desiredState cannot be changed once it is set to Stopped.",
        "launchConfigurations is required.",
        "desiredState must be empty, Running, or Stopped.",
    ];
    for (cause, words) in causes.iter().zip(words) {
        assert!(text(cause, "message").starts_with(words), "{cause}");
    }
}

#[tokio::test]
async fn a_status_write_is_never_held_up() {
    let mut body = review("UPDATE", session(), json!({"metadata": {"name": "x"}}));
    body["request"]["subResource"] = json!("status");
    let (_, answer) = send(ready(), &path(VALIDATE_SESSION), "application/json", body.to_string()).await;
    assert_eq!(answer["response"]["allowed"], true);
}

#[tokio::test]
async fn a_refusal_says_all_that_kubectl_prints() {
    let mut bad = session();
    bad["spec"]["culling"] = json!({"maxAge": "1d", "maxIdleDuration": "-1s"});
    bad["spec"]["session"]["storage"] = json!({"mountPath": "work"});
    let body = review("CREATE", Value::Null, bad).to_string();
    let (_, answer) = send(ready(), &path(VALIDATE_SESSION), "application/json", body).await;
    let status = &answer["response"]["status"];
    assert_eq!((&status["code"], &status["reason"]), (&json!(422), &json!("Invalid")));
    assert_eq!(status["details"]["kind"], "AmaltheaSession");
    assert_eq!(status["details"]["name"], "x");
    let causes = status["details"]["causes"].as_array().unwrap();
    assert_eq!(causes.len(), 2);
    assert_eq!(causes[0]["field"], "spec.culling.maxAge");
    assert_eq!(causes[0]["message"], "\"1d\" is not a duration: unknown unit \"d\"; write 24h");
    assert!(
        status["message"].as_str().unwrap().contains("spec.culling.maxIdleDuration: \"-1s\" is negative")
    );
    assert_eq!(answer["response"]["warnings"].as_array().unwrap().len(), 1);
    let codes = &answer["response"]["auditAnnotations"]["findings"];
    assert_eq!(codes, "duration-invalid,duration-negative,mount-path-relative");
}

#[tokio::test]
async fn facts_that_are_not_known_are_not_guessed() {
    let body = review("CREATE", Value::Null, json!({"metadata": {}, "spec": {}})).to_string();
    for (name, allowed) in [(VALIDATE_JOB, false), (MUTATE_JOB, true)] {
        let guard = guard(false, Duration::ZERO);
        let (status, answer) = send(guard, &path(name), "application/json", body.clone()).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer["response"]["allowed"], allowed);
        assert_eq!(answer["response"]["uid"], "the-uid");
    }
    let body = review("CREATE", Value::Null, session()).to_string();
    let guard = guard(false, Duration::ZERO);
    assert_eq!(send(guard, &path(VALIDATE_SESSION), "application/json", body).await.0, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_not_answered_in_time_is_a_refusal_that_says_so() {
    let mut adopting = session();
    adopting["spec"]["imagePullSecrets"] = json!([{"name": "pull", "adopt": true}]);
    let body = review("CREATE", Value::Null, adopting).to_string();
    let path = format!("{}?timeout=2s", path(VALIDATE_SESSION));
    let (_, answer) =
        send(guard(true, Duration::from_millis(1700)), &path, "application/json", body.clone()).await;
    assert_eq!(answer["response"]["allowed"], true, "1.7 s are within 2 s less a tenth");

    let guard = guard(true, Duration::from_millis(1900));
    let metrics = Arc::clone(&guard.metrics);
    let (_, answer) = send(guard, &path, "application/json", body).await;
    assert_eq!(answer["response"]["status"]["code"], 403);
    assert!(answer["response"]["status"]["message"].as_str().unwrap().contains("cannot tell"));
    assert!(exposition(&metrics).contains("sojourn_webhook_timeouts_total 1"));
}

static PANICKING: [Row; 2] =
    [panicking("a.test", &THINGS, FailurePolicy::Fail), panicking("b.test", &OTHERS, FailurePolicy::Ignore)];

const THINGS: KindDescriptor =
    KindDescriptor { group: "", api_version: "v1", plural: "things", ..*AmaltheaSession::DESCRIPTOR };

const OTHERS: KindDescriptor = KindDescriptor { plural: "others", ..THINGS };

const fn panicking(
    name: &'static str,
    descriptor: &'static KindDescriptor,
    failure_policy: FailurePolicy,
) -> Row {
    Row {
        descriptor,
        failure_policy,
        read: |_, _| panic!("as the test wants it"),
        ..Row::validating::<AmaltheaSession>(name)
    }
}

#[tokio::test]
async fn a_panic_is_answered_by_the_failure_policy() {
    for (path, allowed) in [("/validate/v1/things", false), ("/validate/v1/others", true)] {
        let guard = ready();
        let metrics = Arc::clone(&guard.metrics);
        let request = Request::post(path)
            .header("content-type", "application/json")
            .body(Body::from(review("CREATE", Value::Null, session()).to_string()))
            .unwrap();
        let response = router_of(&PANICKING, guard).oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let answer: Value =
            serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap();
        assert_eq!(answer["response"]["uid"], "the-uid");
        assert_eq!(answer["response"]["allowed"], allowed);
        let text = exposition(&metrics);
        assert!(text.contains("sojourn_webhook_panics_total 1"), "{text}");
        assert!(text.contains("sojourn_webhook_requests_in_flight 0"), "{text}");
    }
}

#[tokio::test]
async fn requests_are_counted_by_webhook_and_verdict() {
    let guard = ready();
    let metrics = Arc::clone(&guard.metrics);
    let body = review("CREATE", Value::Null, session()).to_string();
    send(guard.clone(), &path(VALIDATE_SESSION), "application/json", body).await;
    send(guard, &path(VALIDATE_SESSION), "application/json", "{").await;
    let text = exposition(&metrics);
    for verdict in ["allowed", "malformed"] {
        let line = format!(
            "sojourn_webhook_requests_total{{webhook=\"{VALIDATE_SESSION}\",verdict=\"{verdict}\"}} 1"
        );
        assert!(text.contains(&line), "{line} not in {text}");
    }
}

fn exposition(metrics: &Metrics) -> String {
    let mut registry = prometheus_client::registry::Registry::default();
    metrics.register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    text
}

#[tokio::test]
async fn only_posts_to_known_paths_are_answered() {
    let get = Request::get(path(VALIDATE_SESSION)).body(Body::empty()).unwrap();
    assert_eq!(router(ready()).oneshot(get).await.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(send(ready(), "/validate", "application/json", "{}").await.0, StatusCode::NOT_FOUND);
}
