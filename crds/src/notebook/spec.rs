//! The `spec` of a `Notebook`.
//!
//! What is left out is filled in when the notebook starts, from its profile and then from the operator's settings, and
//! is never written into the object: so a changed setting reaches notebooks that did not ask for anything else. Only
//! what no setting decides has a default in the schema.

use super::idle::Idle;
use crate::amalthea::ImagePullPolicy;
use crate::{Raw, duration::GoDuration};
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::networking::v1 as networking;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the notebook is asked to be. Everything may be left out: a Notebook without a spec is the notebook of the
/// workspace that has the object's name, with the operator's settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct NotebookSpec {
    /// The workspace that the notebook belongs to. Default: the name of the object. Deployment and Service are called
    /// `notebook-<workspaceID>`, so it has at most 54 characters, of a-z, 0-9 and '-', with no '-' at the ends. Cannot
    /// be changed or removed.
    #[serde(rename = "workspaceID", skip_serializing_if = "Option::is_none")]
    pub workspace_id: Option<String>,
    /// Tells several notebooks of one workspace apart. Without it the notebook is the workspace's default one; with it
    /// Deployment and Service are called `notebook-<workspaceID>-<serverName>---<hash>`. Same characters as
    /// workspaceID, at most 63. Cannot be changed, added or removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// What happens to a workspaceID or serverName that cannot stand in the name of a Service. `Strict` refuses it.
    /// `Safe` accepts any text and makes a name of it: lower case, '-' for what is not allowed, and a hash of the text
    /// behind `---`. A valid text gives the same name under both. Cannot be changed.
    pub name_scheme: NameScheme,
    /// Whether the notebook runs. `Running` creates Deployment and Service; `Stopped` deletes them and keeps the files.
    /// May be changed at any time; an idle notebook is set to `Stopped` by the operator.
    pub desired_state: DesiredState,
    /// Name of a NotebookProfile that fills in what is not set here. Without it only the operator's settings do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The image that runs. It listens on `port`, at every address, and serves the files below
    /// `workspaceVolume.mountPath`. Default: that of the profile or of the operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// When the image is pulled. Default: that of the operator, which is `IfNotPresent` unless it was set otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<ImagePullPolicy>,
    /// Secrets for pulling the image, in the namespace of the notebook.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<core::LocalObjectReference>>")]
    pub image_pull_secrets: Vec<Raw>,
    /// Requests and limits of the container. Each resource that is not named has the value of the profile or of the
    /// operator (without settings: requests of 500m CPU and 1Gi memory, limits of 2 CPU, 4Gi memory and 5Gi ephemeral
    /// storage). A request must not exceed its limit; a default that does gives way to what is set here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<core::ResourceRequirements>")]
    pub resources: Option<Raw>,
    /// Environment of the container. In values `{workspace_id}` is replaced by the workspace ID, and
    /// `{workspace_id_short}` by its first 8 characters. `NOTEBOOK_BASE_URL` is the path under which the notebook
    /// is reached, as in `/api/notebooks/{workspace_id}/`; by default it is `/`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<core::EnvVar>>", extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub env: Vec<Raw>,
    /// The port that the image listens on, and that of the Service.
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,
    /// The volume of the workspace's files. By default the claim that the operator's settings name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace_volume: Option<WorkspaceVolume>,
    /// How long a start may take, as a Go duration (`60s`, `1h30m`). After it the notebook counts as failed to start,
    /// but is not stopped. Default: that of the operator, 60s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_timeout: Option<GoDuration>,
    /// When the notebook counts as idle, and what happens to it then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<Idle>,
    /// How long the notebook may run in one go before it is stopped, used or not, as a Go duration. Jobs that belong to
    /// the notebook are given at least this time. Default: as long as it likes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_lifetime: Option<GoDuration>,
    /// When a changed spec reaches a notebook that runs. `OnNextStart`: when it is next started. `Immediate`: at once,
    /// which restarts it and ends what runs in it. The condition `ConfigCurrent` says whether a change waits.
    pub rollout_policy: RolloutPolicy,
    /// Who may connect to the notebook. Whoever reaches its port and says in a header who they are is believed, so
    /// it should be reached by nobody but the proxy that sets this header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_policy: Option<NetworkPolicy>,
    /// Laid over the pod template that the operator makes, as `kubectl patch --type=strategic` would: maps are merged
    /// by key, lists of things with names by name, other values replace. Containers that are not called `notebook` run
    /// beside it. It may not touch the labels that select the pod, the mount of the workspace's volume, or the
    /// volume `workspace`. Fields are those of a pod template (`kubectl explain pod.spec`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<core::PodTemplateSpec>")]
    pub pod_template: Option<Raw>,
}

