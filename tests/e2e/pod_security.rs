//! Namespaces that enforce a Pod Security Standard, when the operator makes the pods of the original.

use crate::{
    objects::{batch, condition, error},
    support::{Scene, must, scene, session},
};
use serde_json::{Value, json};
use sojourn_cluster::{eventually, kubectl};
use sojourn_crds::amalthea::State;

const LACKS: [&str; 2] = [
    "spec.session: container amalthea-session lacks allowPrivilegeEscalation; sessions.podSecurity: Restricted adds it",
    "spec.session: container amalthea-session lacks seccompProfile; sessions.podSecurity: Restricted adds it",
];

async fn enforce(scene: &Scene, level: &str) {
    let label = format!("pod-security.kubernetes.io/enforce={level}");
    must(scene.kubectl(&["label", "--overwrite", "namespace", &scene.namespace, &label]).await);
}

/// What a session would be warned of for Pod Security.
async fn warnings(scene: &Scene, name: &str, spec: Value) -> String {
    let args = ["-n", scene.namespace.as_str(), "create", "--dry-run=server", "-f", "-"];
    let output = kubectl(&scene.stage.cluster, &args, Some(&session(name, spec).to_string())).await.unwrap();
    assert!(output.success(), "{}", output.stderr);
    output.stderr.lines().filter(|line| line.contains("odSecurity")).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_namespace_does_not_allow_is_warned_about_and_told() {
    let scene = scene("pod-security").await;
    assert_eq!(warnings(&scene, "main", json!({})).await, "", "the namespace enforces nothing");
    enforce(&scene, "restricted").await;
    eventually("the label is seen", async || !warnings(&scene, "main", json!({})).await.is_empty())
        .await
        .unwrap();

    let more = json!({"extraContainers": [
        {"name": "side", "image": "busybox", "securityContext": {"privileged": true}}]});
    let told = warnings(&scene, "main", more.clone()).await;
    let privileged =
        "spec.extraContainers[0].securityContext.privileged: true; PodSecurity restricted needs false";
    for line in LACKS.iter().chain([&privileged]) {
        assert!(told.contains(line), "{line} is not in {told}");
    }

    scene.session("main", json!({})).await;
    scene.session("job", batch(json!({}))).await;
    scene.session("more", more).await;
    for (name, lines) in [("main", &LACKS[..]), ("job", &LACKS), ("more", &[privileged])] {
        let failed = scene
            .eventually(name, "is told each field", |session| {
                lines.iter().all(|line| error(session).lines().any(|told| told == *line))
            })
            .await;
        assert_eq!(failed.status.as_ref().unwrap().state, State::Failed);
        let stalled = condition(&failed, "Stalled", "True").unwrap();
        assert!(lines.iter().all(|line| stalled.contains(line)), "{stalled}");
        let conditions = failed.status.unwrap().conditions;
        assert!(conditions.iter().any(|one| one.reason.as_deref() == Some("PodSecurityViolated")));
    }

    // The namespace allows more, and its controllers try again.
    enforce(&scene, "baseline").await;
    eventually("the other label is seen", async || warnings(&scene, "other", json!({})).await.is_empty())
        .await
        .unwrap();
    for name in ["main", "job"] {
        let running = scene.reaches(name, State::Running).await;
        assert_eq!(error(&running), "");
        assert_eq!(condition(&running, "Stalled", "True"), None);
    }
}
