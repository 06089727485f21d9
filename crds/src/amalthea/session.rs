//! `spec.session`: the container of the user's process, its files, and how it is found ready.

use super::spec::SecretRef;
use crate::{Raw, quantity::Quantity};
use k8s_openapi::api::core::v1 as core;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The main container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("required" = ["image"]))]
pub struct Session {
    /// The image that runs.
    pub image: String,
    /// When the image is pulled.
    pub image_pull_policy: ImagePullPolicy,
    /// Replaces the image's entrypoint.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<String>>")]
    pub command: Vec<String>,
    /// Replaces the image's arguments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<String>>")]
    pub args: Vec<String>,
    /// Environment of the container.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<core::EnvVar>>")]
    pub env: Vec<Raw>,
    /// Requests and limits of the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<core::ResourceRequirements>")]
    pub resources: Option<Raw>,
    /// The port that the session listens on.
    #[schemars(extend("minimum" = 0, "exclusiveMinimum" = true, "maximum" = 65530, "exclusiveMaximum" = true))]
    pub port: i32,
    /// The volume that holds the user's files.
    #[schemars(extend("default" = {}))]
    pub storage: Storage,
    /// Size of `/dev/shm`. Without it the container has the runtime's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shm_size: Option<Quantity>,
    /// Working directory of the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// User id of the process.
    #[schemars(range(min = 0))]
    pub run_as_user: i64,
    /// Group id of the process, and of the files on the session's volume.
    #[schemars(range(min = 0))]
    pub run_as_group: i64,
    /// The path at which the session answers. It should lie under `ingress.pathPrefix`.
    #[serde(rename = "urlPath")]
    pub url_path: String,
    /// Whether the authentication proxy removes `urlPath` from requests.
    #[serde(rename = "stripURLPath")]
    pub strip_url_path: bool,
    /// Mounts of the container beside those of the operator.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<core::VolumeMount>>")]
    pub extra_volume_mounts: Vec<Raw>,
    /// How the session is found ready.
    #[schemars(extend("default" = {}))]
    pub readiness_probe: ReadinessProbe,
    /// What a remote session's controller needs to know, as environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_secret_ref: Option<SecretRef>,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            image: String::new(),
            image_pull_policy: ImagePullPolicy::default(),
            command: Vec::new(),
            args: Vec::new(),
            env: Vec::new(),
            resources: None,
            port: 8000,
            storage: Storage::default(),
            shm_size: None,
            working_dir: None,
            run_as_user: 1000,
            run_as_group: 1000,
            url_path: "/".into(),
            strip_url_path: false,
            extra_volume_mounts: Vec::new(),
            readiness_probe: ReadinessProbe::default(),
            remote_secret_ref: None,
        }
    }
}

/// When an image is pulled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ImagePullPolicy {
    /// At every start.
    #[default]
    Always,
    /// Never; it must be there.
    Never,
    /// When it is not there yet.
    IfNotPresent,
}

/// The volume that holds the user's files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Storage {
    /// Storage class; without it the cluster's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_name: Option<String>,
    /// Size of the volume.
    #[schemars(extend("default" = "1Gi"))]
    pub size: Quantity,
    /// Where the volume is mounted.
    pub mount_path: String,
}

impl Default for Storage {
    fn default() -> Self {
        Self { class_name: None, size: "1Gi".into(), mount_path: "/workspace".into() }
    }
}

/// How a session is found ready.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ReadinessProbe {
    /// `none` for programs that open no port.
    #[serde(rename = "type")]
    pub kind: ProbeType,
}

/// What a readiness probe does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProbeType {
    /// Nothing.
    None,
    /// Connects to the session's port.
    #[default]
    Tcp,
    /// Asks for `urlPath`.
    Http,
}
