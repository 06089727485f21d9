//! Callers that are no API server: what they are told, and that they are told nothing where clients are authenticated.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use k8s_openapi::api::authentication::v1::UserInfo;
use rstest::rstest;
use serde_json::{Value, json};
use sojourn_webhooks::facts::{Access, AccessFuture, AccessReview, Authorizer};
use sojourn_webhooks::http::{Authenticated, WebhookState, authenticated_router, router};
use sojourn_webhooks::table::{TABLE, VALIDATE_SESSION};
use tower::ServiceExt as _;

use super::{path, ready, review, session};

/// An API server that says the same of everybody, and counts.
struct Says {
    access: Access,
    asked: AtomicUsize,
}

impl Authorizer for Says {
    fn review<'a>(&'a self, _: &'a UserInfo, _: &'a AccessReview) -> AccessFuture<'a> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Box::pin(async { self.access })
    }
}

fn says(access: Access) -> Arc<Says> {
    Arc::new(Says { access, asked: AtomicUsize::new(0) })
}

fn guard(authorizer: Arc<Says>) -> WebhookState {
    WebhookState { authorizer, ..ready() }
}

/// A review that claims to be of another user, of a session that adopts a secret.
fn forged() -> String {
    let mut session = session();
    session["spec"]["imagePullSecrets"] = json!([{"name": "pull", "adopt": true}]);
    review("CREATE", Value::Null, session).to_string()
}

fn post(path: &str) -> Request<Body> {
    Request::post(path).header("content-type", "application/json").body(forged().into()).unwrap()
}

async fn text(response: axum::response::Response) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn where_clients_are_authenticated_a_stranger_is_told_nothing_and_costs_nothing() {
    for row in &TABLE {
        let authorizer = says(Access::Allowed);
        let stranger =
            authenticated_router(guard(authorizer.clone())).oneshot(post(&row.path())).await.unwrap();
        assert_eq!(stranger.status(), StatusCode::UNAUTHORIZED, "{}", row.name);
        let text = text(stranger).await;
        assert!(!text.contains("the-uid") && !text.contains("pull") && !text.contains("alice"), "{text}");
        assert_eq!(authorizer.asked.load(Ordering::Relaxed), 0);
        let mut known = post(&row.path());
        known.extensions_mut().insert(Authenticated);
        let known = authenticated_router(guard(authorizer)).oneshot(known).await.unwrap();
        assert_eq!(known.status(), StatusCode::OK, "{}", row.name);
    }
}

/// Of what the API server said, the verdict is told: not by which role, nor of any other object or user.
#[rstest]
#[case(Access::Allowed, None)]
#[case(Access::Denied, Some("user \"alice\" may not delete secret \"pull\""))]
#[case(Access::Unknown, Some("cannot tell whether user \"alice\" may delete secret \"pull\""))]
#[tokio::test]
async fn an_answer_tells_of_rights_what_the_verdict_is_about(
    #[case] access: Access,
    #[case] denied: Option<&str>,
) {
    let authorizer = says(access);
    let response = router(guard(authorizer.clone())).oneshot(post(&path(VALIDATE_SESSION))).await.unwrap();
    let answer: Value = serde_json::from_str(&text(response).await).unwrap();
    assert_eq!(authorizer.asked.load(Ordering::Relaxed), 1);
    let response = answer["response"].as_object().unwrap();
    assert_eq!(response["allowed"], denied.is_none());
    match denied {
        None => assert_eq!(answer["response"], json!({"uid": "the-uid", "allowed": true})),
        Some(text) => {
            let causes = response["status"]["details"]["causes"].as_array().unwrap();
            assert_eq!(causes.len(), 1, "{answer}");
            assert!(causes[0]["message"].as_str().unwrap().starts_with(text), "{answer}");
            assert_eq!(response.keys().collect::<Vec<_>>(), ["allowed", "auditAnnotations", "status", "uid"]);
        }
    }
}
