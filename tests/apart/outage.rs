//! Without the metrics API nobody is found idle, and nobody is found busy.

use crate::{
    objects::timed,
    support::{Scene, must, scene},
};
use jiff::{SignedDuration, Timestamp};
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
    eventually(what, async || {
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
    scene.session("main", timed(json!({"maxIdleDuration": "1h"}))).await;
    scene.reaches("main", State::Running).await;
    let status = async || scene.get("main").await.unwrap().status.unwrap();
    measure_until(&scene, "main is idle", async || status().await.idle).await;
    let idle = status().await;

    let definition =
        must(kubectl(&scene.stage.cluster, &["get", METRICS, "-o", "json"], None).await.unwrap());
    // Over in a while: time enough for the metrics to be gone before.
    let since = idle.idle_since.clone().unwrap().0;
    let longest = Timestamp::now().duration_since(since).as_secs() + 15;
    let shorter = json!({"spec": {"culling": {"maxIdleDuration": format!("{longest}s")}}});
    must(scene.patch("main", shorter).await);
    must(kubectl(&scene.stage.cluster, &["delete", METRICS], None).await.unwrap());
    while Timestamp::now() < since + SignedDuration::from_secs(longest + 4) {
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
