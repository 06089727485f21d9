//! `sojourn plan` against a cluster: it says what an operator would do, and does nothing itself.

use crate::support::{Scene, must, scene, session};
use serde_json::{Value, json};
use sojourn_crds::amalthea::State;
use std::process::{Command, Stdio};

/// What `sojourn plan` says of a manifest, as an administrator.
fn plan(scene: &Scene, manifest: &Value) -> (i32, Value) {
    use std::io::Write as _;
    let mut child = Command::new(env!("CARGO_BIN_EXE_sojourn"))
        .args(["plan", "-", "--output=json", "--namespace", &scene.namespace, "--kubeconfig"])
        .arg(scene.stage.cluster.kubeconfig())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(manifest.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let plans: Value = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.code().unwrap(), plans[0].clone())
}

/// `action kind` of each child.
fn actions(plan: &Value) -> Vec<String> {
    let children = plan["plan"]["children"].as_array().unwrap_or_else(|| panic!("no plan in {plan}"));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    children.iter().map(|child| format!("{} {}", text(&child["action"]), text(&child["kind"]))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_the_difference_to_what_is_there() {
    let scene = scene("plan").await;
    let spec = json!({"ingress": {"host": "plan.example.org"}, "culling": {"maxAge": "1h"}});
    let before = plan(&scene, &session("planned", spec.clone()));
    assert_eq!(before.0, 0, "{}", before.1);
    assert_eq!(
        actions(&before.1),
        [
            "create PersistentVolumeClaim",
            "create Secret",
            "create StatefulSet",
            "create Service",
            "create Ingress"
        ]
    );
    assert!(scene.get("planned").await.is_none(), "nothing was written");

    scene.session("planned", spec.clone()).await;
    scene.reaches("planned", State::Running).await;
    let (code, same) = plan(&scene, &session("planned", spec.clone()));
    assert_eq!(code, 0);
    assert!(actions(&same).iter().all(|action| action.starts_with("keep ")), "{same}");
    assert_eq!(same["status"]["state"], "Running");
    assert_eq!(same["next"][0]["why"], "hibernate it: spec.culling.maxAge (1h)");

    let mut other = spec.clone();
    json_patch::merge(&mut other, &json!({"session": {"image": "debian:13"}}));
    let (_, changed) = plan(&scene, &session("planned", other));
    let set =
        changed["plan"]["children"].as_array().unwrap().iter().find(|child| child["kind"] == "StatefulSet");
    let set = set.unwrap();
    assert_eq!(set["action"], "change", "{set}");
    let paths: Vec<_> = set["changes"].as_array().unwrap().iter().map(|change| &change["path"]).collect();
    assert_eq!(paths, ["/spec/template/spec/containers/0/image"], "{set}");

    // What cannot change is refused as an update, which only the cluster's own object tells.
    let (code, refused) =
        plan(&scene, &session("planned", json!({"ingress": {"host": "other.example.org"}})));
    assert_eq!((code, &refused["verdict"]), (1, &json!("denied")), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_a_stranger_has_is_seen() {
    let scene = scene("plan-taken").await;
    let port = json!({"metadata": {"name": "taken"}, "spec": {"ports": [{"port": 80}]}});
    scene.create("service", port).await;
    let (_, blocked) = plan(&scene, &session("taken", json!({})));
    assert!(actions(&blocked).contains(&"blocked Service".to_owned()), "{blocked}");
    must(scene.kubectl(&["delete", "service", "taken"]).await);
}
