//! `sojourn doctor` finds an installation well, and finds each thing that somebody broke.

use crate::stage::{CHART, HOME, Stage, must};
use serde_json::Value;
use sojourn_cluster::eventually;

/// Exit code, and level and message of each check by its name.
fn examine(stage: &Stage) -> (i32, Vec<(String, String, String)>, Value) {
    let (code, text) = stage.sojourn(&["doctor", "--output=json"]);
    let report: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"));
    let checks = report["checks"].as_array().unwrap().iter();
    let field = |check: &Value, name: &str| check[name].as_str().unwrap_or_default().to_owned();
    let checks = checks.map(|check| (field(check, "name"), field(check, "level"), field(check, "message")));
    (code, checks.collect(), report)
}

/// Asserts that one check fails, and with what.
fn fails(stage: &Stage, name: &str, message: &str) {
    let (code, checks, _) = examine(stage);
    let found = checks.iter().find(|check| check.0.contains(name) && check.1 == "FAIL");
    assert!(found.is_some_and(|check| check.2.contains(message)), "{name}: {message}: not in {checks:#?}");
    assert_eq!(code, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_broken_is_found_and_what_is_not_is_well() {
    let stage = Stage::set().await;
    fails(&stage, "refusal", "does not reach the webhooks");
    fails(&stage, "leader", "no replica has ever reconciled");

    let mut replica = stage.replica(&["--shutdown-delay=0s"]).await;
    stage.ready(1).await;
    let leads = async || examine(&stage).0 == 0;
    eventually("the doctor is content", leads)
        .await
        .unwrap_or_else(|e| panic!("{e} {:#?}", examine(&stage).1));
    let (_, checks, report) = examine(&stage);
    assert!(checks.iter().all(|check| check.1 == "ok"), "{checks:#?}");
    for name in [
        "CRD amaltheasessions",
        "webhook configurations",
        "certificate",
        "leader",
        "rights",
        "refusal",
        "admission",
    ] {
        assert!(checks.iter().any(|check| check.0.contains(name)), "{name} is not in {checks:#?}");
    }
    let emergency = "kubectl delete validatingwebhookconfiguration,mutatingwebhookconfiguration sojourn";
    assert_eq!(report["emergency"][0], emergency);
    let (_, text) = stage.sojourn(&["doctor"]);
    assert!(text.contains(emergency) && text.contains("ok    certificate: "), "{text}");
    assert!(
        must(stage.kubectl(&["get", "ams", "-A", "-o", "name"]).await).is_empty(),
        "a dry run leaves nothing"
    );

    let patch = |kind: &'static str, name: &'static str, patch: &'static str| {
        let stage = &stage;
        async move { must(stage.kubectl(&["patch", kind, name, "--type=json", "-p", patch]).await) }
    };
    let guard = "validatingwebhookconfiguration";
    patch(guard, "sojourn", r#"[{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Ignore"}]"#)
        .await;
    fails(&stage, "webhook amaltheasession.validate", "failurePolicy is Ignore");
    patch(guard, "sojourn", r#"[{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Fail"}]"#)
        .await;
    patch(guard, "sojourn", r#"[{"op": "remove", "path": "/webhooks/0/namespaceSelector"}]"#).await;
    fails(&stage, "webhook amaltheasession.validate", "kube-system");
    must(stage.kubectl(&["delete", "mutatingwebhookconfiguration", "sojourn"]).await);
    fails(&stage, "webhook job.mutate", "not configured");
    must(stage.kubectl(&["delete", "rolebinding", "-n", HOME, "sojourn-own"]).await);
    fails(&stage, "rights", "update leases.coordination.k8s.io d2dc1fe0.amalthea.dev in sojourn-system");
    let crd = "customresourcedefinition";
    let names = r#"[{"op": "replace", "path": "/spec/names/shortNames", "value": ["old"]}]"#;
    patch(crd, "amaltheasessions.amalthea.dev", names).await;
    let (_, checks, _) = examine(&stage);
    let crd = checks.iter().find(|check| check.0.starts_with("CRD ")).unwrap();
    assert_eq!((crd.1.as_str(), crd.2.as_str()), ("warn", "it is not the one of this version"));

    // What was broken is the chart's, and the chart mends it.
    must(stage.upgrade(CHART, &[]).await);
    let content = async || examine(&stage).0 == 0;
    eventually("the doctor is content", content)
        .await
        .unwrap_or_else(|e| panic!("{e} {:#?}", examine(&stage).1));

    replica.terminate();
    assert!(replica.ended().await);
    fails(&stage, "leader", "nobody holds the Lease");
    fails(&stage, "admission", "does not reach the webhooks");
    must(
        stage
            .kubectl(&["delete", "validatingwebhookconfiguration,mutatingwebhookconfiguration", "sojourn"])
            .await,
    );
    fails(&stage, "webhook configurations", "nothing is guarded");
    stage.cluster.stop().await;
}

#[test]
fn a_cluster_that_does_not_answer_is_told_apart() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_sojourn"))
        .args(["doctor", "--kubeconfig", "/nonexistent"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("kubeconfig"), "{output:?}");
}
