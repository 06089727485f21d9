//! When something is due for a session because of the time alone. Nothing polls: the earliest of these
//! moments is when a session is looked at again.

use super::{
    Checked, Observed, PlanContext, completion,
    conditions::{FINISHED, READY},
    idle, run,
};
use crate::core::{
    conditions,
    object::Kind,
    workload::{job, pod},
};
use k8s_openapi::{api::core::v1::PodStatus, jiff::Timestamp};
use sojourn_crds::{
    amalthea::{AmaltheaSessionStatus, OnDeadline, State},
    duration::Span,
};

/// How long no node may take a session's pod before the session has failed.
pub const SCHEDULING_PATIENCE: Span = Span::seconds(600);

/// A moment, and what it is the moment for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// The moment.
    pub at: Timestamp,
    /// Which rule makes it, for people.
    pub why: TimeoutReason,
}

/// The rules that end a session's run or its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeoutReason {
    /// `maxAge`
    Age,
    /// `maxStartingDuration`
    Starting,
    /// `maxFailedDuration`
    Failing,
    /// `maxIdleDuration`
    Idle,
    /// `maxHibernatedDuration`
    Hibernated,
    /// `maxHibernatedDuration`, for a batch job that has ended
    Finished,
}

impl TimeoutReason {
    /// The field of `spec.culling` that makes the rule.
    pub const fn field(self) -> &'static str {
        match self {
            TimeoutReason::Age => "maxAge",
            TimeoutReason::Starting => "maxStartingDuration",
            TimeoutReason::Failing => "maxFailedDuration",
            TimeoutReason::Idle => "maxIdleDuration",
            TimeoutReason::Hibernated | TimeoutReason::Finished => "maxHibernatedDuration",
        }
    }
}

fn after(since: Option<Timestamp>, span: Option<Span>, why: TimeoutReason) -> Option<Deadline> {
    let at = since?.checked_add(jiff::SignedDuration::from(span?)).ok()?;
    Some(Deadline { at, why })
}

/// When each rule hibernates the session if nothing changes, soonest first. `status` is what is being
/// reported.
pub fn hibernations(
    checked: &Checked,
    observed: &Observed,
    status: &AmaltheaSessionStatus,
    context: &PlanContext,
) -> Vec<Deadline> {
    if checked.spec.hibernated || status.state == State::Hibernated {
        return Vec::new();
    }
    let timeouts = &checked.timeouts;
    if !checked.interactive() {
        let running = context.settings.on_deadline == OnDeadline::Hibernate && !is_finished(status);
        return after(job_started(observed).filter(|_| running), timeouts.max_age, TimeoutReason::Age)
            .into_iter()
            .collect();
    }
    let began = status.run_id.as_deref().and_then(|id| run::began(checked.session, id));
    // Between two crashes the rule waits for the next one.
    let failing = status.failing_since.as_ref().filter(|_| status.state == State::Failed).map(|time| time.0);
    let mut dues: Vec<Deadline> = [
        after(began, timeouts.max_age, TimeoutReason::Age),
        after(starting_since(status, began), timeouts.max_starting, TimeoutReason::Starting),
        after(failing, timeouts.max_failed, TimeoutReason::Failing),
        after(idle::counts_from(checked, observed, status, context), timeouts.max_idle, TimeoutReason::Idle),
    ]
    .into_iter()
    .flatten()
    .collect();
    dues.sort_by_key(|due| due.at);
    dues
}

/// The first of `dues` that something can be decided by: as long as nobody knows whether the session is still
/// idle, the other rules decide.
pub fn decisive<'a>(
    dues: &'a [Deadline],
    checked: &Checked,
    observed: &Observed,
    context: &PlanContext,
) -> Option<&'a Deadline> {
    let known = |due: &&Deadline| {
        due.why != TimeoutReason::Idle
            || due.at > context.now
            || idle::is_certain(checked, observed, due.at, context)
    };
    dues.iter().find(known)
}

/// Since when the session is starting: the beginning of its run, or when it was last ready in it. A session
/// that loses its pod after hours gets the whole time to start again.
fn starting_since(status: &AmaltheaSessionStatus, began: Option<Timestamp>) -> Option<Timestamp> {
    let began = began.filter(|_| status.state == State::NotReady)?;
    let unready = conditions::find(&status.conditions, READY)
        .and_then(|ready| ready.last_transition_time.as_ref())
        .map_or(began, |time| time.0);
    Some(began.max(unready))
}

