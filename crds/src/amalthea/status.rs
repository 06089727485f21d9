//! The `status` of an `AmaltheaSession`: what was last seen.

pub use crate::condition::Condition;
use crate::condition::DateTime;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was last seen of a session. Every "since" is absent while it does not apply.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AmaltheaSessionStatus {
    /// The generation of the spec that this status is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// What is known beside the state, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<Condition>>")]
    pub conditions: Vec<Condition>,
    /// The state in one word.
    pub state: State,
    /// Where the session is reached; the text `None` when it is not reached from outside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Containers of the pod.
    pub container_counts: ContainerCounts,
    /// Init containers of the pod.
    pub init_container_counts: ContainerCounts,
    /// Whether nobody uses the session.
    pub idle: bool,
    /// Since when nobody uses the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<DateTime>")]
    pub idle_since: Option<Time>,
    /// Since when the session fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<DateTime>")]
    pub failing_since: Option<Time>,
    /// Since when no node takes the session's pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<DateTime>")]
    pub failed_scheduling_since: Option<Time>,
    /// Since when the session is hibernated.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<DateTime>")]
    pub hibernated_since: Option<Time>,
    /// When the session will be hibernated if nothing changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<DateTime>")]
    pub will_hibernate_at: Option<Time>,
    /// Identity of the current run, a ULID. Absent while hibernated; new at each resume.
    #[serde(rename = "runID", skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// Why the session fails or does not start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The state of a session in one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum State {
    /// It can be used; a batch job is at work.
    Running,
    /// It cannot go on; `error` says why.
    Failed,
    /// It is scaled to zero.
    Hibernated,
    /// It is starting, or waiting for something; `error` may say for what.
    #[default]
    NotReady,
    /// Kept for clients that know it; never set.
    RunningDegraded,
    /// The batch job ended well.
    Succeeded,
}

impl State {
    /// Every state, in the order of the schema's enum.
    pub const ALL: [State; 6] = [
        State::Running,
        State::Failed,
        State::Hibernated,
        State::NotReady,
        State::RunningDegraded,
        State::Succeeded,
    ];

    /// The state as it stands in the object.
    pub const fn as_str(self) -> &'static str {
        match self {
            State::Running => "Running",
            State::Failed => "Failed",
            State::Hibernated => "Hibernated",
            State::NotReady => "NotReady",
            State::RunningDegraded => "RunningDegraded",
            State::Succeeded => "Succeeded",
        }
    }
}

/// How many containers there are, and how many of them are ready. Zero is written, so that `kubectl get` shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ContainerCounts {
    /// Ready and running, or ended as they should.
    pub ready: i64,
    /// All of them, also before the node has reported on any.
    pub total: i64,
}
