//! The state of a session in one word, and why.

use super::{
    failure::{self, Failure},
    interruption, pod_status,
};
use crate::{
    core::{
        amalthea::{
            Applied, Checked, ChildError, Observed, PlanContext, completion,
            conditions::FINISHED,
            deadlines, deletion,
            files::{self, Files},
            plan::is_backstop,
            reasons::FinishedReason,
            run::{self, Run},
        },
        conditions,
        error::ErrorClass,
        object::{CachedObject, Kind},
        workload::{
            WorkloadKind, diagnosis,
            job::{DEADLINE_EXCEEDED, Outcome, is_of_run, outcome},
            pod,
        },
    },
    reason::Reason,
};
use k8s_openapi::api::{apps::v1::StatefulSetStatus, batch::v1::JobStatus, core::v1::PodStatus};
use sojourn_crds::amalthea::{AmaltheaSession, AmaltheaSessionStatus, State};

/// What was seen of a session.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) state: State,
    /// Why it fails, or what it waits for.
    pub(super) error: Option<String>,
    /// Whether no node takes its pod.
    pub(super) unschedulable: bool,
    /// Whether its namespace does not allow its pod.
    pub(super) violates_pod_security: bool,
    /// How its batch job ended.
    pub(super) finished: Option<Finished>,
    /// Whether its Job was ended by a deadline that only stands behind the operator's own.
    pub(super) backstop_reached: bool,
}

/// How a batch job ended, as it goes on record.
#[derive(Clone, Debug)]
pub(super) struct Finished {
    pub(super) reason: String,
    pub(super) message: String,
}

impl Seen {
    fn new(state: State, error: Option<String>) -> Self {
        Self {
            state,
            error,
            unschedulable: false,
            violates_pod_security: false,
            finished: None,
            backstop_reached: false,
        }
    }
}

/// Looks at everything that belongs to the session. The first rule that fits decides.
pub(super) fn see(
    checked: &Checked,
    observed: &Observed,
    applied: &Applied,
    old: &AmaltheaSessionStatus,
    context: &PlanContext,
) -> Seen {
    let name = checked.session.name();
    if checked.session.metadata.deletion_timestamp.is_some() {
        return Seen::new(
            State::NotReady,
            deletion::held_by(checked.session).map(|held| format!("the {held}")),
        );
    }
    // What is on record stays, whatever happens to the Job afterwards.
    if let Some(record) = conditions::find(&old.conditions, FINISHED).filter(|_| deadlines::is_finished(old))
    {
        let mut seen = Seen::new(old.state, old.error.clone());
        seen.finished = Some(Finished {
            reason: record.reason.clone().unwrap_or_default(),
            message: record.message.clone().unwrap_or_default(),
        });
        return seen;
    }
    let job = observed.owned(Kind::Job, name);
    let stateful_set = observed.owned(Kind::StatefulSet, name);
    if let Some(seen) = job.and_then(|job| ended(checked, observed, job, old, context)) {
        return seen;
    }
    if checked.spec.hibernated && is_stopped(checked, stateful_set, job) {
        return Seen::new(State::Hibernated, None);
    }
    if let Some(failure) = failure::of_children(checked, observed, context)
        .or_else(|| blocking(checked, observed, applied, context).map(Failure::from))
    {
        let mut seen = Seen::new(State::Failed, Some(failure.message));
        seen.violates_pod_security = failure.violates_pod_security;
        return seen;
    }
    let pod = pod_status(observed);
    if is_working(stateful_set, job, observed.pod()) && pod.as_ref().is_some_and(pod::is_ready) {
        return Seen::new(State::Running, None);
    }
    let mut seen = waiting(old, pod.as_ref(), context);
    seen.error = seen
        .error
        .or_else(|| diagnosis::of_mounts(observed, pod.as_ref()?))
        .or_else(|| diagnosis::of_node(observed));
    seen
}

/// Whether the workload is scaled to zero, as far as the API server knows.
fn is_stopped(checked: &Checked, stateful_set: Option<&CachedObject>, job: Option<&CachedObject>) -> bool {
    if checked.interactive() {
        return stateful_set.is_none_or(|live| live.body()["spec"]["replicas"] == 0);
    }
    job.is_none_or(|live| live.body()["spec"]["suspend"] == true || outcome(live).is_some())
}

