//! What to report of a session, and what its timeouts ask for now.
//!
//! Every "since" has its clearing rule beside its setting rule: a field that outlives what it speaks of is
//! the bug that session operators have most often.

mod failure;
mod interruption;
mod state;

use super::{
    Applied, Checked, Observed, PlanContext, UNREADABLE, children,
    conditions::{FINISHED, READY, RECONCILED, ROUTE_CONFLICT, ROUTING_READY},
    deadlines::{self, Deadline},
    files::{self, Files},
    idle,
    reasons::{ReadyReason, ReconciledReason, RouteConflictReason, RoutingReason, StalledReason},
    run::{self, Run},
    unchangeable,
};
use crate::{
    core::{
        conditions::{self, ConditionUpdate, whole_seconds},
        object::Kind,
        workload::pod::{self, Containers, Count},
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
    let (containers, init_containers) = pod::counts(observed.pod(), counted);
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
    route_conflict(&mut status.conditions, checked, observed, now);
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
    if !conditions.iter().any(|condition| condition.kind == READY) {
        let reason = ReadyReason::SessionCreated.as_str();
        let message = "The custom resource was created just now".to_owned();
        let created = ConditionUpdate { kind: READY, holds: false, reason, message };
        conditions::set(conditions, created, generation, now);
    }
    let ready = seen.state == State::Running;
    let waiting_pod = pod_status(observed).filter(|_| seen.state == State::NotReady);
    let unready = waiting_pod.as_ref().and_then(pod::unready).filter(|(_, from)| *from <= now);
    // "Created just now" stays until there is more to say than that it is not ready yet.
    let still_new = seen.state == State::NotReady
        && unready.is_none()
        && conditions::find(conditions, READY).is_some_and(|condition| {
            condition.reason.as_deref() == Some(ReadyReason::SessionCreated.as_str())
        });
    if !still_new {
        let mut message = format!("The session is {}", seen.state.as_str().to_lowercase());
        if seen.state == State::Hibernated && observed.pod().is_some() {
            message.push_str("; its pod is still ending");
        }
        if let Some((container, _)) = unready {
            message.push_str(&format!(
                "; the container {container} runs, but its readiness probe does not succeed"
            ));
        }
        let reason = ReadyReason::from(seen.state).as_str();
        let update = ConditionUpdate { kind: READY, holds: ready, reason, message };
        conditions::set(conditions, update, generation, now);
    }
    conditions::set(conditions, routing(checked, observed), generation, now);
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

fn routing<'a>(checked: &Checked, observed: &Observed) -> ConditionUpdate<'a> {
    let exists = observed.owned(Kind::Ingress, checked.session.name()).is_some();
    let (holds, reason, message) = if !checked.interactive() {
        (false, RoutingReason::NotInteractive, "A batch session has no way in from outside".to_owned())
    } else if checked.spec.ingress.is_none() {
        let name = checked.session.name();
        let text = "The ingress information was not specified or was deleted from custom resource";
        (false, RoutingReason::IngressDeleted, format!("{text} {name}"))
    } else if checked.spec.hibernated {
        (
            false,
            RoutingReason::Hibernated,
            "The ingress is removed while the session is hibernated".to_owned(),
        )
    } else if exists {
        (true, RoutingReason::IngressOperational, "The ingress is setup and operational".to_owned())
    } else {
        (false, RoutingReason::IngressMissing, "The ingress is not created yet".to_owned())
    };
    ConditionUpdate { kind: ROUTING_READY, holds, reason: reason.as_str(), message }
}

/// Names no session of another namespace: whose it is may be nobody's business.
fn route_conflict(conditions: &mut Vec<Condition>, checked: &Checked, observed: &Observed, now: Timestamp) {
    let namespace = checked.session.namespace();
    // The oldest one comes first.
    let Some(other) = observed.same_route.first() else {
        conditions.retain(|condition| condition.kind != ROUTE_CONFLICT);
        return;
    };
    let who = if other.namespace == namespace {
        format!("session {}", other.name)
    } else {
        "a session of another namespace".to_owned()
    };
    let (reason, age) = match other.is_older {
        true => (RouteConflictReason::OlderSession, "older"),
        false => (RouteConflictReason::NewerSession, "newer"),
    };
    let message = format!(
        "{who}, which is {age}, has the same ingress.host and ingress.pathPrefix; which of both is reached is not \
         defined. Give one of them another path"
    );
    let update = ConditionUpdate { kind: ROUTE_CONFLICT, holds: true, reason: reason.as_str(), message };
    conditions::set(conditions, update, checked.session.metadata.generation, now);
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
    let mut status = AmaltheaSessionStatus {
        observed_generation: session.metadata.generation,
        state: if deleting { State::NotReady } else { State::Failed },
        failing_since: since(&old.failing_since, !deleting, now),
        error: (!deleting).then(|| error.clone()),
        url: Some("None".into()),
        ..old
    };
    let generation = session.metadata.generation;
    let stalled = (!deleting).then(|| (StalledReason::InvalidSpec.as_str(), error.clone()));
    conditions::set_stalled(&mut status.conditions, stalled, generation, now);
    let reason = ReconciledReason::InvalidSpec.as_str();
    let say = ConditionUpdate { kind: RECONCILED, holds: false, reason, message: error };
    conditions::set(&mut status.conditions, say, generation, now);
    Report { status, timeout_action: None, requeue_at: None }
}
