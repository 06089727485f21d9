//! Why a session fails: the first failure among what belongs to it.

use super::pod_status;
use crate::core::{
    amalthea::{Checked, Observed, PlanContext, conditions::READY, run},
    conditions,
    workload::diagnosis,
};
use sojourn_crds::amalthea::names;
use sojourn_webhooks::rules::{amalthea_session::pod_security, pod_security::Enforced};

/// Fields that a message lists. The admission warns about all of them.
const MOST_LISTED: usize = 20;

/// Why a session fails.
pub(super) struct Failure {
    pub(super) message: String,
    /// Whether its namespace does not allow its pod.
    pub(super) violates_pod_security: bool,
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self { message, violates_pod_security: false }
    }
}

/// The first failure among what belongs to the session: pod, claims, Service, Ingress, quota.
pub(super) fn of_children(checked: &Checked, observed: &Observed, context: &PlanContext) -> Option<Failure> {
    let name = checked.session.name();
    pod_status(observed)
        .and_then(|pod| diagnosis::of_pod(&pod, observed.pod()))
        .or_else(|| diagnosis::of_claims(observed, claims(checked)))
        .or_else(|| diagnosis::of_load_balancers(observed, name))
        .map(Failure::from)
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
fn of_pod_creation(checked: &Checked, observed: &Observed, context: &PlanContext) -> Option<Failure> {
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
    let refusal = diagnosis::pod_refusal(observed, began.max(turned))?;
    Some(match Enforced::in_refusal(refusal, context.settings.kubernetes) {
        Some(enforced) => Failure {
            message: of_pod_security(checked, enforced, context)
                .unwrap_or_else(|| diagnosis::of_pod_creation(refusal)),
            violates_pod_security: true,
        },
        None => diagnosis::of_pod_creation(refusal).into(),
    })
}

/// The fields that Pod Security does not allow, a line for each, in the words of the admission. `None` if what is not
/// allowed is in none of ours: another webhook may change pods.
fn of_pod_security(checked: &Checked, enforced: Enforced, context: &PlanContext) -> Option<String> {
    let pod_security = context.settings.pod_security;
    let findings = pod_security::of_session(checked.session, checked.spec, enforced, pod_security);
    if findings.is_empty() {
        return None;
    }
    let more = findings.len().saturating_sub(MOST_LISTED);
    let lines = findings.iter().take(MOST_LISTED).map(|finding| format!("\n{finding}"));
    let more = (more > 0).then(|| format!("\nand {more} more"));
    let lines: String = lines.chain(more).collect();
    let level = enforced.level;
    Some(format!("the pod of the session cannot be created: it violates PodSecurity {level}{lines}"))
}
