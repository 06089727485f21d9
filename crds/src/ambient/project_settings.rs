//! `ProjectSettings`: what holds for all sessions of a namespace, and its CRD.

use super::spec::{Integer, McpServers};
use crate::crd::Column;
use crate::kind::DescribedKind;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The name of the only object of the kind in a namespace.
pub const NAME: &str = "projectsettings";

const COLUMNS: [Column; 1] =
    [Column { name: "Age", kind: "date", path: ".metadata.creationTimestamp", description: "", wide: false }];

/// What holds for all sessions of a namespace.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ProjectSettings {
    /// Standard object metadata.
    #[serde(deserialize_with = "crate::metadata::lean")]
    pub metadata: ObjectMeta,
    /// What is asked for. The schema does not require it, so an object without it may exist.
    pub spec: Option<ProjectSettingsSpec>,
    /// What was last seen.
    pub status: Option<ProjectSettingsStatus>,
}

crate::kind::custom_resource!(ProjectSettings, optional spec, Namespaced {
    group: "vteam.ambient-code",
    version: "v1alpha1",
    plural: "projectsettings",
    singular: "projectsetting",
    short_names: ["ps"],
});

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("required" = ["groupAccess"]))]
pub struct ProjectSettingsSpec {
    /// Which groups may do what in the namespace.
    pub group_access: Vec<GroupAccess>,
    /// Kept for clients that know it; not read: the names of the secrets are fixed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runner_secrets_name: Option<String>,
    /// Repositories of the project, for its user interface.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<ProjectRepository>>")]
    pub repositories: Vec<ProjectRepository>,
    /// After how many seconds without activity a session is stopped that does not say so itself; zero is never.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Integer>", extend("minimum" = 0, "default" = 86400))]
    pub inactivity_timeout_seconds: Option<i64>,
    /// Servers of tools for all sessions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mcp_servers: Option<McpServers>,
}

/// What a group may do in the namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("required" = ["groupName", "role"]))]
pub struct GroupAccess {
    /// The group, as the cluster authenticates it.
    pub group_name: String,
    /// What its members may do.
    pub role: Role,
}

/// What the members of a group may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything in the project.
    Admin,
    /// Work with sessions.
    Edit,
    /// Look.
    #[default]
    View,
}

impl Role {
    /// The role as it stands in the object, and in the name of its binding.
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Admin => "admin",
            Role::Edit => "edit",
            Role::View => "view",
        }
    }
}

/// A repository of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("required" = ["url"]))]
pub struct ProjectRepository {
    /// Where it is cloned from.
    pub url: String,
    /// The branch, if not the repository's own default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Who hosts it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
}

/// Who hosts a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// GitHub.
    Github,
    /// GitLab.
    Gitlab,
}

/// What was last seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ProjectSettingsStatus {
    /// The generation of the spec that this status is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// How many bindings of groups there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Integer>", extend("minimum" = 0))]
    pub group_bindings_created: Option<i64>,
    /// Whether what starts scheduled sessions has its rights.
    #[serde(rename = "scheduledSessionRBACReady", skip_serializing_if = "Option::is_none")]
    pub scheduled_session_rbac_ready: Option<bool>,
    /// Whether containers of the namespace have default limits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_range_ready: Option<bool>,
}

/// The CRD of the kind.
pub fn crd() -> Value {
    let spec = crate::schema::structural::<ProjectSettingsSpec>();
    let status = crate::schema::structural::<ProjectSettingsStatus>();
    let mut crd = crate::crd::assemble(
        ProjectSettings::DESCRIPTOR,
        &COLUMNS,
        "What holds for all sessions of a namespace. There is one object of the kind in a namespace.",
        spec,
        status,
    );
    let root = &mut crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    root["x-kubernetes-validations"] = json!([{
        "rule": format!("self.metadata.name == '{NAME}'"),
        "message": format!("the settings of a project are the one object named {NAME}"),
    }]);
    crd
}
