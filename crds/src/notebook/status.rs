//! The `status` of a `Notebook`: what was last seen.

use crate::condition::Condition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was last seen of the notebook. A moment or value that does not apply is absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct NotebookStatus {
    /// Where the notebook is between asked for and gone: `Pending`, `Starting`, `Ready`, `NotReady` (it was ready),
    /// `Stopping`, `Stopped` or `Failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// Where the notebook is reached inside the cluster. Never holds credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The path below `url` under which the server answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_path: Option<String>,
    /// When this run began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When this run was first ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_at: Option<Time>,
    /// When the last run was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<Time>,
    /// Why the last run was stopped: `Requested`, `Idle`, `MaxLifetime` or `Deleted`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_reason: Option<StopReason>,
    /// The last activity; idle time counts from there. Absent: it is not watched, because nothing runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_activity: Option<MicroTime>,
    /// Who reported the last activity: `Ensure`, `Touch`, `Kernel`, `Terminal` or `Api`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_activity_source: Option<ActivitySource>,
    /// The claim that holds the files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim_name: Option<String>,
    /// The Deployment of this run.
    #[serde(rename = "deploymentUID", skip_serializing_if = "Option::is_none")]
    pub deployment_uid: Option<String>,
    /// The image that runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_image: Option<String>,
    /// The generation of the spec that all this was found for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// What is known in detail, and why: `Ready`, `PodScheduled`, `VolumeBound`, `IdleProbe`, `ConfigCurrent` and
    /// `NameConflict`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<Condition>>", extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// Where a notebook is between asked for and gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// Asked for, nothing done yet.
    Pending,
    /// Its objects are there, its server does not answer yet.
    Starting,
    /// Its server answers.
    Ready,
    /// Its server answered, and does not any more.
    NotReady,
    /// Its objects are being deleted.
    Stopping,
    /// Nothing of it runs.
    Stopped,
    /// It cannot go on; the condition `Ready` says why.
    Failed,
}

/// Why a run was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum StopReason {
    /// Somebody asked for it.
    Requested,
    /// Nobody used it.
    Idle,
    /// It ran as long as it may.
    MaxLifetime,
    /// Its Notebook was deleted.
    Deleted,
}

/// Who reported an activity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ActivitySource {
    /// A caller who made sure that the notebook runs.
    Ensure,
    /// A caller who used it.
    Touch,
    /// A kernel of the server.
    Kernel,
    /// A terminal of the server.
    Terminal,
    /// A request to the server.
    Api,
}