/// When the session will be deleted if nothing changes.
pub fn deletion(checked: &Checked, status: &AmaltheaSessionStatus) -> Option<Deadline> {
    let time =
        |time: &Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>| time.as_ref().map(|t| t.0);
    let kept = checked.timeouts.max_hibernated;
    if status.state == State::Hibernated {
        return after(time(&status.hibernated_since), kept, TimeoutReason::Hibernated);
    }
    if checked.interactive() || !is_finished(status) {
        return None;
    }
    let ended = [time(&status.idle_since), time(&status.failing_since)].into_iter().flatten().min();
    after(ended, kept, TimeoutReason::Finished)
}

/// Whether the result of a batch session is on record.
pub fn is_finished(status: &AmaltheaSessionStatus) -> bool {
    conditions::holds(&status.conditions, FINISHED)
}

/// When the clock of the session's Job began.
fn job_started(observed: &Observed) -> Option<Timestamp> {
    observed.owned(Kind::Job, observed.session.name()).and_then(job::started)
}

/// A moment at which a session is looked at again because of the time alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScheduledDecision {
    /// The moment.
    pub at: Timestamp,
    /// What is decided then.
    pub what: Decision,
}

/// What is decided when a moment has come and nothing happened before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The session is hibernated.
    Hibernate(TimeoutReason),
    /// The session is deleted.
    Delete(TimeoutReason),
    /// The session has failed: no node took its pod for [`SCHEDULING_PATIENCE`].
    GiveUpScheduling,
    /// It is said that no node takes the session's pod.
    TellUnschedulable,
    /// It is said which container runs without being ready.
    TellUnready,
    /// Whoever knows is asked whether somebody uses the session.
    AskIfIdle,
    /// A session that crashed has been well for long enough.
    ForgetFailure,
    /// The Job of a finished session is deleted, because containers run on in its pod.
    EndJob,
}

/// When the session must be looked at again, if nothing happens before; soonest first.
pub fn scheduled_decisions(
    checked: &Checked,
    observed: &Observed,
    status: &AmaltheaSessionStatus,
    context: &PlanContext,
) -> Vec<ScheduledDecision> {
    let dues = hibernations(checked, observed, status, context);
    // While idleness is unknown, its hibernation waits for the next measurement, which reconciles the session.
    let hibernation = decisive(&dues, checked, observed, context);
    let scheduling = status
        .failed_scheduling_since
        .as_ref()
        .filter(|_| status.state == State::NotReady)
        .and_then(|since| since.0.checked_add(jiff::SignedDuration::from(SCHEDULING_PATIENCE)).ok());
    let pod_status: Option<PodStatus> = observed.pod().map(|pod| pod.status());
    let refused = pod_status
        .as_ref()
        .and_then(pod::unschedulable)
        .and_then(pod::unschedulable_from)
        .filter(|at| *at > context.now);
    let unready =
        pod_status.as_ref().and_then(pod::unready).map(|(_, from)| from).filter(|at| *at > context.now);
    let silent = idle::ask_again(checked, observed, context).filter(|_| status.state == State::Running);
    let recovered = pod::recovering_until(observed.pod())
        .filter(|at| status.failing_since.is_some() && status.state != State::Failed && *at > context.now);
    let job = observed.owned(Kind::Job, observed.session.name()).filter(|_| is_finished(status));
    let leftover = job.and_then(|job| completion::ends_at(observed, job)).filter(|at| *at > context.now);
    let mut scheduled_decisions: Vec<ScheduledDecision> = [
        hibernation.map(|due| ScheduledDecision { at: due.at, what: Decision::Hibernate(due.why) }),
        deletion(checked, status)
            .map(|due| ScheduledDecision { at: due.at, what: Decision::Delete(due.why) }),
        scheduling.map(|at| ScheduledDecision { at, what: Decision::GiveUpScheduling }),
        refused.map(|at| ScheduledDecision { at, what: Decision::TellUnschedulable }),
        unready.map(|at| ScheduledDecision { at, what: Decision::TellUnready }),
        silent.map(|at| ScheduledDecision { at, what: Decision::AskIfIdle }),
        recovered.map(|at| ScheduledDecision { at, what: Decision::ForgetFailure }),
        leftover.map(|at| ScheduledDecision { at, what: Decision::EndJob }),
    ]
    .into_iter()
    .flatten()
    .collect();
    scheduled_decisions.sort_by_key(|wake| wake.at);
    scheduled_decisions
}
