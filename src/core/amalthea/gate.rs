//! Whether the changes that a reconcile strategy holds back may go through now.
//!
//! The session's own workload decides, as it is now. An error elsewhere, such as a Service that a quota does not allow
//! or a disk that cannot grow, may make the session `Failed` too, but restarts nothing.

use super::Observed;
use crate::core::{object::Kind, workload::diagnosis};
use k8s_openapi::api::core::v1::PodStatus;
use sojourn_crds::amalthea::{AmaltheaSessionStatus, ReconcileStrategy, State};

/// Whether held-back fields are written. `status` is the one on record.
pub(super) fn is_open(
    strategy: ReconcileStrategy,
    observed: &Observed,
    status: &AmaltheaSessionStatus,
) -> bool {
    match strategy {
        ReconcileStrategy::Always => true,
        ReconcileStrategy::Never => false,
        ReconcileStrategy::WhenFailedOrHibernated => {
            is_asleep(observed) || (status.state == State::Failed && !is_at_work(observed))
        }
    }
}

/// Whether the workload asks for no pod. A write that failed while the session slept is so repeated when it resumes,
/// before a pod is made.
pub(super) fn is_asleep(observed: &Observed) -> bool {
    let owned = |kind| observed.owned(kind, observed.session.name());
    let asks = |kind, field: &str, asleep: serde_json::Value| {
        owned(kind).is_some_and(|workload| workload.body()["spec"][field] != asleep)
    };
    !asks(Kind::StatefulSet, "replicas", 0.into()) && !asks(Kind::Job, "suspend", true.into())
}

/// Whether the session has a pod that was started and has not failed.
fn is_at_work(observed: &Observed) -> bool {
    observed.pod().filter(|pod| !pod.deleting).is_some_and(|pod| {
        let status: PodStatus = pod.status();
        status.phase.as_deref() != Some("Pending") && diagnosis::of_pod(&status, Some(pod)).is_none()
    })
}
