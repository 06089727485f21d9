//! The `spec` of an `AgenticSession`.
//!
//! Field names, defaults and limits are those of the original operator, of its Job era and of today; its manifests
//! apply unchanged.

use crate::Raw;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// That the identity of a session stays: what is absent and what is empty is the same.
const SAME_USER: &str = "(has(self.userContext) && has(self.userContext.userId) ? self.userContext.userId : '') == \
(has(oldSelf.userContext) && has(oldSelf.userContext.userId) ? oldSelf.userContext.userId : '') && \
(has(self.userContext) && has(self.userContext.displayName) ? self.userContext.displayName : '') == \
(has(oldSelf.userContext) && has(oldSelf.userContext.displayName) ? oldSelf.userContext.displayName : '') && \
(has(self.userContext) && has(self.userContext.groups) ? self.userContext.groups : []) == \
(has(oldSelf.userContext) && has(oldSelf.userContext.groups) ? oldSelf.userContext.groups : [])";

/// What a session is asked to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": SAME_USER,
    "message": "cannot be changed: it says for whom the session runs; create another session",
    "fieldPath": ".userContext",
    "reason": "FieldValueForbidden",
}]))]
pub struct AgenticSessionSpec {
    /// Repositories that the agent works on. Can be changed while the session runs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<Repository>>")]
    pub repos: Vec<Repository>,
    /// What the agent is told first. It is not told again when the session is started again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_prompt: Option<String>,
    /// The name that people see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// For whom the session runs. Cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_context: Option<UserContext>,
    /// The model, and how it is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub llm_settings: Option<LlmSettings>,
    /// How many seconds the session may last; zero is no limit of its own. The workload is only ended by it where
    /// the operator is told to.
    #[schemars(with = "Integer")]
    pub timeout: i64,
    /// Whether the agent waits for a user's messages.
    pub interactive: bool,
    /// Whether changes are pushed when the session is done.
    pub auto_push_on_complete: bool,
    /// After how many seconds without activity the session is stopped; zero is never. Without it, that of the
    /// project holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Integer>", extend("minimum" = 0))]
    pub inactivity_timeout: Option<i64>,
    /// Whether the session is stopped when a run of the agent is finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_on_run_finished: Option<bool>,
    /// Environment of the agent. It replaces what the operator sets, but for secrets and a few switches.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "Option<BTreeMap<String, String>>")]
    pub environment_variables: BTreeMap<String, String>,
    /// Servers of tools.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mcp_servers: Option<McpServers>,
    /// The workflow that the agent follows. Can be changed while the session runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_workflow: Option<Workflow>,
}

impl Default for AgenticSessionSpec {
    fn default() -> Self {
        Self {
            repos: Vec::new(),
            initial_prompt: None,
            display_name: None,
            user_context: None,
            llm_settings: None,
            timeout: 300,
            interactive: true,
            auto_push_on_complete: false,
            inactivity_timeout: None,
            stop_on_run_finished: None,
            environment_variables: BTreeMap::new(),
            mcp_servers: None,
            active_workflow: None,
        }
    }
}

/// A repository that the agent works on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("required" = ["url"]))]
pub struct Repository {
    /// Where it is cloned from. An entry whose URL is empty is skipped.
    pub url: String,
    /// The branch that is cloned.
    pub branch: String,
    /// Whether changes are pushed.
    pub auto_push: bool,
}

impl Default for Repository {
    fn default() -> Self {
        Self { url: String::new(), branch: MAIN.into(), auto_push: false }
    }
}

/// The branch of those who name none.
const MAIN: &str = "main";

/// For whom a session runs, as its creator was authenticated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct UserContext {
    /// Stable identifier of the user.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(with = "Option<String>")]
    pub user_id: String,
    /// The name that people see.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(with = "Option<String>")]
    pub display_name: String,
    /// Groups of the user.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<String>>")]
    pub groups: Vec<String>,
}

/// The model, and how it is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct LlmSettings {
    /// Name of the model.
    pub model: String,
    /// How freely the model answers.
    #[schemars(with = "Number")]
    pub temperature: f64,
    /// How long an answer may be.
    #[schemars(with = "Integer")]
    pub max_tokens: i64,
}

impl Default for LlmSettings {
    fn default() -> Self {
        Self { model: "claude-sonnet-4-6".into(), temperature: 0.7, max_tokens: 4000 }
    }
}

/// Servers of tools.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct McpServers {
    /// Servers beside those of the platform, by name; handed through unread.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "Option<BTreeMap<String, Unread>>")]
    pub custom: BTreeMap<String, Raw>,
    /// Servers of the platform that the session does without.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<String>>")]
    pub disabled: Vec<String>,
}

/// The workflow that an agent follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Workflow {
    /// The repository that holds it. Without it there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git_url: Option<String>,
    /// The branch that is cloned.
    pub branch: String,
    /// Where in the repository it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

impl Default for Workflow {
    fn default() -> Self {
        Self { git_url: None, branch: MAIN.into(), path: None }
    }
}

/// Schema of a whole number. That of Rust's own types adds a format, which the original has not.
pub(crate) struct Integer;

impl JsonSchema for Integer {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Integer".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer"})
    }
}

/// Schema of any number, without a format.
struct Number;

impl JsonSchema for Number {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Number".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "number"})
    }
}

/// Schema of an object that may hold anything.
struct Unread;

impl JsonSchema for Unread {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Unread".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
    }
}
