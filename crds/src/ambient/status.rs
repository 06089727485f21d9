//! The `status` of an `AgenticSession`: what was last seen.

use super::spec::Integer;
pub use crate::condition::Condition;
use crate::condition::DateTime;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was last seen of a session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AgenticSessionStatus {
    /// The generation of the spec that the workload was made for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Where the session stands.
    #[schemars(extend("enum" = Phase::ALL.map(Phase::as_str)))]
    pub phase: Phase,
    /// When the session was first seen, or last asked to start again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<DateTime>")]
    pub start_time: Option<Time>,
    /// When the session ended. Absent while it has not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<DateTime>")]
    pub completion_time: Option<Time>,
    /// The repositories that the runner was told of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<ReconciledRepository>>")]
    pub reconciled_repos: Vec<ReconciledRepository>,
    /// The workflow that the runner was told of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reconciled_workflow: Option<ReconciledWorkflow>,
    /// When the session was last used. Written by the platform's backend.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<DateTime>")]
    pub last_activity_time: Option<Time>,
    /// Why the session was stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_reason: Option<StoppedReason>,
    /// Kept for clients that know it; never set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sdk_session_id: Option<String>,
    /// Kept for clients that know it; never set.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Integer>")]
    pub sdk_restart_count: Option<i64>,
    /// What is known beside the phase, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<Condition>>")]
    pub conditions: Vec<Condition>,
}

/// Where a session stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// It has no workload yet.
    #[default]
    Pending,
    /// Its workload is starting.
    Creating,
    /// The agent is there.
    Running,
    /// Its workload is being deleted.
    Stopping,
    /// It was stopped. It can be started again.
    Stopped,
    /// The agent is done. It can be started again.
    Completed,
    /// It cannot go on; its conditions say why. It can be started again.
    Failed,
    /// A value of another version. Nothing is done with such a session.
    #[serde(other)]
    Unknown,
}

impl Phase {
    /// Every phase that is ever written, in the order of the schema's enum.
    pub const ALL: [Phase; 7] = [
        Phase::Pending,
        Phase::Creating,
        Phase::Running,
        Phase::Stopping,
        Phase::Stopped,
        Phase::Completed,
        Phase::Failed,
    ];

    /// The phase as it stands in the object.
    pub const fn as_str(self) -> &'static str {
        match self {
            Phase::Pending => "Pending",
            Phase::Creating => "Creating",
            Phase::Running => "Running",
            Phase::Stopping => "Stopping",
            Phase::Stopped => "Stopped",
            Phase::Completed => "Completed",
            Phase::Failed => "Failed",
            Phase::Unknown => "Unknown",
        }
    }

    /// Whether the session has no workload and will have none until it is started again.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Phase::Stopped | Phase::Completed | Phase::Failed)
    }
}

/// Why a session was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StoppedReason {
    /// Somebody asked for it.
    User,
    /// Nobody used it.
    Inactivity,
}

/// A repository that the runner was told of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ReconciledRepository {
    /// Where it is cloned from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The branch that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Kept for clients that know it; never set.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<String>>")]
    pub branches: Vec<String>,
    /// Kept for clients that know it; never set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_active_branch: Option<String>,
    /// Kept for clients that know it; never set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_branch: Option<String>,
    /// The directory that holds the clone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How far it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<RepositoryStatus>,
    /// When the runner was told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<DateTime>")]
    pub cloned_at: Option<Time>,
}

/// How far the clone of a repository is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RepositoryStatus {
    /// Under way.
    Cloning,
    /// There.
    Ready,
    /// It cannot be cloned.
    Failed,
}

/// The workflow that the runner was told of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ReconciledWorkflow {
    /// The repository that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git_url: Option<String>,
    /// The branch that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Where in the repository it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// How far it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<WorkflowStatus>,
    /// When the runner was told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<DateTime>")]
    pub applied_at: Option<Time>,
}

/// How far a workflow is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WorkflowStatus {
    /// Under way.
    Cloning,
    /// The agent follows it.
    Active,
    /// It cannot be followed.
    Failed,
}
