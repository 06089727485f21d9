//! Sessions that should never have been admitted harm nobody, themselves as little as can be.

use crate::{
    objects::{batch, condition, error, timed},
    support::{must, scene, session},
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

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_quantity_is_answered_with_the_way_to_write_it() {
    let scene = scene("quantities").await;
    let memory = |text: &str| json!({"session": {"resources": {"limits": {"memory": text}}}});
    let refused = scene.apply(&session("refused", memory("2gb"))).await;
    let way_out = "write 2Gi, or 2G for powers of 1000";
    assert!(!refused.success() && refused.stderr.contains(way_out), "{}", refused.stderr);

    // What got in all the same harms nothing but itself.
    scene.smuggle_session("memory", memory("2gb")).await;
    let idle = json!({"maxIdleDuration": "1h", "cpuIdleThreshold": "half"});
    scene.smuggle_session("idle", timed(idle)).await;
    scene.session("good", json!({})).await;
    let failed = scene.reaches("memory", State::Failed).await;
    assert!(error(&failed).contains(way_out), "{}", error(&failed));
    scene.reaches("idle", State::Running).await;
    scene.reaches("good", State::Running).await;
    must(scene.patch("memory", json!({"spec": memory("2Gi")})).await);
    scene.reaches("memory", State::Running).await;
}
