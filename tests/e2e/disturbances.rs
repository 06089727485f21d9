//! What people and nodes do to sessions at bad moments.

use crate::{
    objects::{acting, batch, condition},
    support::{must, scene},
};
use kube::api::DeleteParams;
use serde_json::json;
use sojourn_cluster::eventually;
use sojourn_crds::amalthea::State;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_resumed_while_its_pod_ends_gets_a_new_one() {
    let scene = scene("dying-pod").await;
    scene.session("main", acting(json!({"sojourn.dev/test-stop-delay": "12s"}), json!({}))).await;
    let first = scene.reaches("main", State::Running).await.status.unwrap().run_id;
    let pod = scene.pod_uid("main").await;
    must(scene.patch("main", json!({"spec": {"hibernated": true}})).await);
    let asleep = scene.reaches("main", State::Hibernated).await;
    let ready = condition(&asleep, "Ready", "False").unwrap();
    assert!(ready.contains("its pod is still ending"), "{ready}");
    scene.becomes("pod", "main-0", "is ending", |pod| !pod["metadata"]["deletionTimestamp"].is_null()).await;

    must(scene.patch("main", json!({"spec": {"hibernated": false}})).await);
    let awake = scene
        .eventually("main", "runs again", |session| {
            session.status.as_ref().is_some_and(|status| {
                status.state == State::Running && status.run_id.is_some() && status.run_id != first
            })
        })
        .await;
    assert_ne!(scene.pod_uid("main").await, pod, "the old pod is not taken for the new one");
    let annotations = scene.json("pod", "main-0").await["metadata"]["annotations"].clone();
    assert_eq!(annotations["renku.io/run_id"].as_str(), awake.status.unwrap().run_id.as_deref());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_by_kubectl_happens_once() {
    let scene = scene("restart").await;
    scene.session("main", json!({})).await;
    scene.reaches("main", State::Running).await;
    let before = scene.pod_uid("main").await;
    must(scene.kubectl(&["rollout", "restart", "statefulset/main"]).await);
    eventually("the pod is replaced", async || {
        let now = scene.pod_uid("main").await;
        !now.is_empty() && now != before
    })
    .await
    .unwrap();
    scene.reaches("main", State::Running).await;
    let restarted = scene.pod_uid("main").await;
    let revision = scene.json("statefulset", "main").await["metadata"]["generation"].clone();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(scene.pod_uid("main").await, restarted);
    assert_eq!(scene.json("statefulset", "main").await["metadata"]["generation"], revision);
}

#[tokio::test(flavor = "multi_thread")]
async fn children_that_somebody_deletes_or_bends_come_back() {
    let scene = scene("vandal").await;
    scene.session("main", json!({"ingress": {"host": "vandal.example.org"}})).await;
    scene.reaches("main", State::Running).await;
    for (kind, name) in [("service", "main"), ("ingress", "main"), ("secret", "main---internal")] {
        let uid = scene.json(kind, name).await["metadata"]["uid"].clone();
        scene.delete(kind, name).await;
        let back =
            scene.becomes(kind, name, "is back", |it| !it.is_null() && it["metadata"]["uid"] != uid).await;
        let kind = back["kind"].as_str().unwrap().to_owned();
        let text =
            format!("ChildRestored: The {kind} {name} was deleted by another client, and was created again");
        scene.tells("main", &text).await;
    }
    for _ in 0..3 {
        must(scene.kubectl(&["scale", "statefulset/main", "--replicas=0"]).await);
        scene.becomes("statefulset", "main", "is scaled back", |set| set["spec"]["replicas"] == 1).await;
    }
    let text = "The StatefulSet main was changed by another client (spec.replicas), and was changed back";
    scene.tells("main", text).await;
    let told = scene.events("main").await.into_iter().filter(|event| event.contains(text)).count();
    assert_eq!(told, 1, "two clients that write to one child do not fill the API server");
    let port = json!([{"op": "replace", "path": "/spec/ports/0/targetPort", "value": 1}]).to_string();
    must(scene.kubectl(&["patch", "service", "main", "--type=json", "-p", &port]).await);
    scene
        .becomes("service", "main", "is bent back", |service| {
            service["spec"]["ports"][0]["targetPort"] == 8000
        })
        .await;
    // The StatefulSet itself: the session starts again, in the same run.
    let run = scene.get("main").await.unwrap().status.unwrap().run_id;
    let pod = scene.pod_uid("main").await;
    scene.delete("statefulset", "main").await;
    eventually("there is a new pod", async || {
        let now = scene.pod_uid("main").await;
        !now.is_empty() && now != pod
    })
    .await
    .unwrap();
    assert_eq!(scene.reaches("main", State::Running).await.status.unwrap().run_id, run);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_session_leaves_nothing_whatever_it_was_doing() {
    let scene = scene("leaving").await;
    let memory = json!({"session": {"resources": {"requests": {"cpu": "10000"}}}});
    scene.session("running", json!({"ingress": {"host": "leaving.example.org"}})).await;
    scene.session("waiting", memory).await;
    scene.session("job", batch(json!({"maxAge": "1h"}))).await;
    scene.session("asleep", batch(json!({"maxAge": "1h"}))).await;
    scene.reaches("running", State::Running).await;
    scene.reaches("job", State::Running).await;
    scene.reaches("asleep", State::Running).await;
    must(scene.patch("asleep", json!({"spec": {"hibernated": true}})).await);
    scene.reaches("asleep", State::Hibernated).await;

    scene.api().delete("running", &DeleteParams::foreground()).await.unwrap();
    scene.api().delete("job", &DeleteParams::foreground()).await.unwrap();
    for name in ["waiting", "asleep"] {
        scene.delete_session(name).await;
    }
    for name in ["running", "job"] {
        scene.session_gone(name).await;
    }
    for name in ["running", "waiting", "job", "asleep"] {
        for kind in ["statefulset", "job", "service", "ingress", "pvc"] {
            scene.gone(kind, name).await;
        }
        eventually(&format!("pods of {name} are gone"), async || scene.pods(name).await.is_empty())
            .await
            .unwrap();
    }
    // The name is free for a new session.
    scene.session("running", json!({})).await;
    scene.reaches("running", State::Running).await;
}
