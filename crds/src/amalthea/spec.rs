//! The `spec` of an `AmaltheaSession`.
//!
//! Field names, defaults and limits are those of the original operator; its manifests apply unchanged.

use super::session::Session;
use crate::{Raw, duration::GoDuration, quantity::Quantity};
use k8s_openapi::api::core::v1 as core;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Texts by key, as labels and annotations are.
pub type StringMap = BTreeMap<String, String>;

/// What a session is asked to be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("required" = ["session"], "x-kubernetes-validations" = [{
    "rule": "(has(self.codeRepositories) && size(self.codeRepositories) > 0) == (has(oldSelf.codeRepositories) && size(oldSelf.codeRepositories) > 0) && (!has(self.codeRepositories) || !has(oldSelf.codeRepositories) || self.codeRepositories == oldSelf.codeRepositories)",
    "message": "CodeRepositories is immutable",
}]))]
pub struct AmaltheaSessionSpec {
    /// Where the user's process runs: in the pod of the session, or on an external system that a
    /// controller in the pod drives. Cannot be changed.
    #[schemars(extend("x-kubernetes-validations" = [{"rule": "self == oldSelf", "message": "location is immutable"}]))]
    pub location: Location,
    /// The main container.
    pub session: Session,
    /// Repositories that are cloned before the session starts. Cannot be changed, added or removed later.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<CodeRepository>>")]
    pub code_repositories: Vec<CodeRepository>,
    /// Remote storage that is mounted into the session.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<DataSource>>")]
    pub data_sources: Vec<DataSource>,
    /// The proxy in front of an interactive session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,
    /// When a session is hibernated, and when it is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub culling: Option<Culling>,
    /// Scales the session to zero. Also set by the operator when a rule of `culling` says so.
    pub hibernated: bool,
    /// Containers that run beside the session's own, names unchanged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<core::Container>>")]
    pub extra_containers: Vec<Raw>,
    /// Init containers that run after the repositories are cloned. `restartPolicy: Always` makes one a
    /// native sidecar.
    #[serde(rename = "initContainers", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<core::Container>>")]
    pub extra_init_containers: Vec<Raw>,
    /// Volumes of the pod. Names that start with `amalthea-` are taken by the operator.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<core::Volume>>")]
    pub extra_volumes: Vec<Raw>,
    /// How the session is reached from outside the cluster. Without it there is no Ingress.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingress: Option<Ingress>,
    /// Copied to the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-map-type" = "atomic"))]
    pub node_selector: Option<StringMap>,
    /// Copied to the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<core::Affinity>")]
    pub affinity: Option<Raw>,
    /// Copied to the pod.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<core::Toleration>>")]
    pub tolerations: Vec<Raw>,
    /// When an edit of the spec reaches a session that exists. Hibernating, resuming and culling work
    /// under each.
    pub reconcile_strategy: ReconcileStrategy,
    /// Copied to the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority_class_name: Option<String>,
    /// Secrets for pulling images. When given, the operator's image rewriting is off.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<SecretRef>>")]
    pub image_pull_secrets: Vec<SecretRef>,
    /// Copied to the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
    /// Labels and annotations for everything that belongs to the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<Template>,
    /// A session that somebody connects to, or a job that runs to its end. Cannot be changed.
    #[schemars(extend("x-kubernetes-validations" = [{"rule": "self == oldSelf", "message": "session type is immutable"}]))]
    pub session_type: SessionType,
}

/// Where the user's process runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Location {
    /// In the pod of the session.
    #[default]
    Local,
    /// On an external system.
    Remote,
}

/// What kind of workload a session is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SessionType {
    /// StatefulSet, Service and Ingress.
    #[default]
    Interactive,
    /// A Job.
    NonInteractive,
}

/// When an edit of the spec reaches what exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ReconcileStrategy {
    /// Not at all, but for hibernation and scheduling fields.
    Never,
    /// At once, even if the session restarts.
    #[default]
    Always,
    /// When a restart disturbs nobody.
    WhenFailedOrHibernated,
}

/// A repository that is cloned before the session starts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("required" = ["remote"]))]
pub struct CodeRepository {
    /// Kind of repository.
    #[serde(rename = "type")]
    pub kind: RepositoryType,
    /// The directory, relative to the session's volume, that will contain the clone.
    #[schemars(extend("default" = "."))]
    pub clone_path: ClonePath,
    /// Where the repository is cloned from.
    pub remote: String,
    /// Branch, tag or commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Credentials for cloning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloning_config_secret_ref: Option<SecretKeyRef>,
    /// Configuration of the repository after cloning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_secret_ref: Option<SecretKeyRef>,
}

