//! Batch sessions whose containers end, well or not.

use crate::{
    objects::error,
    stage::{job, scene},
    support::must,
};
use serde_json::json;
use sojourn_cluster::eventually;
use sojourn_crds::amalthea::State;

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_session_ends_as_its_container_does() {
    let scene = scene("ends").await;
    scene.session("well", job("echo 42 | tee /workspace/result", json!({}))).await;
    scene.session("badly", job("echo no such column >/dev/termination-log; exit 3", json!({}))).await;
    scene.session("silently", job("exit 3", json!({}))).await;

    let well = scene
        .eventually("well", "ends", |session| {
            state(session) != State::NotReady && state(session) != State::Running
        })
        .await;
    assert_eq!((state(&well), error(&well)), (State::Succeeded, ""));
    assert_eq!(must(scene.kubectl(&["logs", "job/well"]).await), "42\n");
    let badly = scene.eventually("badly", "fails", |session| state(session) == State::Failed).await;
    assert_eq!(error(&badly), "the container amalthea-session terminated with an error no such column");
    let silently = scene.eventually("silently", "fails", |session| state(session) == State::Failed).await;
    assert!(error(&silently).contains("error exit code (3)"), "{}", error(&silently));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_session_ends_at_its_deadline() {
    let scene = scene("deadline").await;
    let spec = job("trap 'exit 0' TERM; sleep 1000 & wait", json!({"culling": {"maxAge": "60s"}}));
    scene.session("late", spec).await;
    scene.eventually("late", "runs", |session| state(session) == State::Running).await;
    let late = scene.eventually("late", "fails", |session| state(session) == State::Failed).await;
    assert!(error(&late).starts_with("DeadlineExceeded"), "{}", error(&late));
    eventually("the pod is gone", async || {
        must(scene.kubectl(&["get", "pods", "-o", "name"]).await).is_empty()
    })
    .await
    .unwrap();
}

fn state(session: &sojourn_crds::amalthea::AmaltheaSession) -> State {
    session.status.as_ref().map(|status| status.state).unwrap_or_default()
}
