//! The state of a session in one word, and why.

use super::{failure, pod_status};
use crate::core::{
    amalthea::{
        Applied, Checked, ChildError, Context, World,
        conditions::FINISHED,
        due,
        plan::{Outcome, is_backstop, is_of_run, outcome},
        run::{self, Run},
    },
    conditions,
    live::{Kind, Live},
};
use k8s_openapi::api::{apps::v1::StatefulSetStatus, batch::v1::JobStatus, core::v1::PodStatus};
use sojourn_crds::amalthea::{AmaltheaSessionStatus, State};

/// What was seen of a session.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) state: State,
    /// Why it fails, or what it waits for.
    pub(super) error: Option<String>,
    /// Whether no node takes its pod.
    pub(super) unschedulable: bool,
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
        Self { state, error, unschedulable: false, finished: None, backstop_reached: false }
    }
}

/// Looks at everything that belongs to the session. The first rule that fits decides.
pub(super) fn see(
    checked: &Checked,
    world: &World,
    applied: &Applied,
    old: &AmaltheaSessionStatus,
    context: &Context,
) -> Seen {
    let name = checked.session.name();
    if checked.session.metadata.deletion_timestamp.is_some() {
        return Seen::new(State::NotReady, None);
    }
    // What is on record stays, whatever happens to the Job afterwards.
    if let Some(record) = conditions::find(&old.conditions, FINISHED).filter(|_| due::is_finished(old)) {
        let mut seen = Seen::new(old.state, old.error.clone());
        seen.finished = Some(Finished {
            reason: record.reason.clone().unwrap_or_default(),
            message: record.message.clone().unwrap_or_default(),
        });
        return seen;
    }
    let job = world.owned(Kind::Job, name);
    let stateful_set = world.owned(Kind::StatefulSet, name);
    if let Some(seen) = job.and_then(|job| ended(checked, world, job, old, context)) {
        return seen;
    }
    if checked.spec.hibernated && is_stopped(checked, stateful_set, job) {
        return Seen::new(State::Hibernated, None);
    }
    if let Some(message) =
        failure::of_children(checked, world, context).or_else(|| blocking(checked, world, applied))
    {
        return Seen::new(State::Failed, Some(message));
    }
    let pod = pod_status(world);
    if is_working(stateful_set, job, world.pod()) && pod.as_ref().is_some_and(is_ready) {
        return Seen::new(State::Running, None);
    }
    let mut seen = waiting(old, pod.as_ref(), context);
    seen.error = seen.error.or_else(|| mounting(world, pod.as_ref()?));
    seen
}

/// Whether the workload is scaled to zero, as far as the API server knows.
fn is_stopped(checked: &Checked, stateful_set: Option<&Live>, job: Option<&Live>) -> bool {
    if checked.interactive() {
        return stateful_set.is_none_or(|live| live.body()["spec"]["replicas"] == 0);
    }
    job.is_none_or(|live| live.body()["spec"]["suspend"] == true || outcome(live).is_some())
}

/// A batch job that has ended, or that somebody deleted before it did.
fn ended(
    checked: &Checked,
    world: &World,
    job: &Live,
    old: &AmaltheaSessionStatus,
    context: &Context,
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
    match outcome(job) {
        Some(Outcome::Succeeded) => {
            finish(State::Succeeded, None, "Succeeded", "The batch job ended well".to_owned())
        }
        Some(failed) if is_backstop(&failed, context.settings.on_deadline) => {
            let mut seen = Seen::new(old.state, None);
            seen.backstop_reached = true;
            (!checked.spec.hibernated).then_some(seen)
        }
        Some(Outcome::Failed { reason, message }) => {
            // What the container said tells more than what the Job says of it.
            let told = pod_status(world).and_then(|pod| failure::of_pod(&pod, world.pod()));
            let error = told.unwrap_or_else(|| match (reason.as_str(), message.as_str()) {
                ("", "") => "The job failed.".to_owned(),
                _ => format!("{reason}: {message}"),
            });
            let reason = if reason.is_empty() { "Failed" } else { &reason };
            finish(State::Failed, Some(error.clone()), reason, error)
        }
        None if job.deleting && matches!(run, Run::Current(_)) => {
            let message =
                "The Job of the session was deleted before it ended; it is not run again".to_owned();
            finish(State::Failed, Some(message.clone()), "JobDeleted", message)
        }
        None => None,
    }
}

/// A refused write that keeps the session from starting: any, when there is no pod; one that the pod waits for,
/// when it waits.
fn blocking(checked: &Checked, world: &World, applied: &Applied) -> Option<String> {
    let pod = pod_status(world);
    if pod.as_ref().is_some_and(|pod| pod.phase.as_deref() != Some("Pending")) {
        return None;
    }
    if pod.is_none() && !checked.obstacles.is_empty() {
        return Some(checked.obstacles.join("; "));
    }
    let is_missing = |error: &&ChildError| {
        matches!(error.kind, Kind::PersistentVolumeClaim | Kind::Secret)
            && world.child(error.kind, &error.name).is_none()
    };
    let refused = applied.errors.iter().filter(|error| !error.class.passes());
    let worst = refused.filter(|error| pod.is_none() || is_missing(error)).max_by_key(|error| error.class)?;
    Some(format!("{} {}: {}", worst.kind, worst.name, worst.message))
}

fn is_working(stateful_set: Option<&Live>, job: Option<&Live>, pod: Option<&Live>) -> bool {
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
fn serves(stateful_set: &Live, status: &StatefulSetStatus, pod: Option<&Live>) -> bool {
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

fn is_ready(pod: &PodStatus) -> bool {
    let phase = pod.phase.as_deref().unwrap_or_default();
    let conditions = pod.conditions.iter().flatten();
    matches!(phase, "Running" | "Succeeded")
        && conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// What keeps the volumes from a pod that has a node. Mostly it is temporary, so the session waits.
fn mounting(world: &World, pod: &PodStatus) -> Option<String> {
    let name = &world.pod()?.name;
    let refused = world.warnings.iter().find(|warning| {
        warning.kind == Kind::Pod
            && warning.name == *name
            && matches!(warning.reason.as_str(), "FailedMount" | "FailedAttachVolume")
    })?;
    let waits = pod.phase.as_deref() == Some("Pending");
    waits.then(|| format!("the session waits for a volume: {}", refused.message.trim_end()))
}

/// Not there yet: says for what the session waits, and gives up on nodes after a while.
fn waiting(old: &AmaltheaSessionStatus, pod: Option<&PodStatus>, context: &Context) -> Seen {
    let mut seen = Seen::new(State::NotReady, None);
    let refused = pod
        .and_then(due::unschedulable)
        .filter(|refused| due::unschedulable_from(refused).is_none_or(|from| from <= context.now));
    let Some(refused) = refused else { return seen };
    seen.unschedulable = true;
    let message = refused.message.as_deref().unwrap_or_default().trim_end_matches('.');
    let patience = jiff::SignedDuration::from(due::SCHEDULING_PATIENCE);
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
