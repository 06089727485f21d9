//! A batch session whose deadline hibernates it instead of failing it.

use crate::{
    objects::batch,
    support::{must, scene},
};
use serde_json::json;
use sojourn_crds::amalthea::State;

#[tokio::test(flavor = "multi_thread")]
async fn a_reached_deadline_hibernates_and_can_be_resumed_from() {
    let scene = scene("on-deadline").await;
    let culling = |culling: serde_json::Value| json!({"spec": {"culling": culling}});
    scene.session("kept", batch(json!({"maxAge": "1h"}))).await;
    scene.session("gone", batch(json!({"maxAge": "4s", "maxHibernatedDuration": "1h"}))).await;
    let running = scene.reaches("kept", State::Running).await.status.unwrap();
    let job = scene.json("job", "kept").await;
    assert_eq!(job["spec"]["activeDeadlineSeconds"], 3660, "the Job's deadline is only the backstop");
    let started: jiff::Timestamp = job["status"]["startTime"].as_str().unwrap().parse().unwrap();
    assert_eq!(running.will_hibernate_at.unwrap().0.duration_since(started).as_secs(), 3600);

    must(scene.patch("kept", culling(json!({"maxAge": "4s"}))).await);
    let asleep = scene.reaches("kept", State::Hibernated).await.status.unwrap();
    assert_eq!((asleep.error, asleep.run_id), (None, None));
    assert_eq!(scene.json("job", "kept").await["spec"]["suspend"], true);
    scene.tells("kept", "Hibernating: spec.culling.maxAge (4s) is over").await;

    let resume = json!({"spec": {"hibernated": false, "culling": {"maxAge": "1h"}}});
    must(scene.patch("kept", resume).await);
    let resumed = scene.reaches("kept", State::Running).await.status.unwrap();
    assert_ne!(resumed.run_id, running.run_id);
    must(scene.patch("kept", culling(json!({"maxAge": "4s"}))).await);
    scene.reaches("kept", State::Hibernated).await;

    scene.reaches("gone", State::Hibernated).await;
    must(scene.patch("gone", culling(json!({"maxHibernatedDuration": "4s"}))).await);
    scene.session_gone("gone").await;
    scene.gone("job", "gone").await;
    scene.tells("gone", "Deleting: spec.culling.maxHibernatedDuration (4s) is over").await;
    assert!(scene.get("kept").await.is_some(), "without maxHibernatedDuration a session stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_ends_before_the_deadline_is_no_hibernation() {
    let scene = scene("on-deadline-done").await;
    let mut ends = batch(json!({"maxAge": "1h"}));
    ends["template"] = json!({"metadata": {"annotations": {"sojourn.dev/test-complete-after": "500ms"}}});
    scene.session("done", ends).await;
    let done = scene.reaches("done", State::Succeeded).await;
    assert!(!done.spec.unwrap().hibernated);
    assert_eq!(done.status.unwrap().will_hibernate_at, None);
}
