//! Which changes of a spec reach a session that runs, and what becomes of its Ingress and its data sources.

use crate::{
    objects::{acting, condition, is_observed},
    support::{Scene, must, scene},
};
use serde_json::{Value, json};
use sojourn_cluster::{eventually, kubectl};
use sojourn_crds::amalthea::{AmaltheaSession, State};

fn memory(request: &str) -> Value {
    json!({"session": {"resources": {"requests": {"memory": request}}}})
}

/// Asks for more memory, and waits until the operator has seen that.
async fn grow(scene: &Scene, name: &str, request: &str) {
    must(scene.patch(name, json!({"spec": memory(request)})).await);
    scene.eventually(name, "has seen the change", is_observed).await;
}

async fn pod_memory(scene: &Scene, name: &str) -> Value {
    let pod = scene.json("pod", &format!("{name}-0")).await;
    pod["spec"]["containers"][0]["resources"]["requests"]["memory"].clone()
}

async fn start(scene: &Scene, name: &str, strategy: &str) -> String {
    let mut spec = memory("64Mi");
    spec["reconcileStrategy"] = json!(strategy);
    scene.session(name, spec).await;
    scene.reaches(name, State::Running).await;
    assert_eq!(pod_memory(scene, name).await, "64Mi");
    scene.pod_uid(name).await
}

#[tokio::test(flavor = "multi_thread")]
async fn always_replaces_the_pod_and_never_leaves_it() {
    let scene = scene("strategy").await;
    let (replaced, left) = (start(&scene, "always", "always").await, start(&scene, "never", "never").await);
    let revision = async || scene.json("statefulset", "never").await["metadata"]["generation"].clone();
    let before = revision().await;
    grow(&scene, "always", "128Mi").await;
    grow(&scene, "never", "128Mi").await;

    eventually("the pod is replaced", async || pod_memory(&scene, "always").await == "128Mi").await.unwrap();
    assert_ne!(scene.pod_uid("always").await, replaced);
    scene.reaches("always", State::Running).await;
    assert_eq!(revision().await, before, "nothing was written to the StatefulSet");
    assert_eq!(scene.pod_uid("never").await, left);

    // Stopping and starting works under every strategy; what was held back stays held back.
    must(scene.patch("never", json!({"spec": {"hibernated": true}})).await);
    scene.reaches("never", State::Hibernated).await;
    scene.gone("pod", "never-0").await;
    must(scene.patch("never", json!({"spec": {"hibernated": false}})).await);
    scene.reaches("never", State::Running).await;
    assert_eq!(pod_memory(&scene, "never").await, "64Mi");
}

