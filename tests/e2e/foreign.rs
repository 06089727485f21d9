//! Objects of other people that have a session's name are not touched.

use crate::{
    objects::{batch, condition, error},
    support::{Scene, scene, session},
};
use serde_json::{Value, json};
use sojourn_cluster::eventually;
use sojourn_crds::amalthea::State;

/// Labels that the operator watches by, for a session of that name.
fn our_labels(name: &str) -> Value {
    json!({
        "app.kubernetes.io/name": "AmaltheaSession",
        "app.kubernetes.io/instance": name,
        "app.kubernetes.io/part-of": "amaltheasession-operator",
        "app.kubernetes.io/created-by": "controller-manager",
    })
}

fn pod_template(name: &str) -> Value {
    json!({
        "metadata": {"labels": {"theirs": name}},
        "spec": {"restartPolicy": "Always", "containers": [{"name": "theirs", "image": "busybox"}]},
    })
}

/// An object of somebody else.
fn theirs(kind: &str, name: &str) -> Value {
    match kind {
        "statefulset" => json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet",
            "spec": {"selector": {"matchLabels": {"theirs": name}}, "template": pod_template(name)},
        }),
        "job" => {
            let mut template = pod_template(name);
            template["spec"]["restartPolicy"] = json!("Never");
            json!({"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": template}})
        }
        "service" => json!({
            "apiVersion": "v1", "kind": "Service",
            "spec": {"selector": {"theirs": name}, "ports": [{"port": 4711}]},
        }),
        "pvc" => json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "3Gi"}}},
        }),
        _ => json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "spec": {"rules": [{"host": "theirs.example.org"}]},
        }),
    }
}

/// What must not change of an object.
fn substance(object: &Value) -> Value {
    let metadata = &object["metadata"];
    json!({
        "uid": metadata["uid"],
        "labels": metadata["labels"],
        "annotations": metadata["annotations"],
        "ownerReferences": metadata["ownerReferences"],
        "finalizers": metadata["finalizers"],
        "replicas": object["spec"]["replicas"],
        "ports": object["spec"]["ports"],
        "selector": object["spec"]["selector"],
        "rules": object["spec"]["rules"],
        "suspend": object["spec"]["suspend"],
        "template": object["spec"]["template"],
        "resources": object["spec"]["resources"],
    })
}

/// One session that meets a foreign object, and comes up once that is gone.
async fn meets(scene: &Scene, kind: &str, labelled: bool) {
    let name = &format!("{kind}-{}", if labelled { "ours" } else { "plain" });
    let mut manifest = theirs(kind, name);
    manifest["metadata"] = json!({"name": name, "annotations": {"theirs": "kept"}});
    if labelled {
        manifest["metadata"]["labels"] = our_labels(name);
    }
    scene.smuggle(&manifest).await;
    let settled = |object: &Value| match kind {
        "statefulset" => object["status"]["readyReplicas"] == 1,
        "job" => object["status"]["active"] == 1,
        "pvc" => object["status"]["phase"] == "Bound",
        _ => !object.is_null(),
    };
    let before = substance(&scene.becomes(kind, name, "is at work", settled).await);

    let spec = match kind {
        "job" => batch(json!({})),
        "ingress" => json!({"ingress": {"host": format!("{name}.example.org")}}),
        _ => json!({}),
    };
    scene.apply(&session(name, spec)).await;
    let told = scene
        .eventually(name, "says that the name is taken", |session| {
            condition(session, "Reconciled", "False")
                .is_some_and(|text| text.contains("does not belong to this session"))
        })
        .await;
    if matches!(kind, "statefulset" | "job" | "pvc") {
        let state = told.status.as_ref().unwrap().state;
        assert_eq!(state, State::Failed, "{kind}: a session that cannot run says so");
        assert!(error(&told).contains("does not belong to this session"), "{}", error(&told));
        assert!(scene.pods(name).await.is_empty() || labelled, "{kind}: nothing runs");
    }
    // Hibernation would scale or delete it, were it ours.
    let hibernate = json!({"spec": {"hibernated": true}});
    assert!(scene.patch(name, hibernate).await.success());
    scene
        .eventually(name, "is hibernated", |session| session.status.as_ref().unwrap().run_id.is_none())
        .await;
    assert_eq!(substance(&scene.json(kind, name).await), before, "{kind}: {name} was touched");
    assert!(scene.patch(name, json!({"spec": {"hibernated": false}})).await.success());
    scene.eventually(name, "is resumed", |session| session.status.as_ref().unwrap().run_id.is_some()).await;
    assert_eq!(substance(&scene.json(kind, name).await), before, "{kind}: {name} was touched");

    scene.delete(kind, name).await;
    eventually(&format!("{name} comes up"), async || {
        scene.get(name).await.is_some_and(|session| {
            session.status.as_ref().is_some_and(|status| status.state == State::Running)
                && condition(&session, "Reconciled", "True").is_some()
        })
    })
    .await
    .unwrap_or_else(|error| panic!("{error}"));
    let uid = scene.get(name).await.unwrap().metadata.uid;
    let made = scene.json(kind, name).await;
    assert_eq!(made["metadata"]["ownerReferences"][0]["uid"].as_str(), uid.as_deref(), "{made:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_session_would_run_or_mount_is_left_alone() {
    let scene = scene("foreign").await;
    tokio::join!(
        meets(&scene, "statefulset", false),
        meets(&scene, "statefulset", true),
        meets(&scene, "job", false),
        meets(&scene, "job", true),
        meets(&scene, "pvc", false),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_way_in_is_left_alone() {
    let scene = scene("foreign-way-in").await;
    tokio::join!(
        meets(&scene, "service", false),
        meets(&scene, "service", true),
        meets(&scene, "ingress", false),
        meets(&scene, "ingress", true),
    );
}
