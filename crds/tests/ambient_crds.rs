//! Holds the generated CRDs of `AgenticSession` and `ProjectSettings` against the facts of the originals'.

#![allow(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

mod support;

use rstest::rstest;
use serde_json::{Value, json};
use sojourn_crds::ambient::{
    AgenticSession, Phase, ProjectSettings, StoppedReason, agentic_session, project_settings,
};

fn session(path: &str) -> Value {
    support::schema(&agentic_session::crd(), path)
}

fn settings(path: &str) -> Value {
    support::schema(&project_settings::crd(), path)
}

#[rstest]
#[case(agentic_session::crd(), "AgenticSession", "agenticsessions", "agenticsession", "as")]
#[case(project_settings::crd(), "ProjectSettings", "projectsettings", "projectsetting", "ps")]
fn names_scope_and_subresources(
    #[case] crd: Value,
    #[case] kind: &str,
    #[case] plural: &str,
    #[case] singular: &str,
    #[case] short: &str,
) {
    assert_eq!(crd["metadata"]["name"], format!("{plural}.vteam.ambient-code"));
    assert_eq!(
        crd["spec"]["names"],
        json!({"kind": kind, "listKind": format!("{kind}List"), "plural": plural, "singular": singular,
               "shortNames": [short]})
    );
    assert_eq!(crd["spec"]["scope"], "Namespaced");
    assert_eq!(crd["spec"]["versions"].as_array().unwrap().len(), 1);
    assert_eq!(crd["spec"]["versions"][0]["name"], "v1alpha1");
    assert_eq!(crd["spec"]["versions"][0]["subresources"], json!({"status": {}}));
    assert!(!crd.to_string().contains("nullable"));
}

#[test]
fn columns() {
    assert_eq!(
        agentic_session::crd()["spec"]["versions"][0].get("additionalPrinterColumns"),
        None,
        "the API server shows the age of what has no columns"
    );
    assert_eq!(support::columns(&project_settings::crd()), [["Age", "date", ".metadata.creationTimestamp"]]);
}

/// Every field with its type, in the order of the schema.
fn fields(schema: &Value) -> Vec<String> {
    let properties = schema["properties"].as_object().unwrap();
    properties.iter().map(|(name, field)| format!("{name}: {}", field["type"].as_str().unwrap())).collect()
}

#[rstest]
#[case("spec", &["activeWorkflow: object", "autoPushOnComplete: boolean", "displayName: string",
    "environmentVariables: object", "inactivityTimeout: integer", "initialPrompt: string", "interactive: boolean",
    "llmSettings: object", "mcpServers: object", "repos: array", "stopOnRunFinished: boolean", "timeout: integer",
    "userContext: object"])]
#[case("spec.repos.[]", &["autoPush: boolean", "branch: string", "url: string"])]
#[case("spec.userContext", &["displayName: string", "groups: array", "userId: string"])]
#[case("spec.llmSettings", &["maxTokens: integer", "model: string", "temperature: number"])]
#[case("spec.mcpServers", &["custom: object", "disabled: array"])]
#[case("spec.activeWorkflow", &["branch: string", "gitUrl: string", "path: string"])]
#[case("status", &["completionTime: string", "conditions: array", "lastActivityTime: string",
    "observedGeneration: integer", "phase: string", "reconciledRepos: array", "reconciledWorkflow: object",
    "sdkRestartCount: integer", "sdkSessionId: string", "startTime: string", "stoppedReason: string"])]
#[case("status.reconciledRepos.[]", &["branch: string", "branches: array", "clonedAt: string",
    "currentActiveBranch: string", "defaultBranch: string", "name: string", "status: string", "url: string"])]
#[case("status.reconciledWorkflow", &["appliedAt: string", "branch: string", "gitUrl: string", "path: string",
    "status: string"])]
#[case("status.conditions.[]", &["lastTransitionTime: string", "message: string", "observedGeneration: integer",
    "reason: string", "status: string", "type: string"])]
fn fields_of_sessions(#[case] path: &str, #[case] names: &[&str]) {
    assert_eq!(fields(&session(path)), names);
}

#[rstest]
#[case("spec", &["groupAccess: array", "inactivityTimeoutSeconds: integer", "mcpServers: object",
    "repositories: array", "runnerSecretsName: string"])]
#[case("spec.groupAccess.[]", &["groupName: string", "role: string"])]
#[case("spec.repositories.[]", &["branch: string", "provider: string", "url: string"])]
#[case("spec.mcpServers", &["custom: object", "disabled: array"])]
// `observedGeneration` is ours: tools that wait for an object compare it.
#[case("status", &["groupBindingsCreated: integer", "limitRangeReady: boolean", "observedGeneration: integer",
    "scheduledSessionRBACReady: boolean"])]
fn fields_of_settings(#[case] path: &str, #[case] names: &[&str]) {
    assert_eq!(fields(&settings(path)), names);
}

#[rstest]
#[case(session(""), json!(null))]
#[case(session("spec"), json!(null))]
#[case(session("spec.repos.[]"), json!(["url"]))]
#[case(session("spec.userContext"), json!(null))]
#[case(session("spec.llmSettings"), json!(null))]
#[case(session("spec.activeWorkflow"), json!(null))]
#[case(session("status"), json!(null))]
#[case(session("status.conditions.[]"), json!(["type", "status"]))]
#[case(settings(""), json!(null))]
#[case(settings("spec"), json!(["groupAccess"]))]
#[case(settings("spec.groupAccess.[]"), json!(["groupName", "role"]))]
#[case(settings("spec.repositories.[]"), json!(["url"]))]
#[case(settings("status"), json!(null))]
fn required(#[case] schema: Value, #[case] fields: Value) {
    assert_eq!(schema["required"], fields);
}