/// W26: the original leaves these as they were when the session was first started.
#[tokio::test(flavor = "multi_thread")]
async fn every_field_of_the_pod_can_be_changed_and_dropped() {
    let scene = scene("strategy-pod").await;
    for name in ["one", "two"] {
        must(scene.kubectl(&["create", "serviceaccount", name]).await);
    }
    let fields = |account: &str, group: i64| {
        json!({"serviceAccountName": account, "imagePullSecrets": [{"name": account}],
               "session": {"runAsGroup": group}})
    };
    let pod = async |name: &str| {
        let spec = &scene.json("pod", &format!("{name}-0")).await["spec"];
        json!([spec["serviceAccountName"], spec["imagePullSecrets"], spec["securityContext"]["fsGroup"]])
    };
    scene.session("main", fields("one", 100)).await;
    scene.reaches("main", State::Running).await;
    assert_eq!(pod("main").await, json!(["one", [{"name": "one"}], 100]));
    must(scene.patch("main", json!({"spec": fields("two", 200)})).await);
    let expected = json!(["two", [{"name": "two"}], 200]);
    eventually("the pod has the other fields", async || pod("main").await == expected).await.unwrap();
    let none = json!({"spec": {"serviceAccountName": null, "imagePullSecrets": null}});
    must(scene.patch("main", none).await);
    let expected = json!(["default", null, 200]);
    let gone = eventually("the pod has them no more", async || pod("main").await == expected).await;
    assert!(gone.is_ok(), "{:#}", scene.json("statefulset", "main").await);
    scene.reaches("main", State::Running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_waits_for_hibernation_when_told_to() {
    let scene = scene("strategy-wait").await;
    let left = start(&scene, "main", "whenFailedOrHibernated").await;
    grow(&scene, "main", "128Mi").await;
    assert_eq!(scene.pod_uid("main").await, left);
    assert_eq!(pod_memory(&scene, "main").await, "64Mi");
    must(scene.patch("main", json!({"spec": {"hibernated": true}})).await);
    scene.reaches("main", State::Hibernated).await;
    scene.gone("pod", "main-0").await;
    must(scene.patch("main", json!({"spec": {"hibernated": false}})).await);
    scene.reaches("main", State::Running).await;
    assert_eq!(pod_memory(&scene, "main").await, "128Mi");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_waits_although_another_child_cannot_be_written() {
    let scene = scene("strategy-quota").await;
    let left = start(&scene, "main", "whenFailedOrHibernated").await;
    grow(&scene, "main", "128Mi").await;
    let quota = json!({"metadata": {"name": "none"}, "spec": {"hard": {"services": "0"}}});
    scene.create("resourcequota", quota).await;
    scene.becomes("resourcequota", "none", "counts", |quota| !quota["status"]["hard"].is_null()).await;
    scene.delete("service", "main").await;
    let says_so = |session: &AmaltheaSession| {
        condition(session, "Reconciled", "False").is_some_and(|text| text.contains("exceeded quota"))
    };
    scene.eventually("main", "says what is in the way", says_so).await;
    // The operator looks again, at what is on record by now.
    grow(&scene, "main", "256Mi").await;
    scene.eventually("main", "still says so", says_so).await;
    assert_eq!(scene.pod_uid("main").await, left);
    assert_eq!(pod_memory(&scene, "main").await, "64Mi");

    must(scene.kubectl(&["delete", "resourcequota", "none"]).await);
    must(scene.patch("main", json!({"spec": {"hibernated": true}})).await);
    scene.reaches("main", State::Hibernated).await;
    must(scene.patch("main", json!({"spec": {"hibernated": false}})).await);
    scene.reaches("main", State::Running).await;
    assert_eq!(pod_memory(&scene, "main").await, "256Mi");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_reaches_a_failed_session_at_once() {
    let scene = scene("strategy-failed").await;
    let mut spec = acting(json!({"sojourn.dev/test-pod": "crash-loop"}), memory("64Mi"));
    spec["reconcileStrategy"] = json!("whenFailedOrHibernated");
    scene.session("main", spec).await;
    scene.reaches("main", State::Failed).await;
    let mended = json!({"template": {"metadata": {"annotations": {"sojourn.dev/test-pod": null}}}});
    must(scene.patch("main", json!({"spec": mended})).await);
    scene.reaches("main", State::Running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ingress_comes_and_goes_with_its_spec_and_with_hibernation() {
    let scene = scene("ingress").await;
    scene.session("main", json!({})).await;
    let first = scene.reaches("main", State::Running).await.status.unwrap();
    assert_eq!(first.url.as_deref(), Some("None"));
    let pod = scene.pod_uid("main").await;

    must(scene.patch("main", json!({"spec": {"ingress": {"host": "main.example.org"}}})).await);
    scene.becomes("ingress", "main", "is there", |ingress| !ingress.is_null()).await;
    let url = |url: &'static str| {
        move |session: &sojourn_crds::amalthea::AmaltheaSession| {
            session.status.as_ref().is_some_and(|status| status.url.as_deref() == Some(url))
        }
    };
    scene.eventually("main", "has a URL", url("http://main.example.org/")).await;

    must(scene.patch("main", json!({"spec": {"hibernated": true}})).await);
    let asleep = scene.reaches("main", State::Hibernated).await;
    let routing = condition(&asleep, "RoutingReady", "False");
    assert!(routing.is_some_and(|text| text.contains("hibernated")), "{routing:?}");
    scene.gone("ingress", "main").await;
    scene.gone("pod", "main-0").await;
    must(scene.patch("main", json!({"spec": {"hibernated": false}})).await);
    scene.reaches("main", State::Running).await;
    scene.becomes("ingress", "main", "is back", |ingress| !ingress.is_null()).await;

    let resumed = scene.pod_uid("main").await;
    assert_ne!(resumed, pod);
    must(scene.patch("main", json!({"spec": {"ingress": null}})).await);
    scene.gone("ingress", "main").await;
    let without = scene.eventually("main", "has no URL", url("None")).await;
    let routing = without.status.unwrap().conditions.into_iter().find(|c| c.kind == "RoutingReady").unwrap();
    assert_eq!((routing.status.as_str(), routing.reason.as_deref()), ("False", Some("IngressDeleted")));
    assert_eq!(scene.pod_uid("main").await, resumed, "ways in do not restart what runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_class_that_the_cluster_gave_an_ingress_stays() {
    let scene = scene("class").await;
    let class = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": "usual", "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}},
        "spec": {"controller": "example.org/none"},
    });
    must(kubectl(&scene.stage.cluster, &["apply", "-f", "-"], Some(&class.to_string())).await.unwrap());
    // The API server learns of the class a moment later; until then it gives none.
    let attempts = tokio::sync::Mutex::new(0);
    eventually("the class is given", async || {
        let mut attempt = attempts.lock().await;
        *attempt += 1;
        let name = &format!("main-{attempt}");
        let host = json!({"ingress": {"host": format!("{name}.example.org")}});
        scene.session(name, host).await;
        let made = scene.becomes("ingress", name, "is there", |ingress| !ingress.is_null()).await;
        made["spec"]["ingressClassName"] == "usual"
    })
    .await
    .unwrap();
    let name = &format!("main-{}", attempts.into_inner());
    scene.reaches(name, State::Running).await;
    let annotated = json!({"spec": {"ingress": {"annotations": {"example.org/size": "8m"}}}});
    must(scene.patch(name, annotated).await);
    let changed = scene
        .becomes("ingress", name, "is annotated", |ingress| {
            ingress["metadata"]["annotations"]["example.org/size"] == "8m"
        })
        .await;
    assert_eq!(changed["spec"]["ingressClassName"], "usual");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_claim_of_a_data_source_goes_when_the_spec_drops_it() {
    let scene = scene("data-sources").await;
    let class = json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
        "metadata": {"name": "csi-rclone-secret-annotation"},
        "provisioner": "kubernetes.io/host-path",
    });
    must(kubectl(&scene.stage.cluster, &["apply", "-f", "-"], Some(&class.to_string())).await.unwrap());
    let source = |name: &str| json!({"mountPath": format!("/{name}"), "accessMode": "ReadWriteOnce", "secretRef": {"name": name}});
    scene.session("main", json!({"dataSources": [source("kept"), source("dropped")]})).await;
    scene.reaches("main", State::Running).await;
    let (pod, files) = (scene.pod_uid("main").await, scene.json("pvc", "main").await);

    must(scene.patch("main", json!({"spec": {"dataSources": [source("kept")]}})).await);
    scene.gone("pvc", "amalthea-main-ds-1").await;
    scene.reaches("main", State::Running).await;
    assert_ne!(scene.pod_uid("main").await, pod, "the pod that mounted it ended first");
    let claim = |claim: &Value| claim["metadata"]["uid"].clone();
    assert_eq!(claim(&scene.json("pvc", "main").await), claim(&files));
    assert_eq!(scene.json("pvc", "amalthea-main-ds-0").await["status"]["phase"], "Bound");
}
