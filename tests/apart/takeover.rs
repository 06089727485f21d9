//! What the original operator left is taken over, and nobody's work is interrupted by that.

use crate::{
    objects::condition,
    original::{MANAGER, Original, RUN},
    support::{Scene, must, scene_in},
};
use serde_json::{Value, json};
use sojourn_cluster::{Cluster, eventually};
use sojourn_crds::amalthea::State;
use std::{sync::OnceLock, time::Duration};

const NAMESPACE: &str = "left-by-the-original";
const ORIGINAL: Original = Original {
    namespace: NAMESPACE,
    image: "debian:12",
    policy: "Always",
    command: &[],
    requests: ("1500m", "1024Mi"),
    proxy: None,
};

/// UIDs of the pods as the operator found them: of the interactive session, and of the batch session.
static PODS: OnceLock<(String, String)> = OnceLock::new();

/// Makes two sessions that run under the original, which then goes.
pub(crate) async fn leave_by_the_original(cluster: &Cluster) {
    let client = &ORIGINAL.leave(cluster).await;
    let running = async |name: &str| ORIGINAL.running_pod(client, name).await.map(|(uid, _)| uid);
    eventually("the original's pods run", async || {
        running("left").await.is_some() && running("left-batch").await.is_some()
    })
    .await
    .unwrap();
    PODS.set((running("left").await.unwrap(), running("left-batch").await.unwrap())).unwrap();
}

/// Who else than controllers of Kubernetes has a say in the object's fields.
fn writers(object: &Value) -> Vec<(&str, &str)> {
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    let ours = entries.iter().filter(|entry| entry["subresource"].is_null());
    ours.filter_map(|entry| Some((entry["manager"].as_str()?, entry["operation"].as_str()?)))
        .filter(|(manager, _)| [MANAGER, "sojourn"].contains(manager))
        .collect()
}

async fn settled(scene: &Scene, name: &str) {
    let session = scene
        .eventually(name, "is taken over", |session| {
            condition(session, "Reconciled", "True").is_some()
                && session.status.as_ref().is_some_and(|status| status.state == State::Running)
        })
        .await;
    assert_eq!(session.status.unwrap().run_id.as_deref(), Some(RUN), "the run goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_session_of_the_original_goes_on_running() {
    let scene = scene_in(NAMESPACE).await;
    settled(&scene, "left").await;
    let kinds = ["statefulset", "service", "ingress", "pvc"];
    for kind in kinds {
        let taken = scene
            .becomes(kind, "left", "is on record", |object| {
                !object["metadata"]["annotations"]["sojourn.dev/applied"].is_null()
            })
            .await;
        assert_eq!(writers(&taken), [("sojourn", "Apply")], "{kind}");
        assert!(taken["metadata"]["generation"].as_i64().is_none_or(|it| it == 1), "{kind}: {taken:#}");
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(scene.pods("left").await, [PODS.get().unwrap().0.clone()], "the pod was not restarted");

    // What the original wrote and the spec has no more goes.
    let without = json!({"spec": {"ingress": {"annotations": {"example.org/old": null}}}});
    must(scene.patch("left", without).await);
    let ingress = scene
        .becomes("ingress", "left", "has lost the annotation", |ingress| {
            ingress["metadata"]["annotations"]["example.org/old"].is_null()
        })
        .await;
    assert_eq!(ingress["metadata"]["annotations"]["example.org/body"], "8m");
    assert_eq!(scene.pods("left").await, [PODS.get().unwrap().0.clone()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_job_of_the_original_goes_on_running() {
    let scene = scene_in(NAMESPACE).await;
    settled(&scene, "left-batch").await;
    let job = scene
        .becomes("job", "left-batch", "is on record", |job| {
            !job["metadata"]["annotations"]["sojourn.dev/applied"].is_null()
        })
        .await;
    assert_eq!(writers(&job), [("sojourn", "Apply")]);
    let finalizers = job["metadata"]["finalizers"].as_array().unwrap();
    assert!(finalizers.contains(&json!("sojourn.dev/result")), "its result will not be lost");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(scene.pods("left-batch").await, [PODS.get().unwrap().1.clone()], "the Job was not run again");

    must(scene.patch("left-batch", json!({"spec": {"hibernated": true}})).await);
    scene.reaches("left-batch", State::Hibernated).await;
    assert_eq!(scene.json("job", "left-batch").await["spec"]["suspend"], true);
}
