//! Names that the original operator gave to what belongs to a session. Its backend, its runners and running sessions
//! know them.

/// Annotation: what the session is asked to become, [`RUNNING`] or [`STOPPED`].
pub const DESIRED_PHASE: &str = "ambient-code.io/desired-phase";
/// Value of [`DESIRED_PHASE`]: start.
pub const RUNNING: &str = "Running";
/// Value of [`DESIRED_PHASE`]: stop.
pub const STOPPED: &str = "Stopped";
/// Annotation: when a start was asked for.
pub const START_REQUESTED_AT: &str = "ambient-code.io/start-requested-at";
/// Annotation: when a stop was asked for.
pub const STOP_REQUESTED_AT: &str = "ambient-code.io/stop-requested-at";
/// Annotation: why a stop was asked for.
pub const STOP_REASON: &str = "ambient-code.io/stop-reason";
/// Values of [`STOP_REASON`] that anybody writes. All but the first are reported as a user's.
pub const STOP_REASONS: [&str; 3] = ["inactivity", "user", "run-finished"];
/// Annotation: the next start is told its prompt once more.
pub const FORCE_EXECUTE_PROMPT: &str = "ambient-code.io/force-execute-prompt";
/// Annotation: whether the files of a session without workload are wanted.
pub const TEMP_CONTENT_REQUESTED: &str = "ambient-code.io/temp-content-requested";
/// Annotation: the session that this one continues.
pub const PARENT_SESSION: &str = "vteam.ambient-code/parent-session-id";

/// Label: which session an object belongs to.
pub const LABEL_SESSION: &str = "agentic-session";
/// Label: what an object is.
pub const LABEL_APP: &str = "app";
/// Value of [`LABEL_APP`] on the workload of a session.
pub const APP_RUNNER: &str = "ambient-code-runner";

/// The secret with the keys of the model, in the namespace of the session.
pub const RUNNER_SECRET: &str = "ambient-runner-secrets";

/// Variable: the session that this one continues, where the annotation does not say so.
pub const PARENT_SESSION_VARIABLE: &str = "PARENT_SESSION_ID";
/// Variable: where, relative to the workspace, the agent keeps its state.
pub const STATE_DIR_VARIABLE: &str = "RUNNER_STATE_DIR";

/// The Job of a session.
pub fn job(session: &str) -> String {
    format!("{session}-job")
}

/// The Service by which the runner of a session is reached.
pub fn service(session: &str) -> String {
    format!("session-{session}")
}

/// The Service by which the files of a session are reached.
pub fn content_service(session: &str) -> String {
    format!("ambient-content-{session}")
}

/// The binding of a group to a role.
pub fn group_binding(group: &str, role: super::Role) -> String {
    format!("{group}-{}", role.as_str())
}
