//! Sojourn with `--pod-security=Restricted`, in a namespace that enforces the Pod Security Standard `restricted`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper of a test that cannot go on ends the test"
)]

#[path = "../e2e/objects.rs"]
#[allow(dead_code, reason = "shared with the other end-to-end tests, which use all of it")]
mod objects;
#[path = "../e2e/support.rs"]
#[allow(dead_code, reason = "shared with the other end-to-end tests, which use all of it")]
mod support;

use objects::{batch, condition, error};
use serde_json::{Value, json};
use sojourn_cluster::eventually;
use sojourn_crds::amalthea::State;
use support::{must, scene, session};

/// Flags of the operator.
const FLAGS: &[&str] = &["--pod-security=Restricted"];

/// What is done on the cluster before the operator starts: nothing.
async fn before(_: &sojourn_cluster::Cluster) {}

/// More variables in the operator's environment: none.
fn variables() -> Vec<(&'static str, String)> {
    Vec::new()
}

/// Everything that the operator makes containers and volumes for, and what a user adds without a word on security.
fn with_everything() -> Value {
    json!({
        "codeRepositories": [{"remote": "https://git.example.org/team/code.git"}],
        "dataSources": [{"mountPath": "/data", "secretRef": {"name": "bucket"}}],
        "ingress": {"host": "everything.example.org"},
        "authentication": {"type": "oauth2proxy", "secretRef": {"name": "login", "key": "auth.yaml"}},
        "session": {"shmSize": "64Mi"},
        "initContainers": [{"name": "fetch", "image": "busybox"}],
        "extraContainers": [{"name": "cache", "image": "valkey/valkey:8"}],
        "extraVolumes": [{"name": "scratch", "emptyDir": {}}],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restricted_namespace_allows_every_pod_that_asks_for_nothing_more() {
    let scene = scene("restricted").await;
    let label = "pod-security.kubernetes.io/enforce=restricted";
    must(scene.kubectl(&["label", "namespace", &scene.namespace, label]).await);
    let root = json!({"session": {"runAsUser": 0}});
    let told = "spec.session.runAsUser: 0; PodSecurity restricted needs another user";
    eventually("the label is seen", async || {
        let output = scene.apply(&session("root", root.clone())).await;
        let warned = must_warn(output).contains(told);
        if !warned {
            must(scene.kubectl(&["delete", "ams", "root"]).await);
        }
        warned
    })
    .await
    .unwrap();

    let remote = json!({"location": "remote", "ingress": {"host": "remote.example.org"}});
    for (name, spec) in [
        ("main", json!({})),
        ("job", batch(json!({}))),
        ("everything", with_everything()),
        ("remote", remote),
    ] {
        assert_eq!(must_warn(scene.apply(&session(name, spec)).await), "", "{name}");
    }
    for name in ["main", "job"] {
        scene.reaches(name, State::Running).await;
    }
    for pod in ["everything-0", "remote-0"] {
        scene.becomes("pod", pod, "is made", |pod| !pod.is_null()).await;
    }

    // What the session says itself is not replaced.
    let failed =
        scene.eventually("root", "is told", |session| error(session).lines().any(|line| line == told)).await;
    assert!(condition(&failed, "Stalled", "True").unwrap().contains(told));
}

/// What a command that must have succeeded was warned of for Pod Security.
fn must_warn(output: sojourn_cluster::Output) -> String {
    let warnings = output.stderr.lines().filter(|line| line.contains("odSecurity"));
    let warnings = warnings.collect::<Vec<_>>().join("\n");
    must(output);
    warnings
}
