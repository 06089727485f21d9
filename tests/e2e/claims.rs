//! The claims of sessions: put back, lost, and asked to be what they cannot become.

use crate::{
    objects::{condition, error},
    support::{Scene, must, scene},
};
use serde_json::{Value, json};
use sojourn_crds::amalthea::{AmaltheaSession, State};

/// What must not change of a claim.
fn substance(claim: &Value) -> Value {
    let metadata = &claim["metadata"];
    json!([
        metadata["uid"],
        metadata["labels"],
        metadata["annotations"],
        metadata["ownerReferences"],
        claim["spec"]
    ])
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

#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_claim_was_lost_waits_for_a_decision() {
    let scene = scene("claim-lost").await;
    scene.session("main", json!({})).await;
    scene.reaches("main", State::Running).await;
    let claim = bound(&scene, "main").await["metadata"]["uid"].clone();
    must(scene.patch("main", json!({"spec": {"hibernated": true}})).await);
    scene.reaches("main", State::Hibernated).await;
    scene.gone("pod", "main-0").await;
    scene.delete("pvc", "main").await;
    let lost = |session: &AmaltheaSession| {
        condition(session, "FilesKept", "False").is_some_and(|text| text.contains("was deleted"))
    };
    scene.eventually("main", "says that the files are lost", lost).await;
    scene.tells("main", "FilesLost: The claim main with the files of the session was deleted").await;

    must(scene.patch("main", json!({"spec": {"hibernated": false}})).await);
    let failed = scene.reaches("main", State::Failed).await;
    assert!(error(&failed).contains("was deleted"), "{}", error(&failed));
    assert!(scene.json("pvc", "main").await.is_null(), "an empty disk took its place");
    assert!(scene.json("pod", "main-0").await.is_null());

    let told = condition(&failed, "FilesKept", "False").unwrap().to_owned();
    let accept = told.split("kubectl ").nth(1).unwrap_or_else(|| panic!("no way out in {told:?}"));
    must(scene.kubectl(&accept.split(' ').collect::<Vec<_>>()).await);
    let running = scene.reaches("main", State::Running).await;
    assert!(condition(&running, "FilesKept", "True").is_some());
    assert_ne!(scene.json("pvc", "main").await["metadata"]["uid"], claim);
}

/// A pod that uses it keeps it until then.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_is_deleted_under_its_session_is_told_while_the_files_can_be_copied() {
    let scene = scene("claim-deleting").await;
    scene.session("main", json!({})).await;
    scene.reaches("main", State::Running).await;
    bound(&scene, "main").await;
    scene.delete("pvc", "main").await;
    scene.tells("main", "FilesLost: The claim main is being deleted").await;
    assert_eq!(scene.get("main").await.unwrap().status.unwrap().state, State::Running);
    must(scene.patch("main", json!({"spec": {"hibernated": true}})).await);
    scene.tells("main", "FilesLost: The claim main with the files of the session was deleted").await;
    assert!(scene.json("pvc", "main").await.is_null());
    let events = scene.events("main").await;
    assert!(!events.iter().any(|event| event.contains("files are kept")), "{events:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_claim_cannot_become_is_told_once_and_stays_said() {
    let scene = scene("claim-fixed").await;
    scene.session("main", json!({"session": {"storage": {"size": "2Gi"}}})).await;
    scene.reaches("main", State::Running).await;
    let before = substance(&bound(&scene, "main").await);
    let smaller = json!({"spec": {"session": {"storage": {"size": "1Gi", "className": "other"}}}});
    must(scene.patch("main", smaller).await);
    let (size, class) =
        ("session.storage.size is 1Gi, and the claim main has 2Gi", "session.storage.className is other");
    let told = |session: &AmaltheaSession| {
        condition(session, "Reconciled", "False")
            .is_some_and(|text| text.contains(size) && text.contains(class))
    };
    scene.eventually("main", "says what stays", told).await;
    scene.tells("main", &format!("Unchangeable: spec.{size}")).await;
    must(scene.patch("main", json!({"spec": {"hibernated": true}})).await);
    assert!(told(&scene.reaches("main", State::Hibernated).await));
    must(scene.patch("main", json!({"spec": {"hibernated": false}})).await);
    assert!(told(&scene.reaches("main", State::Running).await));
    assert_eq!(substance(&scene.json("pvc", "main").await), before, "nothing was asked of the claim");
    let events = scene.events("main").await;
    let count = |reason: &str| events.iter().filter(|event| event.starts_with(reason)).count();
    assert_eq!((count("Unchangeable"), count("Failed")), (1, 0), "{events:#?}");
}
