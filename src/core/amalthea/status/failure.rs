//! Why a session fails: the first failure among what belongs to it.

use super::pod_status;
use crate::core::{
    amalthea::{Checked, Observed, PlanContext, conditions::READY, run},
    conditions,
    workload::diagnosis,
};
use sojourn_crds::amalthea::names;

/// The first failure among what belongs to the session: pod, claims, Service, Ingress, quota.
pub(super) fn of_children(checked: &Checked, observed: &Observed, context: &PlanContext) -> Option<String> {
    let name = checked.session.name();
    pod_status(observed)
        .and_then(|pod| diagnosis::of_pod(&pod, observed.pod()))
        .or_else(|| diagnosis::of_claims(observed, claims(checked)))
        .or_else(|| diagnosis::of_load_balancers(observed, name))
        .or_else(|| of_pod_creation(checked, observed, context))
}

/// Names of the session's claims.
fn claims(checked: &Checked) -> impl Iterator<Item = String> {
    let name = checked.session.name();
    let sources = (0..checked.spec.data_sources.len()).map(move |index| names::data_source(name, index));
    std::iter::once(name.to_owned()).chain(sources)
}

/// What keeps the workload from creating its pod, since the current run began and since the session last got or lost
/// its pod.
fn of_pod_creation(checked: &Checked, observed: &Observed, context: &PlanContext) -> Option<String> {
    if checked.spec.hibernated {
        return None;
    }
    let began = match run::run(checked.session, context.now) {
        run::Run::Current(id) => run::began(checked.session, &id),
        _ => None,
    };
    let old = checked.session.status.as_ref();
    let ready = old.and_then(|status| conditions::find(&status.conditions, READY));
    let turned = ready.and_then(|ready| ready.last_transition_time.as_ref()).map(|time| time.0);
    diagnosis::of_pod_creation(observed, began.max(turned))
}
