//! An interactive session from its first start to its end.

use crate::{
    objects::error,
    stage::{is, scene, script},
    support::must,
};
use serde_json::json;
use sojourn_crds::amalthea::State;

/// Serves its claim over HTTP, and ends when it is asked to.
const SERVER: &str = "trap 'exit 0' TERM; echo serving; httpd -f -p 8000 -h /workspace & wait";

#[tokio::test(flavor = "multi_thread")]
async fn a_session_serves_sleeps_without_a_pod_and_comes_back_with_its_files() {
    let scene = scene("serves").await;
    // With the probe that sessions have by default.
    let probed = json!({"session": {"readinessProbe": {"type": "tcp"}}});
    scene.session("main", script(SERVER, probed)).await;
    let first = scene.eventually("main", "runs", is(State::Running)).await;
    assert_eq!(error(&first), "");
    let counts = first.status.as_ref().unwrap().container_counts;
    assert_eq!((counts.ready, counts.total), (1, 1));

    let write = "id -u; id -g; echo kept > /workspace/file.txt";
    let who = must(scene.kubectl(&["exec", "main-0", "--", "sh", "-c", write]).await);
    assert_eq!(who, "1000\n1000\n");
    assert_eq!(must(scene.kubectl(&["logs", "main-0"]).await), "serving\n");
    scene.answers("main", "/file.txt", "kept\n").await;

    must(scene.patch("main", json!({"spec": {"hibernated": true}})).await);
    scene.eventually("main", "hibernates", is(State::Hibernated)).await;
    scene.gone("pod", "main-0").await;
    assert_eq!(scene.answer("main", "/file.txt").await, "");

    must(scene.patch("main", json!({"spec": {"hibernated": false}})).await);
    let second = scene.eventually("main", "runs again", is(State::Running)).await;
    assert_ne!(first.status.unwrap().run_id, second.status.unwrap().run_id);
    scene.answers("main", "/file.txt", "kept\n").await;

    must(scene.kubectl(&["delete", "ams", "main"]).await);
    for (kind, name) in [("statefulset", "main"), ("pod", "main-0"), ("pvc", "main"), ("service", "main")] {
        scene.gone(kind, name).await;
    }
}
