//! What a Job tells of itself.

use crate::core::object::CachedObject;
use k8s_openapi::{api::batch::v1::JobStatus, jiff::Timestamp};
use sojourn_crds::amalthea::names;

/// Finalizer that keeps a Job until its result is on record.
pub const RESULT_FINALIZER: &str = names::RESULT_FINALIZER;

/// The reason of a Job that reached its deadline.
pub const DEADLINE_EXCEEDED: &str = "DeadlineExceeded";

/// How a Job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its pod succeeded.
    Succeeded,
    /// It failed; reason and message are those of the Job's condition.
    Failed {
        /// For example `DeadlineExceeded`.
        reason: String,
        /// For people.
        message: String,
    },
}

/// How the Job ended; `None` while it has not.
pub fn outcome(job: &CachedObject) -> Option<Outcome> {
    let status: JobStatus = job.status();
    let conditions = status.conditions.unwrap_or_default();
    let holds = |kind: &str| {
        conditions.iter().find(|condition| condition.type_ == kind && condition.status == "True")
    };
    if holds("Complete").is_some() {
        return Some(Outcome::Succeeded);
    }
    holds("Failed").map(|failed| Outcome::Failed {
        reason: failed.reason.clone().unwrap_or_default(),
        message: failed.message.clone().unwrap_or_default(),
    })
}

/// When the Job's own clock began. It begins again at each resume, and stands while a queue holds the Job.
pub fn started(job: &CachedObject) -> Option<Timestamp> {
    job.status::<JobStatus>().start_time.map(|time| time.0)
}

/// Whether a workload or pod was made for the run `run`.
pub fn is_of_run(object: &CachedObject, run: &str) -> bool {
    object.annotations.get(names::RUN_ID_ANNOTATION).is_some_and(|id| id == run)
}
