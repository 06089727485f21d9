//! What the original operator left is taken over, and nobody's work is interrupted by that.

use crate::{
    objects::{PATIENCE, condition},
    support::{OPERATOR_USER, Scene, must, scene_in},
};
use kube::{
    Api, Client, Config,
    api::{Patch, PatchParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
    core::{ApiResource, DynamicObject, GroupVersionKind},
};
use serde_json::{Value, json};
use sojourn_cluster::{Cluster, eventually};
use sojourn_crds::amalthea::State;
use std::{sync::OnceLock, time::Duration};

const NAMESPACE: &str = "left-by-the-original";
/// Run of both sessions, as the original wrote it down.
const RUN: &str = "01KAHW2E9R5T6Y7V8B9N0M1K2J";
/// What the original signs its writes with.
const MANAGER: &str = "Go-http-client";

/// UIDs of the pods as the operator found them: of the interactive session, and of the batch session.
static PODS: OnceLock<(String, String)> = OnceLock::new();

fn api(client: &Client, api_version: &str, kind: &str, plural: &str) -> Api<DynamicObject> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
    Api::namespaced_with(client.clone(), NAMESPACE, &resource)
}

fn labels(name: &str) -> Value {
    json!({
        "app.kubernetes.io/name": "AmaltheaSession",
        "app.kubernetes.io/instance": name,
        "app.kubernetes.io/part-of": "amaltheasession-operator",
        "app.kubernetes.io/created-by": "controller-manager",
        "team": "blue",
    })
}

fn selector(name: &str) -> Value {
    let mut selector = labels(name);
    selector.as_object_mut().unwrap().remove("team");
    selector
}

/// The pod template of the original, for a session as [`session`] makes it.
fn template(name: &str, uid: &str, batch: bool) -> Value {
    let mut session = json!({
        "name": "amalthea-session",
        "image": "debian:12",
        "imagePullPolicy": "Always",
        "env": [{"name": "A", "value": "b"}],
        "resources": {"requests": {"cpu": "1500m", "memory": "1024Mi"}},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "securityContext": {
            "capabilities": {"drop": ["ALL"]},
            "runAsUser": 1000, "runAsGroup": 1000, "runAsNonRoot": true,
        },
        "volumeMounts": [
            {"name": "amalthea-volume", "mountPath": "/workspace"},
            {"name": "amalthea-dev-shm", "mountPath": "/dev/shm"},
        ],
    });
    if !batch {
        session["readinessProbe"] = json!({
            "tcpSocket": {"port": 8000},
            "initialDelaySeconds": 10, "periodSeconds": 5, "successThreshold": 5,
        });
    }
    let mut spec = json!({
        "enableServiceLinks": false,
        "automountServiceAccountToken": false,
        "securityContext": {"fsGroup": 1000},
        "containers": [session],
        "volumes": [
            {"name": "amalthea-volume", "persistentVolumeClaim": {"claimName": name}},
            {"name": "amalthea-dev-shm", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}},
        ],
    });
    if batch {
        spec["restartPolicy"] = json!("Never");
    }
    json!({
        "metadata": {
            "labels": labels(name),
            "annotations": {"renku.io/run_id": RUN, "renku.io/session_uid": uid},
        },
        "spec": spec,
    })
}

fn session(name: &str, batch: bool) -> Value {
    let probe = if batch { "none" } else { "tcp" };
    let mut session = json!({
        "apiVersion": "amalthea.dev/v1alpha1",
        "kind": "AmaltheaSession",
        "metadata": {"name": name},
        "spec": {
            "session": {
                "image": "debian:12",
                "env": [{"name": "A", "value": "b"}],
                "resources": {"requests": {"cpu": "1500m", "memory": "1024Mi"}},
                "shmSize": "1Gi",
                "readinessProbe": {"type": probe},
            },
            "template": {"metadata": {"labels": {"team": "blue"}}},
            // As a full update by the original leaves them.
            "culling": {"maxAge": "0s", "maxIdleDuration": "0s", "maxStartingDuration": "0s",
                        "maxFailedDuration": "0s", "maxHibernatedDuration": "0s"},
        },
    });
    if batch {
        session["spec"]["sessionType"] = json!("NonInteractive");
    } else {
        let annotations = json!({"example.org/body": "8m", "example.org/old": "x"});
        session["spec"]["ingress"] = json!({"host": "left.example.org", "annotations": annotations});
    }
    session
}