/// A directory to clone into; the default is the volume's root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ClonePath(pub String);

impl Default for ClonePath {
    fn default() -> Self {
        Self(".".into())
    }
}

/// Kind of repository.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RepositoryType {
    /// Git.
    #[default]
    Git,
}

/// Remote storage that is mounted into a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DataSource {
    /// Kind of storage.
    #[serde(rename = "type")]
    pub kind: DataSourceType,
    /// Where the storage is mounted in the session.
    pub mount_path: String,
    /// Access mode of the claim; `ReadOnlyMany` mounts read-only.
    pub access_mode: String,
    /// The secret that says how the storage is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretRef>,
}

impl Default for DataSource {
    fn default() -> Self {
        Self {
            kind: DataSourceType::Rclone,
            mount_path: "data".into(),
            access_mode: "ReadOnlyMany".into(),
            secret_ref: None,
        }
    }
}

/// Kind of remote storage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DataSourceType {
    /// The rclone CSI driver.
    #[default]
    Rclone,
}

/// The proxy in front of an interactive session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Authentication {
    /// Whether there is a proxy.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// How users prove who they are.
    #[serde(rename = "type")]
    pub kind: AuthenticationType,
    /// The secret that configures the proxy. `token` and `oauth2proxy` need its `key`.
    pub secret_ref: SecretRef,
    /// Mounts of the proxy's container.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<core::VolumeMount>>")]
    pub extra_volume_mounts: Vec<Raw>,
}

fn yes() -> bool {
    true
}

/// How users prove who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AuthenticationType {
    /// A shared token.
    Token,
    /// oauth2-proxy with a configuration of its own.
    Oauth2proxy,
    /// oauth2-proxy, configured by the operator for an OpenID Connect provider.
    Oidc,
}

/// When a session is hibernated, and when it is deleted. Zero or absent: never.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Culling {
    /// How long a run of the session may last. A batch job is ended after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<GoDuration>,
    /// How long a session may be idle before it is hibernated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_idle_duration: Option<GoDuration>,
    /// How long a session may take to start before it is hibernated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_starting_duration: Option<GoDuration>,
    /// How long a session may fail before it is hibernated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_failed_duration: Option<GoDuration>,
    /// How long a session may be hibernated (a batch job: finished) before it is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_hibernated_duration: Option<GoDuration>,
    /// When somebody last used the session; idle time counts from there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub last_interaction: Option<String>,
    /// CPU use below which the session counts as idle.
    #[schemars(extend("default" = "300m"))]
    pub cpu_idle_threshold: CpuThreshold,
}

/// CPU use below which a session counts as idle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CpuThreshold(pub Quantity);

impl Default for CpuThreshold {
    fn default() -> Self {
        Self("300m".into())
    }
}

impl JsonSchema for CpuThreshold {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "CpuThreshold".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        crate::quantity::schema()
    }
}

/// How a session is reached from outside the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("required" = ["host"]))]
pub struct Ingress {
    /// Annotations of the Ingress; they win over those of `template`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotations: Option<StringMap>,
    /// Class of the Ingress; without it the cluster's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingress_class_name: Option<String>,
    /// Host of the session's URL. Cannot be changed.
    #[schemars(extend("x-kubernetes-validations" = [{"rule": "self == oldSelf", "message": "Host is immutable"}]))]
    pub host: String,
    /// The TLS secret of the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_secret: Option<SecretRef>,
    /// Path under which the session is reached.
    #[schemars(extend("default" = "/"))]
    pub path_prefix: PathPrefix,
    /// Whether the ingress controller's own certificate serves the host.
    #[serde(rename = "useDefaultClusterTLSCert")]
    pub use_default_cluster_tls_cert: bool,
    /// Whether the session's URL is https although TLS ends elsewhere.
    pub assume_https: bool,
}

/// A URL path; the default is the root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct PathPrefix(pub String);

impl Default for PathPrefix {
    fn default() -> Self {
        Self("/".into())
    }
}

/// A secret, or a key of one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretRef {
    /// Name of the secret, in the namespace of the session.
    pub name: String,
    /// A key of the secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Whether the secret is deleted with the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopt: Option<bool>,
}

/// A key of a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretKeyRef {
    /// Name of the secret, in the namespace of the session.
    pub name: String,
    /// A key of the secret.
    pub key: String,
    /// Whether the secret is deleted with the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopt: Option<bool>,
}

/// Labels and annotations for everything that belongs to a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Template {
    /// Labels and annotations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<TemplateMetadata>,
}

/// Labels and annotations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct TemplateMetadata {
    /// Annotations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotations: Option<StringMap>,
    /// Labels; those that select the session's pods win.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<StringMap>,
}
