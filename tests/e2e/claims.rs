//! The claims of sessions: put back, lost, and asked to be what they cannot become.

use crate::{
    objects::{condition, error},
    support::{Scene, must, scene},
};
use serde_json::{Value, json};
use sojourn_crds::amalthea::State;

/// What must not change of a claim.
fn substance(claim: &Value) -> Value {
    let metadata = &claim["metadata"];
    json!([metadata["uid"], metadata["labels"], metadata["annotations"], metadata["ownerReferences"], claim["spec"]])
}

/// The claim as an export puts it back: the same, without what the cluster gave it and without its owner.
fn exported(claim: &Value) -> Value {
    json!({
        "metadata": {"name": claim["metadata"]["name"], "labels": claim["metadata"]["labels"]},
        "spec": {
            "accessModes": claim["spec"]["accessModes"],
            "resources": claim["spec"]["resources"],
        },
    })
}

async fn bound(scene: &Scene, name: &str) -> Value {
    scene.becomes("pvc", name, "is bound", |claim| claim["status"]["phase"] == "Bound").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_is_put_back_is_used_and_stays() {
    let scene = scene("claim-restored").await;
    scene.session("main", json!({})).await;
    scene.reaches("main", State::Running).await;
    let export = exported(&bound(&scene, "main").await);
    scene.delete_session("main").await;
    scene.gone("pvc", "main").await;

    scene.create("pvc", export.clone()).await;
    let before = substance(&bound(&scene, "main").await);
    scene.session("main", json!({})).await;
    let running = scene.reaches("main", State::Running).await;
    assert!(condition(&running, "Reconciled", "True").is_some());
    scene.delete_session("main").await;
    scene.gone("statefulset", "main").await;
    assert_eq!(substance(&scene.json("pvc", "main").await), before);

    // One that does not say for whom it is needs a word of whoever may change it.
    let mut plain = export;
    plain["metadata"] = json!({"name": "plain"});
    scene.create("pvc", plain).await;
    bound(&scene, "plain").await;
    scene.session("plain", json!({})).await;
    let refused = scene.reaches("plain", State::Failed).await;
    let told = error(&refused);
    let label = told.split("kubectl ").nth(1).unwrap_or_else(|| panic!("no way out in {told:?}"));
    must(scene.kubectl(&label.split(' ').collect::<Vec<_>>()).await);
    scene.reaches("plain", State::Running).await;
}
