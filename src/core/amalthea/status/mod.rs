//! What to report of a session, and what its timeouts ask for now.
//!
//! Every "since" has its clearing rule beside its setting rule: a field that outlives what it speaks of is
//! the bug that session operators have most often.

mod failure;
mod interruption;
mod ready;
mod routing;
mod state;

use super::{
    Applied, Checked, Observed, PlanContext, UNREADABLE, children,
    conditions::{FINISHED, RECONCILED},
    deadlines::{self, Deadline},
    deletion,
    files::{self, Files},
    idle,
    reasons::{ReconciledReason, StalledReason},
    run::{self, Run},
    unchangeable,
};
use crate::{
    core::{
        conditions::{self, ConditionUpdate, whole_seconds},
        object::{CachedObject, Kind},
        workload::{
            job::outcome,
            pod::{self, Containers, Count},
        },
    },
    reason::Reason,
};
use k8s_openapi::{api::core::v1::PodStatus, apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use sojourn_crds::{
    amalthea::{AmaltheaSession, AmaltheaSessionStatus, Condition, ContainerCounts, State},
    text::on_its_lines,
};
use state::Seen;

/// What a pass ends with.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The status to report; written only when it differs from the one that is there.
    pub status: AmaltheaSessionStatus,
    /// What the timeouts ask for now.
    pub timeout_action: Option<TimeoutAction>,
    /// When to look again if nothing happens before.
    pub requeue_at: Option<Timestamp>,
}

/// What a timeout asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimeoutAction {
    /// Hibernate the session.
    Hibernate(Deadline),
    /// Delete the session.
    Delete(Deadline),
}

/// The report on a session after a plan was applied.
pub fn status(checked: &Checked, before: &Observed, applied: &Applied, context: &PlanContext) -> Report {
    let observed = &before.after(applied);
    let default = AmaltheaSessionStatus::default();
    let old = checked.session.status.as_ref().unwrap_or(&default);
    let now = context.now;
    let deleting = checked.session.metadata.deletion_timestamp.is_some();
    let seen = state::see(checked, observed, applied, old, context);

    let mut status = AmaltheaSessionStatus {
        observed_generation: checked.session.metadata.generation,
        state: seen.state,
        error: seen.error.as_deref().map(|error| on_its_lines(error).into_owned()),
        url: Some(children::url(checked.spec, context.settings)),
        run_id: match run::run(checked.session, now) {
            // The run that brought the result was the last.
            _ if deadlines::is_finished(old) => old.run_id.clone(),
            Run::Current(id) | Run::Begin(id) => Some(id),
            Run::None => None,
        },
        ..old.clone()
    };
    let counted = if deleting || seen.state == State::Hibernated { Count::Totals } else { Count::All };
    let (containers, init_containers) = match observed.pod() {
        Some(pod) => pod::counts(pod, counted),
        None if deleting => Default::default(),
        None => awaited(checked, observed).map(pod::counts_of_template).unwrap_or_default(),
    };
    (status.container_counts, status.init_container_counts) = (counts(containers), counts(init_containers));

    let hibernated = checked.spec.hibernated && !deadlines::is_finished(old);
    status.hibernated_since = since(&old.hibernated_since, hibernated, now);
    let failing = seen.state == State::Failed || is_between_crashes(checked, observed, old, &seen, now);
    status.failing_since = since(&old.failing_since, failing, now);
    status.failed_scheduling_since = since(
        &old.failed_scheduling_since,
        seen.unschedulable && !hibernated && seen.state != State::Running,
        now,
    );
    set_idle(&mut status, checked, observed, &seen, context);
    set_conditions(&mut status.conditions, checked, observed, applied, &seen, context);
    routing::route_conflict(&mut status.conditions, checked, observed, now);
    interruption::tell(&mut status.conditions, checked, observed, old, &seen, now);

    let dues = deadlines::hibernations(checked, observed, &status, context);
    status.will_hibernate_at = dues.first().map(|due| whole_seconds(due.at));
    let wake =
        deadlines::scheduled_decisions(checked, observed, &status, context).first().map(|wake| wake.at);
    let timeout_action =
        if deleting { None } else { timeout_action(checked, observed, &status, &seen, &dues, context) };
    Report { status, timeout_action, requeue_at: wake.filter(|_| !deleting) }
}

