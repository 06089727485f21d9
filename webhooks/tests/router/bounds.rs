//! Requests that ask for more than one may have: of time, of questions to the API server, of words in an answer.

use super::{guard, path, ready, review, send, session};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use rstest::rstest;
use serde_json::{Value, json};
use sojourn_webhooks::http::{Arrived, router};
use sojourn_webhooks::table::VALIDATE_SESSION;
use std::time::Duration;
use tower::ServiceExt;

/// One small request is not to become hundreds of calls of the API server, nor a long answer.
#[tokio::test(start_paused = true)]
async fn a_session_that_adopts_hundreds_of_secrets_asks_nothing() {
    let mut greedy = session();
    let secrets = (0..500).map(|number| json!({"name": format!("s{number}"), "adopt": true}));
    greedy["spec"]["imagePullSecrets"] = secrets.collect();
    let body = review("CREATE", Value::Null, greedy).to_string();
    let started = tokio::time::Instant::now();
    let (_, answer) =
        send(guard(true, Duration::from_secs(1)), &path(VALIDATE_SESSION), "application/json", body).await;
    assert_eq!(started.elapsed(), Duration::ZERO, "nothing was asked");
    let status = &answer["response"]["status"];
    assert_eq!(status["code"], 422);
    assert!(
        status["message"].as_str().unwrap().contains("500 secrets are to be adopted at once"),
        "{status}"
    );
}

#[tokio::test]
async fn an_answer_is_short_whatever_is_wrong() {
    let mut bad = session();
    bad["spec"]["dataSources"] = (0..1000).map(|_| json!({"mountPath": ""})).collect();
    let body = review("CREATE", Value::Null, bad).to_string();
    let (_, answer) = send(ready(), &path(VALIDATE_SESSION), "application/json", body).await;
    let status = &answer["response"]["status"];
    let last = status["message"].as_str().unwrap().lines().last().unwrap().to_owned();
    assert!(last.starts_with("and ") && last.ends_with(" more"), "{status}");
    assert!(answer.to_string().len() < 64 << 10, "{}", answer.to_string().len());
}

/// Whoever calls us may write any time into the query; the configuration says what there is.
#[rstest]
#[case::of_the_row("", 4500)]
#[case::less("?timeout=2s", 1800)]
#[case::more("?timeout=30s", 4500)]
#[tokio::test(start_paused = true)]
async fn a_client_may_ask_for_less_time_and_not_for_more(#[case] query: &str, #[case] millis: u64) {
    let mut adopting = session();
    adopting["spec"]["imagePullSecrets"] = json!([{"name": "pull", "adopt": true}]);
    let body = review("CREATE", Value::Null, adopting).to_string();
    let started = tokio::time::Instant::now();
    let path = format!("{}{query}", path(VALIDATE_SESSION));
    send(guard(true, Duration::from_secs(60)), &path, "application/json", body).await;
    assert_eq!(started.elapsed(), Duration::from_millis(millis));
}

/// A request that waited before it came to the router has less time left.
#[tokio::test(start_paused = true)]
async fn the_time_counts_from_the_arrival() {
    let mut adopting = session();
    adopting["spec"]["imagePullSecrets"] = json!([{"name": "pull", "adopt": true}]);
    let arrived = tokio::time::Instant::now();
    tokio::time::advance(Duration::from_secs(3)).await;
    let request = Request::post(path(VALIDATE_SESSION))
        .header("content-type", "application/json")
        .extension(Arrived(arrived))
        .body(Body::from(review("CREATE", Value::Null, adopting).to_string()))
        .unwrap();
    let response = router(guard(true, Duration::from_secs(60))).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(arrived.elapsed(), Duration::from_millis(4500));
}