/// The children of a session, workload last.
fn children(name: &str, batch: bool, uid: &str) -> Vec<(&'static str, Value)> {
    let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    let mut children = vec![
        (
            "persistentvolumeclaims",
            json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "spec": claim}),
        ),
        (
            "secrets",
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": format!("{name}---internal")}}),
        ),
    ];
    if batch {
        let spec = json!({
            "parallelism": 1, "completions": 1, "backoffLimit": 0, "suspend": false,
            "template": template(name, uid, batch),
        });
        children.push(("jobs", json!({"apiVersion": "batch/v1", "kind": "Job", "spec": spec})));
    } else {
        let ports = json!([
            {"name": "amalthea-http", "port": 80, "targetPort": 8000, "protocol": "TCP"},
            {"name": "amalthea-http-meta", "port": 65534, "targetPort": 65534, "protocol": "TCP"},
        ]);
        let spec = json!({"selector": selector(name), "ports": ports});
        children.push(("services", json!({"apiVersion": "v1", "kind": "Service", "spec": spec})));
        let backend = json!({"service": {"name": name, "port": {"name": "amalthea-http"}}});
        let paths = json!([{"path": "/", "pathType": "Prefix", "backend": backend}]);
        let annotations = json!({"example.org/body": "8m", "example.org/old": "x"});
        children.push((
            "ingresses",
            json!({
                "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
                "metadata": {"annotations": annotations},
                "spec": {"rules": [{"host": "left.example.org", "http": {"paths": paths}}]},
            }),
        ));
        let spec = json!({
            "podManagementPolicy": "Parallel", "replicas": 1, "serviceName": "",
            "selector": {"matchLabels": selector(name)},
            "template": template(name, uid, batch),
        });
        children
            .push(("statefulsets", json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "spec": spec})));
    }
    for (plural, child) in &mut children {
        let metadata = &mut child["metadata"];
        if metadata["name"].is_null() {
            metadata["name"] = json!(name);
        }
        if matches!(*plural, "statefulsets" | "jobs") {
            metadata["annotations"] = json!({"renku.io/run_id": RUN, "renku.io/session_uid": uid});
        }
        metadata["labels"] = labels(name);
        metadata["ownerReferences"] = json!([{
            "apiVersion": "amalthea.dev/v1alpha1", "kind": "AmaltheaSession", "name": name, "uid": uid,
            "controller": true, "blockOwnerDeletion": true,
        }]);
    }
    children
}

/// A client that the webhooks leave alone, which nobody serves yet: the operator's user, with all rights.
async fn unguarded(cluster: &Cluster) -> Client {
    let mut kubeconfig = Kubeconfig::read_from(cluster.kubeconfig()).unwrap();
    for user in kubeconfig.auth_infos.iter_mut().filter_map(|user| user.auth_info.as_mut()) {
        user.impersonate = Some(OPERATOR_USER.into());
        user.impersonate_groups = Some(vec!["system:masters".into()]);
    }
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}

/// Makes two sessions that run under the original, which then goes.
pub(crate) async fn leave_by_the_original(cluster: &Cluster) {
    let client = unguarded(cluster).await;
    must(sojourn_cluster::kubectl(cluster, &["create", "namespace", NAMESPACE], None).await.unwrap());
    let sessions = api(&client, "amalthea.dev/v1alpha1", "AmaltheaSession", "amaltheasessions");
    let signed = PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() };
    for (name, batch) in [("left", false), ("left-batch", true)] {
        let object: DynamicObject = serde_json::from_value(session(name, batch)).unwrap();
        let uid = sessions.create(&signed, &object).await.unwrap().metadata.uid.unwrap();
        let status = json!({"status": {"state": "Running", "runID": RUN, "url": "None"}});
        sessions.patch_status(name, &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
        for (plural, child) in children(name, batch, &uid) {
            let kind = child["kind"].as_str().unwrap().to_owned();
            let version = child["apiVersion"].as_str().unwrap().to_owned();
            let object: DynamicObject = serde_json::from_value(child).unwrap();
            api(&client, &version, &kind, plural).create(&signed, &object).await.unwrap();
        }
    }
    let pods = api(&client, "v1", "Pod", "pods");
    let running = async |name: &str| {
        let of_session = format!("app.kubernetes.io/instance={name}");
        let list = pods.list(&kube::api::ListParams::default().labels(&of_session)).await.unwrap();
        let pod = list.items.into_iter().next()?;
        (pod.data["status"]["phase"] == "Running").then_some(pod.metadata.uid).flatten()
    };
    eventually("the original's pods run", PATIENCE, async || {
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
