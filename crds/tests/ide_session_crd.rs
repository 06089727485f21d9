//! Holds the generated CRD of `IdeSession` against the facts of the original's.

mod support;

use rstest::rstest;
use serde_json::{Value, json};
use sojourn_crds::ide_session::{DesiredState, LONGEST_LAUNCH_CONFIGURATIONS, State, crd};

fn schema(path: &str) -> Value {
    support::schema(&crd(), path)
}

#[test]
fn names_scope_and_subresources() {
    let crd = crd();
    assert_eq!(crd["metadata"]["name"], "idesessions.usvc-dev.developer.microsoft.com");
    assert_eq!(
        crd["spec"]["names"],
        json!({"kind": "IdeSession", "listKind": "IdeSessionList", "plural": "idesessions",
               "singular": "idesession", "shortNames": ["ides"]})
    );
    assert_eq!(crd["spec"]["scope"], "Cluster");
    assert_eq!(crd["spec"]["versions"].as_array().unwrap().len(), 1);
    assert_eq!(crd["spec"]["versions"][0]["name"], "v1");
    assert_eq!(crd["spec"]["versions"][0]["subresources"], json!({"status": {}}));
}

#[test]
fn columns() {
    assert_eq!(
        support::columns(&crd()),
        [
            ["State", "string", ".status.state"],
            ["Session", "string", ".status.sessionID"],
            ["PID", "integer", ".status.pid"],
            ["Age", "date", ".metadata.creationTimestamp"],
        ]
    );
}

#[rstest]
#[case("spec.launchConfigurations", json!({"type": "string", "maxLength": LONGEST_LAUNCH_CONFIGURATIONS}))]
#[case("spec.desiredState", json!({"type": "string", "enum": null}))]
#[case("status.state", json!({"type": "string", "default": "", "enum": State::ALL.map(State::as_str)}))]
#[case("status.sessionID", json!({"type": "string"}))]
#[case("status.pid", json!({"type": "integer", "format": "int64"}))]
#[case("status.exitCode", json!({"type": "integer", "format": "int32"}))]
#[case("status.startupTimestamp", json!({"type": "string", "format": "date-time", "nullable": true}))]
#[case("status.finishTimestamp", json!({"type": "string", "format": "date-time", "nullable": true}))]
#[case("status.startAttemptTime", json!({"type": "string", "format": "date-time", "nullable": null}))]
#[case("status.stdOutFile", json!({"type": "string"}))]
#[case("status.stdErrFile", json!({"type": "string"}))]
#[case("status.endpoint.secretUID", json!({"type": "string"}))]
#[case("status.conditions", json!({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}))]
fn limits_and_forms(#[case] path: &str, #[case] facts: Value) {
    let schema = schema(path);
    assert!(schema.is_object(), "{path}");
    for (key, value) in facts.as_object().unwrap() {
        assert_eq!(&schema[key], value, "{path} {key}");
    }
}

/// What is missing is named by the webhook, in the original's words; a spec that is missing is an empty one.
#[test]
fn nothing_is_required_and_spec_and_status_are_always_there() {
    assert_eq!([&schema("")["required"], &schema("spec")["required"]], [&Value::Null; 2]);
    assert_eq!(schema("spec")["default"], json!({"launchConfigurations": ""}));
    assert_eq!(schema("status")["default"], json!({}));
    assert_eq!(schema("spec.desiredState")["default"], Value::Null);
}

#[test]
fn the_schema_states_the_rules_in_the_words_of_the_original() {
    let rules = schema("spec")["x-kubernetes-validations"].clone();
    let stated: Vec<_> = rules
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| ["fieldPath", "reason", "message"].map(|key| rule[key].as_str().unwrap()))
        .collect();
    assert_eq!(
        stated,
        [
            [
                ".launchConfigurations",
                "FieldValueForbidden",
                "launchConfigurations cannot be changed after the IdeSession is created.",
            ],
            [
                ".desiredState",
                "FieldValueForbidden",
                "desiredState cannot be changed once it is set to Stopped.",
            ],
        ]
    );
    let desired = &schema("spec.desiredState")["x-kubernetes-validations"][0];
    assert_eq!(desired["message"], "desiredState must be empty, Running, or Stopped.");
    for known in DesiredState::ALL {
        let rule = desired["rule"].as_str().unwrap();
        assert!(rule.contains(&format!("self == '{}'", known.as_str())), "{rule}");
    }
}
