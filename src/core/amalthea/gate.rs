//! Whether the changes that a reconcile strategy holds back may go through now.
//!
//! The session's own workload decides, as it is now. An error elsewhere, such as a Service that a quota does not allow
//! or a disk that cannot grow, may make the session `Failed` too, but restarts nothing.

use super::{Checked, Observed};
use crate::core::{
    manifest::{self, DesiredObject},
    object::Kind,
    workload::{WorkloadKind as _, diagnosis},
};
use k8s_openapi::api::core::v1::PodStatus;
use sojourn_crds::amalthea::{AmaltheaSession, AmaltheaSessionStatus, ReconcileStrategy, State};

/// Whether held-back fields are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gate {
    workload: bool,
    others: bool,
}

impl Gate {
    /// The gate of a session with the children `wanted`; `status` is the one on record.
    pub(super) fn of(
        checked: &Checked,
        wanted: &[DesiredObject],
        observed: &Observed,
        status: &AmaltheaSessionStatus,
    ) -> Self {
        let both = |open| Self { workload: open, others: open };
        match checked.spec.reconcile_strategy {
            ReconcileStrategy::Always => both(true),
            ReconcileStrategy::Never => both(false),
            ReconcileStrategy::WhenFailedOrHibernated => {
                let failed = status.state == State::Failed;
                let workload = is_asleep(observed) || (failed && !is_at_work(observed));
                // A pass that was cut off after the write of the workload leaves the others to the next one.
                let began = failed || status.state == State::Hibernated;
                Self { workload, others: workload || (began && is_up_to_date(wanted, observed)) }
            }
        }
    }

    /// Whether those of a child are.
    pub(super) fn is_open(self, child: &DesiredObject) -> bool {
        if AmaltheaSession::WORKLOADS.contains(&child.kind) { self.workload } else { self.others }
    }
}

/// Whether the workload asks for no pod. A write that failed while the session slept is so repeated when it resumes,
/// before a pod is made.
pub(super) fn is_asleep(observed: &Observed) -> bool {
    let asks = |kind, field: &str, asleep: serde_json::Value| {
        let workload = observed.owned(kind, observed.session.name());
        workload.is_some_and(|workload| workload.body()["spec"][field] != asleep)
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

/// Whether nothing is held back of the workload, so that the other children fit it.
fn is_up_to_date(wanted: &[DesiredObject], observed: &Observed) -> bool {
    let mut workloads = wanted.iter().filter(|child| AmaltheaSession::WORKLOADS.contains(&child.kind));
    workloads.all(|child| {
        observed.owned(child.kind, &child.name).is_some_and(|live| manifest::is_up_to_date(child, live))
    })
}