/// A batch job that has ended, or that somebody deleted before it did.
fn ended(
    checked: &Checked,
    observed: &Observed,
    job: &CachedObject,
    old: &AmaltheaSessionStatus,
    context: &PlanContext,
) -> Option<Seen> {
    let run = run::run(checked.session, context.now);
    if matches!(&run, Run::Current(id) if !is_of_run(job, id)) {
        // A Job of an earlier run says nothing about this one.
        return None;
    }
    let finish = |state: State, error: Option<String>, reason: &str, message: String| {
        let mut seen = Seen::new(state, error);
        seen.finished = Some(Finished { reason: reason.to_owned(), message });
        Some(seen)
    };
    let well = || {
        let reason = FinishedReason::Succeeded.as_str();
        finish(State::Succeeded, None, reason, "The batch job ended well".to_owned())
    };
    let completion = completion::of(observed, job);
    let own_error = completion.as_ref().map(|completion| completion.end.error.clone());
    match outcome(job) {
        Some(Outcome::Succeeded) => well(),
        Some(failed) if is_backstop(&failed, context.settings.on_deadline) => {
            let mut seen = Seen::new(old.state, None);
            seen.backstop_reached = true;
            (!checked.spec.hibernated).then_some(seen)
        }
        // Another container of the pod failed.
        Some(Outcome::Failed { .. }) if own_error == Some(None) => well(),
        Some(Outcome::Failed { reason, message }) => {
            // What ended the pod, or what the container said, tells more than what the Job says of it.
            let evicted = interruption::of_job(checked, observed, job, old, context.now);
            if let Some((reason, message)) = evicted.filter(|_| reason != DEADLINE_EXCEEDED) {
                return finish(State::Failed, Some(message.clone()), &reason, message);
            }
            let of_pod = || pod_status(observed).and_then(|pod| diagnosis::of_pod(&pod, observed.pod()));
            let error = own_error.flatten().or_else(of_pod).unwrap_or_else(|| {
                match (reason.as_str(), message.as_str()) {
                    ("", "") => "The job failed.".to_owned(),
                    _ => format!("{reason}: {message}"),
                }
            });
            let reason = if reason.is_empty() { FinishedReason::Failed.as_str() } else { &reason };
            finish(State::Failed, Some(error.clone()), reason, error)
        }
        None if completion.is_some_and(|completion| completion.others_run) => match own_error.flatten() {
            None => well(),
            Some(error) => finish(State::Failed, Some(error.clone()), FinishedReason::Failed.as_str(), error),
        },
        None if job.deleting && matches!(run, Run::Current(_)) => {
            let message =
                "The Job of the session was deleted before it ended; it is not run again".to_owned();
            finish(State::Failed, Some(message.clone()), FinishedReason::JobDeleted.as_str(), message)
        }
        None => None,
    }
}

/// What keeps the session from starting: lost files, or a refused write of its workload or of what its pod mounts.
fn blocking(
    checked: &Checked,
    observed: &Observed,
    applied: &Applied,
    context: &PlanContext,
) -> Option<String> {
    let pod = pod_status(observed);
    if pod.as_ref().is_some_and(|pod| pod.phase.as_deref() != Some("Pending")) {
        return None;
    }
    if pod.is_none() && !checked.blocking_findings.is_empty() {
        return Some(checked.blocking_findings.join("; "));
    }
    let prevents = |error: &&ChildError| match error.kind {
        Kind::PersistentVolumeClaim => {
            error.class == ErrorClass::Foreign || observed.claim(&error.name).is_none()
        }
        Kind::Secret => observed.owned(error.kind, &error.name).is_none(),
        kind => pod.is_none() && AmaltheaSession::WORKLOADS.contains(&kind),
    };
    let refused = applied.errors.iter().filter(|error| !error.class.passes());
    match refused.filter(prevents).max_by_key(|error| error.class) {
        Some(worst) => Some(format!("{} {}: {}", worst.kind, worst.name, worst.message)),
        None => {
            let lost = Files::of(observed) == Files::Lost;
            lost.then(|| files::loss(checked.session, context.now))
        }
    }
}

fn is_working(
    stateful_set: Option<&CachedObject>,
    job: Option<&CachedObject>,
    pod: Option<&CachedObject>,
) -> bool {
    let serving = stateful_set.is_some_and(|live| {
        let status: StatefulSetStatus = live.status();
        status.replicas == 1 && status.ready_replicas == Some(1) && serves(live, &status, pod)
    });
    serving
        || job.is_some_and(|live| {
            let status: JobStatus = live.status();
            status.ready == Some(1) || status.active == Some(1)
        })
}

/// Whether the pod is the one that the StatefulSet asks for now. Right after a resume its controller may not
/// have seen the hibernation yet, and the pod of the run before still looks ready.
fn serves(stateful_set: &CachedObject, status: &StatefulSetStatus, pod: Option<&CachedObject>) -> bool {
    let seen = status.observed_generation >= stateful_set.generation;
    let revision = pod.and_then(|pod| pod.labels.get(REVISION_LABEL));
    let current = match (&status.update_revision, revision) {
        (Some(wanted), Some(revision)) => wanted == revision,
        _ => true,
    };
    seen && current
}

/// By which the StatefulSet controller marks the template that a pod was made from.
const REVISION_LABEL: &str = "controller-revision-hash";

/// Not there yet: says for what the session waits, and gives up on nodes after a while.
fn waiting(old: &AmaltheaSessionStatus, pod: Option<&PodStatus>, context: &PlanContext) -> Seen {
    let mut seen = Seen::new(State::NotReady, None);
    let refused = pod
        .and_then(pod::unschedulable)
        .filter(|refused| pod::unschedulable_from(refused).is_none_or(|from| from <= context.now));
    let Some(refused) = refused else { return seen };
    seen.unschedulable = true;
    let message = refused.message.as_deref().unwrap_or_default().trim_end_matches('.');
    let patience = jiff::SignedDuration::from(deadlines::SCHEDULING_PATIENCE);
    let waited = old.failed_scheduling_since.as_ref().map(|since| context.now.duration_since(since.0));
    if waited.is_some_and(|waited| waited >= patience) {
        seen.state = State::Failed;
        seen.error = Some(format!("failed scheduling: {message}"));
    } else {
        seen.error = Some(format!(
            "the session cannot be scheduled due to: {message}. Please contact an administrator."
        ));
    }
    seen
}
