//! A batch session ends when its own container does.
//!
//! Its Job ends when all regular containers of the pod have ended. One that runs on beside the session, such as the proxy
//! of a service mesh, would keep the Job at work until its deadline. So the end of the session's own container is the
//! result; when it is on record and the others had time to end too, the Job is deleted. A suspended Job would be started
//! again by whoever queues it, and a deadline would make it fail.

use super::Observed;
use crate::core::{
    object::CachedObject,
    workload::{
        diagnosis::{self, ContainerEnd},
        job::outcome,
    },
};
use k8s_openapi::{api::core::v1::PodStatus, jiff::Timestamp};
use sojourn_crds::{amalthea::names::SESSION_CONTAINER, duration::Span};

/// How long other containers may run on after the session's own, for example to store what it made.
const GRACE: Span = Span::seconds(30);

/// How the session's own container ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Completion {
    /// Its end.
    pub(super) end: ContainerEnd,
    /// Whether another regular container of the pod has not ended.
    pub(super) others_run: bool,
}

/// How the session's own container ended in the pod of `job`. `None` while it has not, and when the pod as a whole is
/// being ended: that is no result.
pub(super) fn of(observed: &Observed, job: &CachedObject) -> Option<Completion> {
    let of_job = |pod: &&CachedObject| !pod.deleting && pod.owner.as_ref() == Some(&job.uid);
    let pod = observed.pod().filter(of_job)?;
    let status: PodStatus = pod.status();
    if status.reason.as_ref().is_some_and(|reason| !reason.is_empty())
        || diagnosis::disruption(&status).is_some()
    {
        return None;
    }
    let end = diagnosis::container_end(&status, &pod.name, SESSION_CONTAINER)?;
    let mut containers = status.container_statuses.iter().flatten();
    let others_run =
        containers.any(|container| container.state.as_ref().is_none_or(|state| state.terminated.is_none()));
    Some(Completion { end, others_run })
}

/// When the Job of a session whose result is on record is deleted, because containers run on in its pod. `None` for a Job
/// that ends by itself.
pub(super) fn ends_at(observed: &Observed, job: &CachedObject) -> Option<Timestamp> {
    if outcome(job).is_some() || job.deleting {
        return None;
    }
    let completion = of(observed, job).filter(|completion| completion.others_run)?;
    completion.end.at?.checked_add(jiff::SignedDuration::from(GRACE)).ok()
}