#[rstest]
#[case(session("spec"), json!(null))]
#[case(session("spec.repos"), json!(null))]
#[case(session("spec.repos.[].branch"), json!("main"))]
#[case(session("spec.repos.[].autoPush"), json!(false))]
#[case(session("spec.llmSettings"), json!(null))]
#[case(session("spec.llmSettings.model"), json!("claude-sonnet-4-6"))]
#[case(session("spec.llmSettings.temperature"), json!(0.7))]
#[case(session("spec.llmSettings.maxTokens"), json!(4000))]
#[case(session("spec.timeout"), json!(300))]
#[case(session("spec.interactive"), json!(true))]
#[case(session("spec.autoPushOnComplete"), json!(false))]
#[case(session("spec.inactivityTimeout"), json!(null))]
#[case(session("spec.stopOnRunFinished"), json!(null))]
#[case(session("spec.activeWorkflow"), json!(null))]
#[case(session("spec.activeWorkflow.branch"), json!("main"))]
#[case(session("status"), json!(null))]
#[case(session("status.phase"), json!("Pending"))]
#[case(settings("spec"), json!(null))]
#[case(settings("spec.groupAccess"), json!(null))]
#[case(settings("spec.groupAccess.[].role"), json!(null))]
#[case(settings("spec.inactivityTimeoutSeconds"), json!(86400))]
fn defaults(#[case] schema: Value, #[case] default: Value) {
    assert_eq!(schema["default"], default);
}

#[rstest]
#[case(session("status.phase"),
    json!(["Pending", "Creating", "Running", "Stopping", "Stopped", "Completed", "Failed"]))]
#[case(session("status.stoppedReason"), json!(["user", "inactivity"]))]
#[case(session("status.reconciledRepos.[].status"), json!(["Cloning", "Ready", "Failed"]))]
#[case(session("status.reconciledWorkflow.status"), json!(["Cloning", "Active", "Failed"]))]
#[case(session("status.conditions.[].status"), json!(["True", "False", "Unknown"]))]
#[case(settings("spec.groupAccess.[].role"), json!(["admin", "edit", "view"]))]
#[case(settings("spec.repositories.[].provider"), json!(["github", "gitlab"]))]
fn enums(#[case] schema: Value, #[case] values: Value) {
    assert_eq!(schema["enum"], values);
    assert_eq!(schema["type"], "string");
}

#[rstest]
#[case(session("spec.inactivityTimeout"), json!({"minimum": 0, "format": null}))]
#[case(session("spec.timeout"), json!({"minimum": null, "format": null}))]
#[case(session("spec.llmSettings.temperature"), json!({"minimum": null, "maximum": null, "format": null}))]
#[case(session("spec.llmSettings.maxTokens"), json!({"minimum": null, "format": null}))]
#[case(session("spec.environmentVariables.{}"), json!({"type": "string"}))]
#[case(session("spec.mcpServers.custom.{}"),
    json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}))]
#[case(session("status.observedGeneration"), json!({"format": "int64"}))]
#[case(session("status.startTime"), json!({"format": "date-time"}))]
#[case(session("status.completionTime"), json!({"format": "date-time"}))]
#[case(session("status.lastActivityTime"), json!({"format": "date-time"}))]
#[case(settings("spec.inactivityTimeoutSeconds"), json!({"minimum": 0, "format": null}))]
#[case(settings("status.groupBindingsCreated"), json!({"minimum": 0, "format": null}))]
fn limits_and_forms(#[case] schema: Value, #[case] facts: Value) {
    for (key, value) in facts.as_object().unwrap() {
        assert_eq!(&schema[key], value, "{key}");
    }
}

#[test]
fn who_a_session_runs_for_is_judged_on_the_parent() {
    let rule = session("spec")["x-kubernetes-validations"][0]["rule"].as_str().unwrap().to_owned();
    assert!(rule.contains("oldSelf.userContext"), "{rule}");
}

#[test]
fn there_is_one_object_of_settings() {
    let rule = settings("")["x-kubernetes-validations"][0]["rule"].clone();
    assert_eq!(rule, "self.metadata.name == 'projectsettings'");
}

#[test]
fn an_object_without_spec_can_be_read() {
    let read: AgenticSession = serde_json::from_value(json!({"metadata": {"name": "a"}})).unwrap();
    assert_eq!((read.name(), read.spec.timeout, read.spec.interactive), ("a", 300, true));
    assert!(read.status.is_none());
    let read: ProjectSettings = serde_json::from_value(json!({"metadata": {}})).unwrap();
    assert!(read.spec.is_none());
}

#[test]
fn what_other_versions_wrote_can_be_read() {
    let read: AgenticSession = serde_json::from_value(json!({
        "metadata": {},
        "spec": {"prompt": "x", "llmSettings": {"temperature": 1}, "mcpServers": {"custom": {"a": {"b": 1}}}},
        "status": {"phase": "Error", "stoppedReason": "inactivity"},
    }))
    .unwrap();
    assert_eq!(read.spec.llm_settings.map(|llm| llm.temperature), Some(1.0));
    let status = read.status.unwrap();
    assert_eq!((status.phase, status.stopped_reason), (Phase::Unknown, Some(StoppedReason::Inactivity)));
}
