//! Sessions that should never have been admitted harm nobody, themselves as little as can be.

use crate::{
    objects::{batch, condition, error, timed},
    support::{must, scene},
};
use serde_json::json;
use sojourn_crds::amalthea::State;

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_duration_only_switches_its_own_rule_off() {
    let scene = scene("poison").await;
    scene.smuggle_session("days", timed(json!({"maxAge": "1d"}))).await;
    scene.smuggle_session("words", timed(json!({"maxIdleDuration": "5 minutes", "maxAge": "1h"}))).await;
    scene.smuggle_session("batch", batch(json!({"maxAge": "1d"}))).await;
    scene.session("good", json!({})).await;

    let days = scene.reaches("days", State::Running).await.status.unwrap();
    assert_eq!(days.will_hibernate_at, None, "a rule that cannot be read is off");
    let words = scene.reaches("words", State::Running).await.status.unwrap();
    assert!(words.will_hibernate_at.is_some(), "the other rules of that session hold");
    scene.reaches("batch", State::Running).await;
    assert!(scene.json("job", "batch").await["spec"]["activeDeadlineSeconds"].is_null());

    scene.reaches("good", State::Running).await;
    must(scene.patch("good", json!({"spec": {"hibernated": true}})).await);
    scene.reaches("good", State::Hibernated).await;
    // Its own fields can still be changed, and it can still be stopped.
    must(scene.patch("days", json!({"spec": {"hibernated": true}})).await);
    scene.reaches("days", State::Hibernated).await;
    scene.delete_session("words").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_without_a_spec_says_what_it_needs() {
    let scene = scene("no-spec").await;
    let bare = json!({
        "apiVersion": "amalthea.dev/v1alpha1",
        "kind": "AmaltheaSession",
        "metadata": {"name": "bare"},
    });
    assert!(!scene.apply(&bare).await.success(), "the webhook refuses it");
    scene.smuggle(&bare).await;
    let failed = scene.reaches("bare", State::Failed).await;
    assert!(error(&failed).contains("no spec"), "{}", error(&failed));
    assert!(condition(&failed, "Reconciled", "False").is_some());

    scene.session("good", json!({})).await;
    scene.reaches("good", State::Running).await;
    // The way out that the text names.
    must(scene.patch("bare", json!({"spec": {"session": {"image": "debian:12"}}})).await);
    let running = scene.reaches("bare", State::Running).await;
    assert_eq!(error(&running), "");
    scene.delete_session("bare").await;
}