/// A "since" that is set when something begins to hold, and cleared when it holds no more.
fn since(old: &Option<Time>, holds: bool, now: Timestamp) -> Option<Time> {
    if holds { old.clone().or_else(|| Some(whole_seconds(now))) } else { None }
}

/// Whether a session that failed only seems to be well because its container was just started again. A crash loop
/// is one failure, or `maxFailedDuration` would never be over.
fn is_between_crashes(
    checked: &Checked,
    observed: &Observed,
    old: &AmaltheaSessionStatus,
    seen: &Seen,
    now: Timestamp,
) -> bool {
    let ends = checked.spec.hibernated || checked.session.metadata.deletion_timestamp.is_some();
    old.failing_since.is_some()
        && !ends
        && matches!(seen.state, State::Running | State::NotReady)
        && pod::recovering_until(observed.pod()).is_some_and(|until| now < until)
}

fn set_idle(
    status: &mut AmaltheaSessionStatus,
    checked: &Checked,
    observed: &Observed,
    seen: &Seen,
    context: &PlanContext,
) {
    if !checked.interactive() {
        // A batch job is idle once it has ended.
        let ended = matches!(seen.state, State::Succeeded | State::Failed) && seen.finished.is_some();
        status.idle = ended;
        status.idle_since = since(&status.idle_since, ended, context.now);
        return;
    }
    if seen.state != State::Running {
        status.idle = false;
        status.idle_since = None;
        return;
    }
    let known = status.idle_since.as_ref().map(|time| time.0);
    let since = idle::since(checked, observed, known, context);
    status.idle = since.is_some();
    status.idle_since = since.map(whole_seconds);
}

fn set_conditions(
    conditions: &mut Vec<Condition>,
    checked: &Checked,
    observed: &Observed,
    applied: &Applied,
    seen: &Seen,
    context: &PlanContext,
) {
    let now = context.now;
    let generation = checked.session.metadata.generation;
    let ready = ready::ready(conditions, checked, observed, applied, seen, now);
    conditions::set(conditions, ready, generation, now);
    let routing = routing::routing(conditions, checked, observed);
    conditions::set(conditions, routing, generation, now);
    let files = Files::of(observed);
    conditions::set(conditions, reconciled(checked, observed, applied, context), generation, now);
    conditions::set_stalled(conditions, stalled(checked, applied, seen, files), generation, now);
    if checked.session.metadata.deletion_timestamp.is_none() {
        files::tell(conditions, checked.session, files, now);
    }
    if let Some(finished) = &seen.finished {
        let say = ConditionUpdate {
            kind: FINISHED,
            holds: true,
            reason: &finished.reason,
            message: finished.message.clone(),
        };
        conditions::set(conditions, say, generation, now);
    }
}

/// Why the session failed for good, if it did. A crash or an image that cannot be pulled may pass by itself.
fn stalled<'a>(
    checked: &Checked,
    applied: &Applied,
    seen: &'a Seen,
    files: Files,
) -> Option<(&'a str, String)> {
    let error = seen.error.clone().filter(|_| seen.state == State::Failed)?;
    let reason = if let Some(finished) = &seen.finished {
        finished.reason.as_str()
    } else if !checked.blocking_findings.is_empty() {
        StalledReason::InvalidSpec.as_str()
    } else if files == Files::Lost {
        StalledReason::FilesLost.as_str()
    } else if seen.unschedulable {
        StalledReason::FailedScheduling.as_str()
    } else if seen.violates_pod_security {
        StalledReason::PodSecurityViolated.as_str()
    } else {
        Some(applied.lasting_error()?.class).filter(|class| class.is_final())?.as_str()
    };
    Some((reason, error))
}

