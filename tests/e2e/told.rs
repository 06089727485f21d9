//! What people read of a session: one reason, in the table, the status and the Events.

use crate::{
    objects::{batch, condition, error},
    support::{must, scene},
};
use kube::api::DeleteParams;
use serde_json::json;
use sojourn_cluster::eventually;
use sojourn_crds::amalthea::State;

#[tokio::test(flavor = "multi_thread")]
async fn the_table_says_why_a_session_does_not_run() {
    let scene = scene("table").await;
    let huge = json!({"session": {"resources": {"requests": {"cpu": "10000"}}}});
    scene.session("main", huge).await;
    let waiting = scene
        .eventually("main", "says for what it waits", |session| {
            condition(session, "Ready", "False").is_some_and(|text| text.contains("Insufficient cpu"))
        })
        .await;
    let ready = condition(&waiting, "Ready", "False").unwrap();
    assert_eq!(ready, format!("The session is not ready: {}", error(&waiting)));
    let no_ingress = condition(&waiting, "RoutingReady", "False").unwrap();
    assert!(no_ingress.starts_with("The spec has no ingress"), "{no_ingress}");

    let table = must(scene.kubectl(&["get", "ams", "main"]).await);
    let cells: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(cells[0], ["NAME", "STATUS", "READY", "TOTAL", "AGE", "IDLE", "URL"], "{table}");
    assert_eq!(cells[1][..4], ["main", "NotReady", "0", "1"], "{table}");
    let wide = must(scene.kubectl(&["get", "ams", "main", "-o", "wide"]).await);
    assert!(wide.lines().next().unwrap().ends_with("REASON") && wide.contains(ready), "{wide}");

    must(scene.patch("main", json!({"spec": {"session": {"resources": {"requests": {"cpu": "1"}}}}})).await);
    let running = scene.reaches("main", State::Running).await;
    assert_eq!(condition(&running, "Ready", "True"), Some("The session is running"));
    must(scene.patch("main", json!({"spec": {"hibernated": true}})).await);
    scene
        .eventually("main", "says that it is hibernated", |session| {
            condition(session, "Ready", "False") == Some("The session is hibernated")
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_others_hold_says_so_and_runs_nothing() {
    let scene = scene("held").await;
    scene.session("main", json!({})).await;
    scene.session("job", batch(json!({}))).await;
    let text = "the session is being deleted, and is held by the finalizer example.org/backup";
    for name in ["main", "job"] {
        scene.reaches(name, State::Running).await;
        must(scene.patch(name, json!({"metadata": {"finalizers": ["example.org/backup"]}})).await);
        scene.api().delete(name, &DeleteParams::background()).await.unwrap();
    }
    for name in ["main", "job"] {
        scene.eventually(name, "says what holds it", |session| error(session).starts_with(text)).await;
        scene.tells(name, text).await;
        eventually(&format!("pods of {name} are gone"), async || scene.pods(name).await.is_empty())
            .await
            .unwrap();
    }
    let wide = must(scene.kubectl(&["get", "ams", "main", "-o", "wide"]).await);
    assert!(wide.contains("The session is being deleted"), "{wide}");
    // The operator still looks at it: who starts it by hand gets it stopped. What is gone stays gone.
    scene.delete("service", "main").await;
    must(scene.kubectl(&["scale", "statefulset/main", "--replicas=1"]).await);
    scene.becomes("statefulset", "main", "is stopped again", |set| set["spec"]["replicas"] == 0).await;
    assert!(scene.json("service", "main").await.is_null());
    for name in ["main", "job"] {
        must(scene.patch(name, json!({"metadata": {"finalizers": null}})).await);
        scene.session_gone(name).await;
    }
}
