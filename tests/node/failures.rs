//! What goes wrong with real containers is named in the status of the session.

use crate::{
    objects::error,
    stage::{job, scene, script},
    support::Scene,
};
use serde_json::{Value, json};
use sojourn_crds::amalthea::State;

/// Starts a session, and waits for a state with a text.
async fn says(scene: &Scene, name: &str, spec: Value, state: State, part: &str) {
    scene.session(name, spec).await;
    let what = format!("is {state:?} and says {part:?}");
    let seen = scene
        .waits_for(name, &what, |session| {
            session.status.as_ref().is_some_and(|status| status.state == state)
                && error(session).contains(part)
        })
        .await;
    println!("{name}: {}", serde_json::to_string_pretty(&seen.status).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_of_containers_are_named() {
    let scene = scene("failures").await;
    let small = json!({"session": {"resources": {"limits": {"memory": "32Mi"}}}});
    let greedy = "exec dd if=/dev/zero of=/dev/null bs=200M count=10";
    let memory = "the container amalthea-session ran out of memory (OOMKilled)";
    let crash = "echo the disk is full >/dev/termination-log; exit 7";
    let image = json!({"session": {"image": "nowhere.example.org/nothing:1"}});
    let command = json!({"session": {"command": ["/no/such/program"]}});
    let secret = json!({"session": {"env": [
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "lost", "key": "key"}}},
    ]}});
    let closed = json!({"session": {"readinessProbe": {"type": "tcp"}}});
    tokio::join!(
        says(&scene, "greedy", script(greedy, small.clone()), State::Failed, memory),
        says(&scene, "greedy-batch", job(greedy, small), State::Failed, memory),
        says(
            &scene,
            "crashes",
            script(crash, json!({})),
            State::Failed,
            r#"could extract: "the disk is full\n""#
        ),
        says(
            &scene,
            "no-image",
            script("", image),
            State::Failed,
            "failure to retrieve image for container amalthea-session"
        ),
        says(&scene, "no-program", script("", command), State::Failed, "no such file or directory"),
        says(&scene, "no-secret", script("", secret), State::Failed, r#"secret "lost" not found"#),
        says(&scene, "never-ready", script("sleep 1000", closed), State::NotReady, ""),
    );
}