fn reconciled<'a>(
    checked: &Checked,
    observed: &Observed,
    applied: &Applied,
    context: &PlanContext,
) -> ConditionUpdate<'a> {
    let unchangeable = unchangeable::told(checked, observed, context);
    let worst = applied.lasting_error();
    let (holds, reason, message) = if !checked.blocking_findings.is_empty() {
        (false, ReconciledReason::InvalidSpec.as_str(), checked.blocking_findings.join("; "))
    } else if let Some(error) = worst {
        (false, error.class.as_str(), format!("{} {}: {}", error.kind, error.name, error.message))
    } else if Files::of(observed) == Files::Lost {
        (false, ReconciledReason::FilesLost.as_str(), files::loss(checked.session, context.now))
    } else if !unchangeable.is_empty() {
        (false, ReconciledReason::Unchangeable.as_str(), unchangeable.join("; "))
    } else {
        (
            true,
            ReconciledReason::AsSpecified.as_str(),
            "Everything that belongs to the session is as its spec says".to_owned(),
        )
    };
    ConditionUpdate { kind: RECONCILED, holds, reason, message }
}

fn timeout_action(
    checked: &Checked,
    observed: &Observed,
    status: &AmaltheaSessionStatus,
    seen: &Seen,
    dues: &[Deadline],
    context: &PlanContext,
) -> Option<TimeoutAction> {
    if let Some(due) = deadlines::deletion(checked, status).filter(|due| due.at <= context.now) {
        return Some(TimeoutAction::Delete(due));
    }
    if seen.backstop_reached {
        return Some(TimeoutAction::Hibernate(Deadline {
            at: context.now,
            why: deadlines::TimeoutReason::Age,
        }));
    }
    let due = deadlines::decisive(dues, checked, observed, context).filter(|due| due.at <= context.now)?;
    Some(TimeoutAction::Hibernate(due.clone()))
}

fn counts(containers: Containers) -> ContainerCounts {
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    ContainerCounts { total: count(containers.total), ready: count(containers.ready) }
}

/// The workload that is about to make the session's pod.
fn awaited<'o>(checked: &Checked, observed: &'o Observed) -> Option<&'o CachedObject> {
    let name = checked.session.name();
    let makes_pods = |live: &&CachedObject| {
        let body = live.body();
        let spec = &body["spec"];
        spec["replicas"] != 0 && spec["suspend"] != true && outcome(live).is_none()
    };
    let workload = observed.owned(Kind::StatefulSet, name).or_else(|| observed.owned(Kind::Job, name));
    workload.filter(|live| !live.deleting).filter(makes_pods)
}

fn pod_status(observed: &Observed) -> Option<PodStatus> {
    observed.pod().filter(|pod| !pod.deleting).map(|pod| pod.status())
}

/// The report on a session that has no spec to work with.
pub(super) fn without_spec(session: &AmaltheaSession, now: Timestamp) -> Report {
    let old = session.status.clone().unwrap_or_default();
    let deleting = session.metadata.deletion_timestamp.is_some();
    let unreadable =
        session.metadata.annotations.as_ref().and_then(|annotations| annotations.get(UNREADABLE));
    let missing = || "the session has no spec; give it at least spec.session.image, or delete it".to_owned();
    let error = on_its_lines(&unreadable.cloned().unwrap_or_else(missing)).into_owned();
    let held = || deletion::held_by(session).map(|held| format!("the {held}"));
    let mut status = AmaltheaSessionStatus {
        observed_generation: session.metadata.generation,
        state: if deleting { State::NotReady } else { State::Failed },
        failing_since: since(&old.failing_since, !deleting, now),
        error: if deleting { held() } else { Some(error.clone()) },
        url: Some("None".into()),
        ..old
    };
    let generation = session.metadata.generation;
    conditions::set(&mut status.conditions, ready::without_spec(session, &error), generation, now);
    let stalled = (!deleting).then(|| (StalledReason::InvalidSpec.as_str(), error.clone()));
    conditions::set_stalled(&mut status.conditions, stalled, generation, now);
    let reason = ReconciledReason::InvalidSpec.as_str();
    let say = ConditionUpdate { kind: RECONCILED, holds: false, reason, message: error };
    conditions::set(&mut status.conditions, say, generation, now);
    Report { status, timeout_action: None, requeue_at: None }
}
