//! A session takes adopted secrets along when it goes, and only what its requester could have deleted.

use crate::support::{Scene, must, scene, session};
use serde_json::{Value, json};
use sojourn_cluster::eventually;
use sojourn_crds::amalthea::State;

async fn secret(scene: &Scene, name: &str) {
    scene.create("secret", json!({"metadata": {"name": name}, "stringData": {"a": "b"}})).await;
}

fn pulls(names: &[(&str, bool)]) -> Value {
    let references: Vec<Value> =
        names.iter().map(|(name, adopt)| json!({"name": name, "adopt": adopt})).collect();
    json!({"imagePullSecrets": references})
}

#[tokio::test(flavor = "multi_thread")]
async fn adopted_secrets_go_and_others_stay() {
    let scene = scene("adopt").await;
    for name in ["mine", "theirs", "common"] {
        secret(&scene, name).await;
    }
    // Somebody else's, whatever the spec says: it has a controller of its own.
    let config = must(scene.kubectl(&["create", "configmap", "owner", "-o", "json"]).await);
    let config: Value = serde_json::from_str(&config).unwrap();
    let owner = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "controller": true,
                        "uid": config["metadata"]["uid"]}]);
    scene.create("secret", json!({"metadata": {"name": "controlled", "ownerReferences": owner}})).await;

    let all = [("mine", true), ("theirs", false), ("common", true), ("controlled", true)];
    scene.session("first", pulls(&all)).await;
    scene.session("second", pulls(&[("common", true)])).await;
    scene.reaches("first", State::Running).await;
    scene.reaches("second", State::Running).await;

    scene.delete_session("first").await;
    scene.gone("secret", "mine").await;
    scene.gone("statefulset", "first").await;
    for name in ["theirs", "common", "controlled"] {
        let kept = scene.json("secret", name).await;
        assert!(!kept.is_null() && kept["metadata"]["deletionTimestamp"].is_null(), "{name} stays");
    }
    scene.tells("first", "SecretKept: The adopted secret common stays: other sessions refer to it").await;
    scene.tells("first", "SecretKept: The adopted secret controlled stays").await;
    scene.delete_session("second").await;
    scene.gone("secret", "common").await;
}

/// Applies as somebody who was allowed to a moment ago, which the authorizer learns a moment later.
async fn admitted(scene: &Scene, user: &str, manifest: &Value) {
    let apply = async || scene.kubectl_as(user, &["apply", "-f", "-"], Some(manifest)).await.success();
    eventually("the role counts, and the session is admitted", apply).await.unwrap();
}

/// A role of the scene's default account.
fn grants(scene: &Scene, name: &str, group: &str, resource: &str, verbs: &[&str]) -> Value {
    json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": name},
         "rules": [{"apiGroups": [group], "resources": [resource], "verbs": verbs}]},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": name},
         "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
         "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": scene.namespace}]},
    ]})
}

/// A tenant with rights on sessions alone edits one that is being deleted: the edit is judged, and what it adopts was
/// never approved.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_adopted_during_deletion() {
    let scene = scene("adopt-late").await;
    secret(&scene, "victim").await;
    let user = format!("system:serviceaccount:{}:default", scene.namespace);
    let verbs = ["get", "create", "patch", "update", "delete"];
    must(scene.apply(&grants(&scene, "sessions", "amalthea.dev", "amaltheasessions", &verbs)).await);
    let mut held = session("held", json!({}));
    // A finalizer of the tenant's own keeps the session for as long as the tenant likes.
    held["metadata"]["finalizers"] = json!(["amalthea.dev/secrets-finalizer", "example.org/held"]);
    admitted(&scene, &user, &held).await;
    must(scene.kubectl_as(&user, &["delete", "ams", "held", "--wait=false"], None).await);
    let patch = json!({"spec": pulls(&[("victim", true)])}).to_string();
    let refused =
        scene.kubectl_as(&user, &["patch", "ams", "held", "--type=merge", "-p", &patch], None).await;
    assert!(refused.stderr.contains("may not delete secret"), "{}", refused.stderr);
    // The right comes too late: nothing is recorded any more.
    must(scene.apply(&grants(&scene, "secrets", "", "secrets", &["delete"])).await);
    let patched = async || {
        let patch = ["patch", "ams", "held", "--type=merge", "-p", &patch];
        scene.kubectl_as(&user, &patch, None).await.success()
    };
    eventually("the edit is admitted", patched).await.unwrap();
    // A finalizer comes off unjudged.
    let free = json!({"metadata": {"finalizers": null}}).to_string();
    must(scene.kubectl_as(&user, &["patch", "ams", "held", "--type=merge", "-p", &free], None).await);
    scene.session_gone("held").await;
    let kept = scene.json("secret", "victim").await;
    assert!(!kept.is_null() && kept["metadata"]["deletionTimestamp"].is_null(), "the victim stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_delete_a_secret_may_have_it_adopted() {
    let scene = scene("adopt-rights").await;
    secret(&scene, "precious").await;
    let user = format!("system:serviceaccount:{}:default", scene.namespace);
    let verbs = ["get", "create", "patch", "update"];
    let sessions = grants(&scene, "sessions", "amalthea.dev", "amaltheasessions", &verbs);
    must(scene.apply(&sessions).await);
    let plain = session("plain", pulls(&[("precious", false)]));
    admitted(&scene, &user, &plain).await;

    let greedy = session("greedy", pulls(&[("precious", true)]));
    let refused = scene.kubectl_as(&user, &["apply", "-f", "-"], Some(&greedy)).await;
    assert!(!refused.success());
    assert!(refused.stderr.contains("may not delete secret"), "{}", refused.stderr);
    assert!(refused.stderr.contains("spec.imagePullSecrets[0].adopt"), "{}", refused.stderr);
    // By way of an update neither.
    let adopt = pulls(&[("precious", true)]);
    let patch = json!({"spec": adopt}).to_string();
    let refused =
        scene.kubectl_as(&user, &["patch", "ams", "plain", "--type=merge", "-p", &patch], None).await;
    assert!(refused.stderr.contains("may not delete secret"), "{}", refused.stderr);

    must(scene.apply(&grants(&scene, "secrets", "", "secrets", &["delete"])).await);
    admitted(&scene, &user, &greedy).await;
    scene.reaches("greedy", State::Running).await;
    scene.delete_session("plain").await;
    scene.delete_session("greedy").await;
    scene.gone("secret", "precious").await;
}
