//! Admission through the router: whatever comes, the answer is one that an API server understands, and no rule panics.

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use json_patch::Patch;
use serde::Deserialize;
use serde_json::{Value, json};
use sojourn_webhooks::{
    AdmissionSettings, Offline, Row, TABLE,
    case::{CaseFacts, NAMESPACE, USER},
    http::{WebhookState, router},
    review::LONGEST_WARNING,
};
use std::sync::Arc;
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

const UID: &str = "the-uid";

/// Any body, sent to every webhook.
pub(crate) fn review() -> impl Fn(&[u8]) + Send + Sync {
    let runtime = runtime();
    let routes = routes(Offline::new(Timestamp::UNIX_EPOCH, AdmissionSettings::default()));
    move |input| {
        for row in &TABLE {
            let (status, answer) = send(&runtime, &routes, row, input.to_vec());
            if status == StatusCode::OK {
                sound(&answer);
                if let Ok(review) = serde_json::from_slice::<Value>(input) {
                    assert_eq!(answer["response"]["uid"], review["request"]["uid"]);
                }
            } else {
                assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
            }
        }
    }
}

/// What the rules of a kind are asked: the parts of a case that are no expectation.
#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    facts: CaseFacts,
}

/// Any request to the webhooks of a kind, among any facts.
pub(crate) fn rules(kind: &'static str) -> impl Fn(&[u8]) + Send + Sync {
    let runtime = runtime();
    move |input| {
        let Ok(case) = serde_json::from_slice::<Value>(input) else { return };
        let Ok(asked) = Asked::deserialize(&case) else { return };
        let Ok(facts) = asked.facts.known(NAMESPACE) else { return };
        let routes = routes(facts);
        let ask = |row: &Row, operation: &str, old: &Value, new: &Value| {
            let body = body(&case, &operation.into(), old, new);
            let (status, answer) = send(&runtime, &routes, row, body);
            assert_eq!(status, StatusCode::OK, "{answer}");
            sound(&answer);
            assert_eq!(answer["response"]["uid"], UID);
            answer
        };
        let (old, new) = (&case["old"], &case["object"]);
        for row in TABLE.iter().filter(|row| row.descriptor.kind == kind) {
            ask(row, "UPDATE", old, new);
            ask(row, "DELETE", new, &Value::Null);
            let created = ask(row, "CREATE", &Value::Null, new);
            if let Some(patched) = patched(new, &created) {
                let again = ask(row, "CREATE", &Value::Null, &patched);
                assert_eq!(again["response"]["patch"], Value::Null, "completed twice: {patched}");
            }
            let same = ask(row, "UPDATE", new, new);
            let unreadable = same["response"]["status"]["code"] == 400;
            let allowed = same["response"]["allowed"] == true;
            assert!(allowed || unreadable, "nothing changed, and it is refused: {same}");
        }
    }
}

/// A review that asks what a case asks.
pub(crate) fn body(case: &Value, operation: &Value, old: &Value, new: &Value) -> Vec<u8> {
    let object = if new.is_null() { old } else { new };
    let user = case["user"].as_str().unwrap_or(USER);
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": UID, "operation": operation, "namespace": NAMESPACE,
        "name": object["metadata"]["name"].as_str().unwrap_or_default(),
        "userInfo": {"username": user}, "object": new, "oldObject": old, "dryRun": false}});
    review.to_string().into_bytes()
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime can be made")
}

fn routes(facts: Offline) -> Router {
    let facts = Arc::new(facts);
    router(WebhookState { facts: facts.clone(), authorizer: facts, metrics: Arc::default() })
}

fn send(runtime: &Runtime, routes: &Router, row: &Row, body: Vec<u8>) -> (StatusCode, Value) {
    let request = Request::post(row.path()).header("content-type", "application/json").body(Body::from(body));
    runtime.block_on(async {
        let response = routes.clone().oneshot(request.expect("a request")).await.expect("it always answers");
        let status = response.status();
        let body = response.into_body().collect().await.expect("the answer is in memory").to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    })
}

/// An answer is one that the API server can pass on.
fn sound(answer: &Value) {
    let response = &answer["response"];
    assert!(response["uid"].is_string(), "{answer}");
    let status = &response["status"];
    if response["allowed"] == true {
        assert!(status.is_null(), "{answer}");
    } else {
        // 500 is a rule that panicked.
        assert!([400, 403, 422].map(Value::from).contains(&status["code"]), "{answer}");
        assert!(status["message"].as_str().is_some_and(|text| !text.is_empty()), "{answer}");
        let causes = status["details"]["causes"].as_array().map_or(0, Vec::len);
        assert!(causes > 0 || status["code"] == 400, "{answer}");
    }
    for warning in response["warnings"].as_array().into_iter().flatten() {
        let length = warning.as_str().map_or(0, |text| text.chars().count());
        assert!((1..=LONGEST_WARNING).contains(&length), "{answer}");
    }
}

/// The object with the patch of the answer, if it has one.
fn patched(object: &Value, answer: &Value) -> Option<Value> {
    let patch = STANDARD.decode(answer["response"]["patch"].as_str()?).expect("a patch is base64");
    let patch: Patch = serde_json::from_slice(&patch).expect("a patch is one");
    let mut patched = object.clone();
    json_patch::patch(&mut patched, &patch).expect("a patch fits the object");
    Some(patched)
}
