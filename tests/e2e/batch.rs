//! How batch sessions end: their results stay, and nothing runs twice.

use crate::{
    objects::{acting, batch, condition, error},
    support::{Scene, must, scene},
};
use kube::api::DeleteParams;
use serde_json::json;
use sojourn_crds::amalthea::{AmaltheaSession, State};
use std::time::Duration;

/// Fails if a pod of the session is made within a few seconds.
async fn nothing_runs_again(scene: &Scene, name: &str, known: &[String]) {
    for _ in 0..50 {
        let pods = scene.pods(name).await;
        let new: Vec<_> = pods.iter().filter(|pod| !known.contains(pod)).collect();
        assert!(new.is_empty(), "{name} runs again: {new:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn reason(session: &AmaltheaSession) -> Option<&str> {
    let mut conditions = session.status.iter().flat_map(|status| &status.conditions);
    conditions.find(|condition| condition.kind == "Finished")?.reason.as_deref()
}

async fn released(scene: &Scene, name: &str) {
    scene.becomes("job", name, "is released", |job| job["metadata"]["finalizers"].is_null()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_is_recorded_and_outlives_its_job() {
    let scene = scene("batch-result").await;
    let ends = acting(json!({"sojourn.dev/test-complete-after": "1s"}), batch(json!({})));
    scene.session("done", ends.clone()).await;
    let done = scene.reaches("done", State::Succeeded).await;
    assert_eq!(reason(&done), Some("Succeeded"));
    let status = done.status.unwrap();
    assert!(status.idle && status.idle_since.is_some());
    released(&scene, "done").await;

    let pods = scene.pods("done").await;
    assert_eq!(pods.len(), 1);
    scene.delete("job", "done").await;
    scene.gone("job", "done").await;
    nothing_runs_again(&scene, "done", &pods).await;
    assert!(scene.json("job", "done").await.is_null());
    let after = scene.get("done").await.expect("without maxHibernatedDuration a result is kept for ever");
    assert_eq!(after.status.unwrap().state, State::Succeeded);
    scene.delete_session("done").await;
    scene.gone("pvc", "done").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_job_that_somebody_deletes_is_not_run_again() {
    let scene = scene("batch-deleted").await;
    scene.session("main", batch(json!({"maxAge": "1h"}))).await;
    scene.reaches("main", State::Running).await;
    let pods = scene.pods("main").await;
    scene.objects("job").delete("main", &DeleteParams::foreground()).await.unwrap();
    let failed = scene.reaches("main", State::Failed).await;
    assert!(error(&failed).contains("was deleted before it ended"), "{}", error(&failed));
    assert_eq!(reason(&failed), Some("JobDeleted"));
    scene.gone("job", "main").await;
    nothing_runs_again(&scene, "main", &pods).await;
    scene.tells("main", "Failed: The Job of the session was deleted").await;
    scene.delete_session("main").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_fails_says_why_and_is_not_run_again() {
    let scene = scene("batch-failed").await;
    let code = json!({"sojourn.dev/test-complete-after": "500ms", "sojourn.dev/test-exit-code": "3"});
    scene.session("code", acting(code, batch(json!({})))).await;
    let memory = json!({
        "sojourn.dev/test-complete-after": "500ms",
        "sojourn.dev/test-exit-code": "137",
        "sojourn.dev/test-exit-reason": "OOMKilled",
    });
    scene.session("memory", acting(memory, batch(json!({})))).await;

    let code = scene.reaches("code", State::Failed).await;
    assert!(error(&code).contains("error exit code (3)"), "{}", error(&code));
    let memory = scene.reaches("memory", State::Failed).await;
    assert!(error(&memory).contains("ran out of memory"), "{}", error(&memory));
    scene
        .eventually("memory", "is finished", |session| condition(session, "Finished", "True").is_some())
        .await;
    released(&scene, "code").await;
    let pods = scene.pods("code").await;
    scene.delete("job", "code").await;
    nothing_runs_again(&scene, "code", &pods).await;
    assert!(error(&scene.get("code").await.unwrap()).contains("exit code (3)"), "the result stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reached_deadline_fails_the_session_and_its_retention_deletes_it() {
    let scene = scene("batch-deadline").await;
    scene.session("main", batch(json!({"maxAge": "3s", "maxHibernatedDuration": "1h"}))).await;
    let failed = scene.reaches("main", State::Failed).await;
    assert!(error(&failed).contains("DeadlineExceeded"), "{}", error(&failed));
    assert_eq!(reason(&failed), Some("DeadlineExceeded"));
    scene.tells("main", "Failed: DeadlineExceeded").await;
    must(scene.patch("main", json!({"spec": {"culling": {"maxHibernatedDuration": "3s"}}})).await);
    scene.session_gone("main").await;
    scene.gone("job", "main").await;
    scene.gone("pvc", "main").await;
    scene.tells("main", "Deleting: spec.culling.maxHibernatedDuration (3s) is over").await;
}
