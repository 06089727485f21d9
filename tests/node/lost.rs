//! A node whose kubelet is heard of no more, and then again. It is the only one, so the operator is on it too. On a
//! cluster of its own, as everybody notices.

use crate::{
    objects::error,
    stage::{scene_apart, script},
    support::must,
};
use serde_json::{Value, json};
use sojourn_crds::amalthea::{AmaltheaSession, State};

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_node_is_told_and_the_session_comes_back_with_it() {
    let scene = scene_apart("lost-node").await;
    // Its files stay through all of this.
    let count = "echo life >>/workspace/lives; sleep 1000";
    scene.session("main", script(count, json!({}))).await;
    let is = |state: State, part: &'static str| {
        move |session: &AmaltheaSession| {
            session.status.as_ref().is_some_and(|status| status.state == state)
                && error(session).contains(part)
        }
    };
    scene.eventually("main", "runs", is(State::Running, "")).await;
    let pod = scene.json("pod", "main-0").await["metadata"]["uid"].clone();

    let silent = scene.stage.cluster.freeze("kubelet").unwrap();
    let told = "the node that the session runs on does not answer";
    scene.eventually("main", "says so", is(State::NotReady, told)).await;
    // Somebody gives it up, and nobody is there to confirm the end of its pod.
    must(scene.kubectl(&["delete", "pod", "main-0", "--wait=false"]).await);
    let way_out = "an administrator has to remove the node";
    scene.eventually("main", "says how it goes on", is(State::NotReady, way_out)).await;
    let described = must(scene.kubectl(&["describe", "ams", "main"]).await);
    assert!(described.contains(way_out), "{described}");

    drop(silent);
    let another = |now: &Value| now["metadata"]["uid"].is_string() && now["metadata"]["uid"] != pod;
    scene.becomes("pod", "main-0", "is another one", another).await;
    let session = scene.eventually("main", "runs again", is(State::Running, "")).await;
    assert_eq!(error(&session), "");
    let lives = must(scene.kubectl(&["exec", "main-0", "--", "cat", "/workspace/lives"]).await);
    assert_eq!(lives, "life\nlife\n");
}
