//! Holds the generated CRD of `Notebook` against the facts of its specification.

mod support;

use rstest::rstest;
use serde_json::{Value, json};
use sojourn_crds::notebook::{Notebook, crd};

fn schema(path: &str) -> Value {
    support::schema(&crd(), path)
}

#[test]
fn names_scope_and_subresources() {
    assert_eq!(crd()["metadata"]["name"], "notebooks.sojourn.dev");
    assert_eq!(
        crd()["spec"]["names"],
        json!({"kind": "Notebook", "listKind": "NotebookList", "plural": "notebooks", "singular": "notebook",
               "shortNames": ["nb"]})
    );
    assert_eq!(crd()["spec"]["scope"], "Namespaced");
    assert_eq!(crd()["spec"]["versions"][0]["name"], "v1alpha1");
    assert_eq!(crd()["spec"]["versions"][0]["subresources"], json!({"status": {}}));
}

#[test]
fn columns() {
    assert_eq!(
        support::columns(&crd()),
        [
            ["Phase", "string", ".status.phase"],
            ["Ready", "string", ".status.conditions[?(@.type==\"Ready\")].status"],
            ["URL", "string", ".status.url"],
            ["Last-Activity", "date", ".status.lastActivity"],
            ["Age", "date", ".metadata.creationTimestamp"],
        ]
    );
}

#[test]
fn small_enough_to_be_applied_client_side() {
    let size = serde_json::to_string(&crd()).unwrap().len();
    assert!(size < 200 * 1024, "{size} bytes; kubectl keeps a copy in an annotation of at most 256 KiB");
}

#[test]
fn a_notebook_may_be_empty() {
    assert_eq!(schema("")["required"], json!(null));
    assert_eq!(schema("spec")["required"], json!(null));
    let notebook: Notebook = serde_json::from_value(json!({"metadata": {"name": "alpha"}})).unwrap();
    assert_eq!(notebook.workspace_id(), "alpha");
    assert_eq!(notebook.deployment_name().unwrap(), "notebook-alpha");
}

#[rstest]
#[case("spec", json!({}))]
#[case("spec.desiredState", json!("Running"))]
#[case("spec.nameScheme", json!("Strict"))]
#[case("spec.rolloutPolicy", json!("OnNextStart"))]
#[case("spec.port", json!(8888))]
#[case("spec.workspaceVolume.mountPath", json!("/workspace"))]
#[case("spec.workspaceVolume.reclaim", json!("Retain"))]
#[case("spec.idle.source", json!("Touch"))]
#[case("spec.idle.onIdle", json!("Delete"))]
#[case("spec.networkPolicy.mode", json!("Unmanaged"))]
// What settings and profiles decide must not be written into the object.
#[case("spec.workspaceID", json!(null))]
#[case("spec.image", json!(null))]
#[case("spec.imagePullPolicy", json!(null))]
#[case("spec.resources", json!(null))]
#[case("spec.workspaceVolume", json!(null))]
#[case("spec.workspaceVolume.claimName", json!(null))]
#[case("spec.readyTimeout", json!(null))]
#[case("spec.idle", json!(null))]
#[case("spec.idle.ttl", json!(null))]
#[case("spec.idle.probeInterval", json!(null))]
#[case("spec.maxLifetime", json!(null))]
#[case("status", json!(null))]
fn defaults(#[case] path: &str, #[case] default: Value) {
    assert_eq!(schema(path)["default"], default);
}

#[rstest]
#[case("spec.desiredState", json!(["Running", "Stopped"]))]
#[case("spec.nameScheme", json!(["Strict", "Safe"]))]
#[case("spec.rolloutPolicy", json!(["OnNextStart", "Immediate"]))]
#[case("spec.imagePullPolicy", json!(["Always", "Never", "IfNotPresent"]))]
#[case("spec.workspaceVolume.reclaim", json!(["Retain", "Delete"]))]
#[case("spec.idle.source", json!(["Touch", "Jupyter", "Any"]))]
#[case("spec.idle.onIdle", json!(["Delete", "ScaleToZero"]))]
#[case("spec.networkPolicy.mode", json!(["Unmanaged", "Managed"]))]
#[case("status.phase", json!(["Pending", "Starting", "Ready", "NotReady", "Stopping", "Stopped", "Failed"]))]
#[case("status.stopReason", json!(["Requested", "Idle", "MaxLifetime", "Deleted"]))]
#[case("status.lastActivitySource", json!(["Ensure", "Touch", "Kernel", "Terminal", "Api"]))]
fn enums(#[case] path: &str, #[case] values: Value) {
    assert_eq!(schema(path)["enum"], values);
    assert_eq!(schema(path)["type"], "string");
}

