//! Without the metrics API nobody is found idle, and nobody is found busy.

use crate::{
    objects::{PATIENCE, timed},
    support::{Scene, must, scene},
};
use serde_json::{Value, json};
use sojourn_cluster::{ContainerUsage, eventually, kubectl, set_pod_usage};
use sojourn_crds::amalthea::State;
use std::time::Duration;

const METRICS: &str = "customresourcedefinition/pods.metrics.k8s.io";

/// Says that the pod of `main` uses next to nothing; the answer says whether metrics are served.
async fn measure(scene: &Scene) -> bool {
    let usage = ContainerUsage { container: "amalthea-session", cpu: "1m", memory: "1Mi" };
    set_pod_usage(&scene.client, &scene.namespace, "main-0", &[usage]).await.is_ok()
}

/// Measures every second until something holds.
async fn measure_until(scene: &Scene, what: &str, holds: impl AsyncFn() -> bool) {
    eventually(what, PATIENCE, async || {
        measure(scene).await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        holds().await
    })
    .await
    .unwrap_or_else(|error| panic!("{error}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_metrics_neither_culls_nor_resets() {
    let scene = scene("outage").await;
    scene.session("main", timed(json!({"maxIdleDuration": "6s"}))).await;
    scene.reaches("main", State::Running).await;
    let status = async || scene.get("main").await.unwrap().status.unwrap();
    measure_until(&scene, "main is idle", async || status().await.idle).await;
    let idle = status().await;

    let definition =
        must(kubectl(&scene.stage.cluster, &["get", METRICS, "-o", "json"], None).await.unwrap());
    must(kubectl(&scene.stage.cluster, &["delete", METRICS], None).await.unwrap());
    let due = idle.will_hibernate_at.clone().unwrap().0;
    while jiff::Timestamp::now() < due + jiff::SignedDuration::from_secs(4) {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = status().await;
        assert_eq!(now.state, State::Running, "an outage culls nobody");
        assert_eq!((now.idle, &now.idle_since), (true, &idle.idle_since), "nor does it reset the clock");
    }

    let mut definition: Value = serde_json::from_str(&definition).unwrap();
    let metadata = definition["metadata"].as_object_mut().unwrap();
    metadata.retain(|key, _| ["name", "annotations"].contains(&key.as_str()));
    definition.as_object_mut().unwrap().remove("status");
    let text = definition.to_string();
    must(kubectl(&scene.stage.cluster, &["create", "-f", "-"], Some(&text)).await.unwrap());
    measure_until(&scene, "main is hibernated", async || status().await.state == State::Hibernated).await;
}
