//! What is observed of an `AmaltheaSession` beside its children.

use crate::core::{settings::SessionSettings, workload};
use k8s_openapi::jiff::Timestamp;
use sojourn_crds::amalthea::AmaltheaSession;

/// What the cluster holds of one session.
pub type Observed = workload::Observed<AmaltheaSession>;

/// What a decision may know beside what was observed.
pub type PlanContext<'a> = workload::PlanContext<'a, SessionSettings>;

/// What is asked for beside what the watches tell: mostly of a session's use.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measurements {
    /// CPU use of the session's container.
    pub usage: Option<Usage>,
    /// What the session's proxy answered about its requests.
    pub requests: Option<Requests>,
    /// UID of the pod whose proxy answered.
    pub requests_pod: String,
    /// Whether the API server was asked for the claim of the session's files, which the watches do not know any more,
    /// and has none.
    pub claim_is_gone: bool,
}

/// CPU use of a container.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// Billionths of a core.
    pub cpu_nanos: i128,
    /// When it was measured.
    pub at: Timestamp,
}

/// What a session's proxy knows of its requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requests {
    /// When the last one came; `None` when the proxy did not answer.
    pub last: Option<Timestamp>,
    /// When it was asked.
    pub asked: Timestamp,
}
