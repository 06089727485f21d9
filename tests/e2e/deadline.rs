//! A session's Job lives at least as long as the session may, whoever writes it.

use crate::{
    objects::batch,
    support::{Scene, must, scene},
};
use serde_json::{Value, json};
use sojourn_crds::amalthea::State;

/// A Job that somebody writes by hand.
fn job(name: &str, session: Option<&str>, deadline: Option<i64>) -> Value {
    let mut job = json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"template": {"spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "main", "image": "busybox"}],
        }}},
    });
    if let Some(session) = session {
        job["metadata"]["labels"] =
            json!({"app.kubernetes.io/name": "AmaltheaSession", "app.kubernetes.io/instance": session});
    }
    if let Some(deadline) = deadline {
        job["spec"]["activeDeadlineSeconds"] = json!(deadline);
    }
    job
}

async fn edit_job(scene: &Scene, name: &str, spec: Value) -> Result<(), String> {
    let patch = json!({"spec": spec}).to_string();
    let output = scene.kubectl(&["patch", "job", name, "--type=merge", "-p", &patch]).await;
    if output.success() { Ok(()) } else { Err(output.stderr) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_claims_a_session_is_given_its_deadline() {
    let scene = scene("deadline-create").await;
    scene.session("main", batch(json!({"maxAge": "1h", "maxHibernatedDuration": "10m"}))).await;
    scene.reaches("main", State::Running).await;

    must(scene.apply(&job("filled", Some("main"), None)).await);
    let filled = scene.json("job", "filled").await;
    assert_eq!(filled["spec"]["activeDeadlineSeconds"], 3600);
    assert_eq!(filled["spec"]["ttlSecondsAfterFinished"], 600);

    must(scene.apply(&job("longer", Some("main"), Some(7200))).await);
    assert_eq!(scene.json("job", "longer").await["spec"]["activeDeadlineSeconds"], 7200);

    let short = scene.apply(&job("short", Some("main"), Some(60))).await;
    assert!(!short.success());
    assert!(short.stderr.contains("60 s is shorter than session"), "{}", short.stderr);
    assert!(scene.json("job", "short").await.is_null());

    must(scene.apply(&job("nobodys", None, Some(60))).await);
    must(scene.apply(&job("free", None, None)).await);
    let free = scene.json("job", "free").await;
    assert!(free["spec"]["activeDeadlineSeconds"].is_null(), "a Job of nobody is left alone");
    assert!(free["spec"]["ttlSecondsAfterFinished"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deadline_holds_against_edits_and_follows_the_session() {
    let scene = scene("deadline-edit").await;
    scene.session("main", batch(json!({"maxAge": "1h"}))).await;
    scene.reaches("main", State::Running).await;
    let deadline = async |seconds: Value| {
        let what = format!("has the deadline {seconds}");
        scene.becomes("job", "main", &what, |job| job["spec"]["activeDeadlineSeconds"] == seconds).await
    };

    let refused = edit_job(&scene, "main", json!({"activeDeadlineSeconds": 60})).await.unwrap_err();
    assert!(refused.contains("60 s is shorter than session"), "{refused}");
    assert!(refused.contains("spec.activeDeadlineSeconds"), "{refused}");
    edit_job(&scene, "main", json!({"activeDeadlineSeconds": null})).await.unwrap();
    let filled = scene.json("job", "main").await["spec"]["activeDeadlineSeconds"].clone();
    assert_eq!(filled, 3600, "what is removed is filled in before it is stored");
    edit_job(&scene, "main", json!({"activeDeadlineSeconds": 9000})).await.unwrap();
    deadline(json!(3600)).await;

    must(scene.patch("main", json!({"spec": {"culling": {"maxAge": "3h"}}})).await);
    let pods = scene.pods("main").await;
    deadline(json!(10800)).await;
    let refused = edit_job(&scene, "main", json!({"activeDeadlineSeconds": 3600})).await.unwrap_err();
    assert!(refused.contains("at least 10800 s (3h)"), "{refused}");
    assert_eq!(scene.pods("main").await, pods, "a raised deadline restarts nothing");

    must(scene.patch("main", json!({"spec": {"culling": {"maxAge": null}}})).await);
    deadline(Value::Null).await;
    must(scene.patch("main", json!({"spec": {"culling": {"maxAge": "2h"}}})).await);
    deadline(json!(7200)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deadline_survives_suspend_and_resume() {
    let scene = scene("deadline-resume").await;
    scene.session("main", batch(json!({"maxAge": "1h"}))).await;
    let first = scene.reaches("main", State::Running).await.status.unwrap().run_id;

    must(scene.patch("main", json!({"spec": {"hibernated": true}})).await);
    scene.reaches("main", State::Hibernated).await;
    let refused = edit_job(&scene, "main", json!({"suspend": false})).await.unwrap_err();
    assert!(refused.contains("stays suspended"), "{refused}");
    assert!(refused.contains("spec.hibernated"), "the way out is named: {refused}");
    // Raised while it sleeps.
    must(scene.patch("main", json!({"spec": {"culling": {"maxAge": "2h"}}})).await);

    let before = jiff::Timestamp::now();
    must(scene.patch("main", json!({"spec": {"hibernated": false}})).await);
    let resumed = scene.reaches("main", State::Running).await.status.unwrap().run_id;
    assert_ne!(resumed, first);
    let job = scene.json("job", "main").await;
    assert_eq!(job["spec"]["activeDeadlineSeconds"], 7200);
    assert_eq!(job["spec"]["suspend"], false);
    let started: jiff::Timestamp = job["status"]["startTime"].as_str().unwrap().parse().unwrap();
    assert!(
        started.as_second() >= before.as_second(),
        "the clock of the Job starts again on resume: {started}"
    );
}
