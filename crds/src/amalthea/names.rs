//! Names that the original operator gave to what belongs to a session. Clients, dashboards and running
//! sessions know them.

/// Start of names that are the operator's own.
pub const PREFIX: &str = "amalthea-";
/// The container of the user's process.
pub const SESSION_CONTAINER: &str = "amalthea-session";
/// The volume of the user's files.
pub const SESSION_VOLUME: &str = "amalthea-volume";
/// The volume behind `/dev/shm`.
pub const SHM_VOLUME: &str = "amalthea-dev-shm";
/// The Service's port of the session.
pub const HTTP_PORT: &str = "amalthea-http";
/// The Service's port of the proxy's own endpoints.
pub const META_PORT: &str = "amalthea-http-meta";
/// The port of the tunnel of a remote session.
pub const TUNNEL_PORT: &str = "amalthea-tunnel";
/// The container of the tunnel of a remote session.
pub const TUNNEL_CONTAINER: &str = "tunnel";
/// The path of the tunnel under the session's own.
pub const TUNNEL_PATH: &str = "__amalthea__/tunnel";
/// The container of the authentication proxy.
pub const AUTHPROXY_CONTAINER: &str = "authproxy";
/// The container of oauth2-proxy.
pub const OAUTH2_PROXY_CONTAINER: &str = "oauth2-proxy";

/// Label: what kind of thing an object belongs to.
pub const LABEL_NAME: &str = "app.kubernetes.io/name";
/// Label: which session an object belongs to.
pub const LABEL_INSTANCE: &str = "app.kubernetes.io/instance";
/// Label: the operator's name.
pub const LABEL_PART_OF: &str = "app.kubernetes.io/part-of";
/// Label: the operator's program.
pub const LABEL_CREATED_BY: &str = "app.kubernetes.io/created-by";
/// Value of [`LABEL_NAME`].
pub const NAME_VALUE: &str = "AmaltheaSession";
/// Value of [`LABEL_PART_OF`].
pub const PART_OF_VALUE: &str = "amaltheasession-operator";
/// Value of [`LABEL_CREATED_BY`].
pub const CREATED_BY_VALUE: &str = "controller-manager";

/// Annotation: the run that a pod belongs to.
pub const RUN_ID_ANNOTATION: &str = "renku.io/run_id";
/// Annotation: the UID of the session that a pod belongs to.
pub const SESSION_UID_ANNOTATION: &str = "renku.io/session_uid";
/// Annotation: the secret that an rclone claim is reached with.
pub const RCLONE_SECRET_ANNOTATION: &str = "csi-rclone.dev/secretName";
/// Finalizer of sessions that have secrets to delete.
pub const SECRETS_FINALIZER: &str = "amalthea.dev/secrets-finalizer";
/// Finalizer of Jobs whose result was not recorded yet.
pub const RESULT_FINALIZER: &str = "sojourn.dev/result";
/// Label by which a Job says that a queueing controller decides when it runs.
pub const QUEUE_LABEL: &str = "kueue.x-k8s.io/queue-name";

/// Port of the Service.
pub const SERVICE_PORT: i32 = 80;
/// Port where users are authenticated.
pub const AUTHENTICATED_PORT: i32 = 65535;
/// Port of the proxy's own endpoints.
pub const PROXY_META_PORT: i32 = 65534;
/// Port of the proxy that stands behind oauth2-proxy.
pub const SECOND_PROXY_PORT: i32 = 65533;
/// Port of a remote session's controller.
pub const REMOTE_CONTROLLER_PORT: i32 = 65532;
/// Port of a remote session's tunnel.
pub const TUNNEL_PORT_NUMBER: i32 = 65531;

/// The secret that the operator writes for a session.
pub fn internal_secret(session: &str) -> String {
    format!("{session}---internal")
}

/// The claim, and the volume, of a session's data source.
pub fn data_source(session: &str, index: usize) -> String {
    format!("{PREFIX}{session}-ds-{index}")
}

/// Whether a claim has the name of one of the session's data sources.
pub fn is_data_source(session: &str, name: &str) -> bool {
    let index = name.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix(session)?.strip_prefix("-ds-"));
    index.is_some_and(|index| !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The only pod of an interactive session.
pub fn pod(session: &str) -> String {
    format!("{session}-0")
}

/// The init container that clones a repository.
pub fn clone_container(index: usize) -> String {
    format!("git-clone-{index}")
}