#[rstest]
#[case("spec.port", json!({"minimum": 1, "maximum": 65535, "format": "int32"}))]
#[case("spec.readyTimeout", json!({"type": "string", "format": "duration"}))]
#[case("spec.resources.limits.{}", json!({"x-kubernetes-int-or-string": true, "pattern": null}))]
#[case("spec.env", json!({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}))]
#[case("spec.env.[]", json!({"required": ["name"]}))]
#[case("spec.imagePullSecrets.[].name", json!({"type": "string"}))]
#[case("spec.workspaceVolume.claimTemplate", json!({"required": ["spec"]}))]
#[case("spec.networkPolicy.from.[].podSelector.matchLabels", json!({"type": "object"}))]
#[case("spec.podTemplate.metadata.labels", json!({"type": "object"}))]
#[case("spec.podTemplate.spec.containers.[].resources.limits.{}", json!({"x-kubernetes-int-or-string": true}))]
#[case("status.startedAt", json!({"type": "string", "format": "date-time"}))]
#[case("status.lastActivity", json!({"type": "string", "format": "date-time"}))]
#[case("status.deploymentUID", json!({"type": "string"}))]
#[case("status.conditions", json!({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}))]
fn limits_and_forms(#[case] path: &str, #[case] facts: Value) {
    let schema = schema(path);
    for (key, value) in facts.as_object().unwrap() {
        assert_eq!(&schema[key], value, "{path} {key}");
    }
}

/// What is laid over a pod template names only what it changes.
#[test]
fn an_overlay_needs_nothing_but_what_tells_items_apart() {
    fn needed(schema: &Value, at: &str, found: &mut Vec<String>) {
        found.extend(schema["required"].as_array().into_iter().flatten().map(|name| format!("{at}: {name}")));
        for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
            needed(inner, name, found);
        }
        for inner in ["items", "additionalProperties"].into_iter().filter_map(|key| schema.get(key)) {
            needed(inner, at, found);
        }
    }
    let mut found = Vec::new();
    needed(&schema("spec.podTemplate"), "", &mut found);
    found.sort();
    found.dedup();
    let keys = [
        "claims: \"name\"",
        "env: \"name\"",
        "ports: \"containerPort\"",
        "volumeDevices: \"devicePath\"",
        "volumeMounts: \"mountPath\"",
    ];
    assert_eq!(found, keys);
    assert_eq!(schema("spec.podTemplate.spec.ephemeralContainers"), Value::Null);
}

#[test]
fn nothing_is_nullable() {
    assert!(!crd().to_string().contains("nullable"));
}

/// On the root, so that adding and removing count, and the object's name can be seen.
#[test]
fn immutable() {
    let rules = schema("")["x-kubernetes-validations"].as_array().unwrap().clone();
    let fields: Vec<_> = rules.iter().map(|rule| rule["fieldPath"].as_str().unwrap()).collect();
    assert_eq!(fields, [".spec.workspaceID", ".spec.serverName", ".spec.nameScheme"]);
    for (rule, field) in rules.iter().zip(fields) {
        let text = rule["rule"].as_str().unwrap();
        assert!(
            text.contains(&format!("self{field}")) && text.contains(&format!("oldSelf{field}")),
            "{text}"
        );
    }
}

/// `kubectl explain` shows nothing else.
#[test]
fn every_field_is_described() {
    fn undescribed(schema: &Value, at: &str, found: &mut Vec<String>) {
        for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{at}.{name}");
            if inner["description"].as_str().is_none_or(str::is_empty) {
                found.push(path.clone());
            }
            undescribed(inner, &path, found);
        }
    }
    let own = ["", ".idle", ".workspaceVolume", ".workspaceVolume.claimTemplate", ".networkPolicy"];
    let mut found = Vec::new();
    undescribed(&schema("spec"), "", &mut found);
    found.retain(|path| own.contains(&path.rsplit_once('.').unwrap().0));
    undescribed(&schema("status"), "status", &mut found);
    assert_eq!(found, Vec::<String>::new());
}
