//! What is read of all sessions at once.

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use sojourn_crds::amalthea::{AmaltheaSession, SessionType, State};

/// What is read of all sessions at once: by metrics, and to know whether CPU use has to be measured.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The state on record.
    pub state: State,
    /// Whether the session is idle.
    pub idle: bool,
    /// Whether a decision about the session depends on its CPU use.
    pub needs_usage: bool,
    /// Containers that are ready.
    pub ready: u32,
    /// Containers.
    pub total: u32,
    /// Since when the session is idle.
    pub idle_since: Option<Timestamp>,
    /// Since when it fails.
    pub failing_since: Option<Timestamp>,
    /// Since when it is hibernated.
    pub hibernated_since: Option<Timestamp>,
    /// Since when no node takes its pod.
    pub failed_scheduling_since: Option<Timestamp>,
    /// When it will be hibernated.
    pub will_hibernate_at: Option<Timestamp>,
}

impl Summary {
    /// The summary of a session.
    pub fn of(session: &AmaltheaSession) -> Self {
        let status = session.status.clone().unwrap_or_default();
        let moment = |time: &Option<Time>| time.as_ref().map(|time| time.0);
        let count = |count: i64| u32::try_from(count).unwrap_or(0);
        let culled = session
            .spec
            .as_ref()
            .is_some_and(|spec| spec.session_type == SessionType::Interactive && spec.culling.is_some());
        Self {
            state: status.state,
            idle: status.idle,
            needs_usage: culled && status.state == State::Running,
            ready: count(status.container_counts.ready),
            total: count(status.container_counts.total),
            idle_since: moment(&status.idle_since),
            failing_since: moment(&status.failing_since),
            hibernated_since: moment(&status.hibernated_since),
            failed_scheduling_since: moment(&status.failed_scheduling_since),
            will_hibernate_at: moment(&status.will_hibernate_at),
        }
    }
}