/// The port of a notebook whose spec names none.
pub const DEFAULT_PORT: i32 = 8888;

impl Default for NotebookSpec {
    fn default() -> Self {
        Self {
            workspace_id: None,
            server_name: None,
            name_scheme: NameScheme::default(),
            desired_state: DesiredState::default(),
            profile: None,
            image: None,
            image_pull_policy: None,
            image_pull_secrets: Vec::new(),
            resources: None,
            env: Vec::new(),
            port: DEFAULT_PORT,
            workspace_volume: None,
            ready_timeout: None,
            idle: None,
            max_lifetime: None,
            rollout_policy: RolloutPolicy::default(),
            network_policy: None,
            pod_template: None,
        }
    }
}

/// What happens to identifiers that cannot stand in a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum NameScheme {
    /// They are refused.
    #[default]
    Strict,
    /// A name is made of them.
    Safe,
}

/// Whether a notebook runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DesiredState {
    /// It does.
    #[default]
    Running,
    /// It does not; its files stay.
    Stopped,
}

/// When a changed spec reaches a notebook that runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RolloutPolicy {
    /// When it is next started.
    #[default]
    OnNextStart,
    /// At once.
    Immediate,
}

/// The volume of the workspace's files: a claim that exists (`claimName`), or one that the operator creates
/// (`claimTemplate`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkspaceVolume {
    /// The claim that holds the files, in the namespace of the notebook. `{workspace_id}` and `{workspace_id_short}`
    /// are replaced as in `env`. Default: that of the operator. Not together with claimTemplate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim_name: Option<String>,
    /// Where the volume is mounted in the container.
    pub mount_path: String,
    /// Creates a claim, with the name of the notebook's Deployment, when the notebook first starts. A later change does
    /// not reach a claim that exists. Not together with claimName.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim_template: Option<ClaimTemplate>,
    /// What happens to a claim of claimTemplate when the Notebook is deleted: `Retain` keeps it and the files, `Delete`
    /// deletes both. Stopping a notebook never deletes its claim, and a claim of claimName is never deleted.
    pub reclaim: Reclaim,
}

/// Where the volume is mounted by default.
pub const DEFAULT_MOUNT_PATH: &str = "/workspace";

impl Default for WorkspaceVolume {
    fn default() -> Self {
        Self {
            claim_name: None,
            mount_path: DEFAULT_MOUNT_PATH.into(),
            claim_template: None,
            reclaim: Reclaim::default(),
        }
    }
}

/// The claim that the operator creates.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("required" = ["spec"]))]
pub struct ClaimTemplate {
    /// Labels and annotations of the claim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<ClaimMetadata>,
    /// The claim, as in `kubectl explain persistentvolumeclaim.spec`. It needs `accessModes` and
    /// `resources.requests.storage`.
    #[schemars(with = "core::PersistentVolumeClaimSpec")]
    pub spec: Raw,
}

/// Labels and annotations of the claim.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ClaimMetadata {
    /// Labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "Option<BTreeMap<String, String>>")]
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "Option<BTreeMap<String, String>>")]
    pub annotations: BTreeMap<String, String>,
}

/// What happens to a claim when its Notebook is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Reclaim {
    /// It stays.
    #[default]
    Retain,
    /// It goes too.
    Delete,
}

/// Who may connect to the notebook, and where it may connect to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct NetworkPolicy {
    /// `Managed`: the operator keeps a NetworkPolicy for the notebook's pod. `Unmanaged`: it keeps none, and what else
    /// there is in the namespace decides.
    pub mode: NetworkPolicyMode,
    /// With `Managed`: who may connect to the notebook's port, beside the operator itself, as in
    /// `kubectl explain networkpolicy.spec.ingress.from`. Empty: nobody else.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<networking::NetworkPolicyPeer>>")]
    pub from: Vec<Raw>,
    /// With `Managed`: where the notebook may connect to, as in `kubectl explain networkpolicy.spec.egress`. Absent:
    /// everywhere. An empty list: nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<networking::NetworkPolicyEgressRule>>")]
    pub egress: Option<Vec<Raw>>,
}

/// Who keeps the NetworkPolicy of a notebook.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum NetworkPolicyMode {
    /// Not the operator.
    #[default]
    Unmanaged,
    /// The operator.
    Managed,
}
