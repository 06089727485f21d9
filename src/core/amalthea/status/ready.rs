//! The condition `Ready`: how the session is and why, in one sentence. What it says of a failure is what `error` says.

use super::{pod_status, state::Seen};
use crate::{
    core::{
        amalthea::{Applied, Checked, Observed, conditions::READY, deletion, reasons::ReadyReason},
        conditions::{self, ConditionUpdate},
        workload::pod,
    },
    reason::Reason,
};
use k8s_openapi::jiff::Timestamp;
use sojourn_crds::amalthea::{AmaltheaSession, Condition, State};

/// The condition, given the conditions on record.
pub(super) fn ready<'a>(
    recorded: &[Condition],
    checked: &Checked,
    observed: &Observed,
    applied: &Applied,
    seen: &Seen,
    now: Timestamp,
) -> ConditionUpdate<'a> {
    if checked.session.metadata.deletion_timestamp.is_some() {
        return deleting(checked.session, applied);
    }
    let waits_for = seen.error.clone().or_else(|| unready_container(observed, seen, now));
    // The reason stays until there is more to say than that the session starts.
    let is_new = conditions::find(recorded, READY)
        .is_none_or(|ready| ready.reason.as_deref() == Some(ReadyReason::SessionCreated.as_str()));
    let reason = match seen.state {
        State::NotReady if is_new && waits_for.is_none() => ReadyReason::SessionCreated,
        state => ReadyReason::from(state),
    };
    let message = match (seen.state, waits_for) {
        (State::Failed, Some(why)) => format!("The session has failed: {why}"),
        (State::Failed, None) => "The session has failed".to_owned(),
        (State::NotReady, Some(what)) => format!("The session is not ready: {what}"),
        (State::NotReady, None) if checked.spec.hibernated => "The session is being hibernated".to_owned(),
        (State::NotReady, None) => "The session is starting".to_owned(),
        (State::Hibernated, _) if observed.pod().is_some() => {
            "The session is hibernated; its pod is still ending".to_owned()
        }
        (State::Hibernated, _) => "The session is hibernated".to_owned(),
        (State::Succeeded, _) => "The batch job has succeeded".to_owned(),
        (State::Running | State::RunningDegraded, _) => "The session is running".to_owned(),
    };
    ConditionUpdate { kind: READY, holds: seen.state == State::Running, reason: reason.as_str(), message }
}

/// The condition of a session that has no spec to work with, and fails for `error`.
pub(super) fn without_spec<'a>(session: &AmaltheaSession, error: &str) -> ConditionUpdate<'a> {
    if session.metadata.deletion_timestamp.is_some() {
        return deleting(session, &Applied::default());
    }
    let message = format!("The session has failed: {error}");
    ConditionUpdate { kind: READY, holds: false, reason: ReadyReason::Failed.as_str(), message }
}

fn deleting<'a>(session: &AmaltheaSession, applied: &Applied) -> ConditionUpdate<'a> {
    let ours = || {
        let waits_for = deletion::waits_for(session);
        applied.lasting_error().map_or_else(
            || waits_for.to_owned(),
            |error| format!("{waits_for}; {} {}: {}", error.kind, error.name, error.message),
        )
    };
    let message = deletion::held_by(session).map_or_else(ours, |held| format!("The {held}"));
    ConditionUpdate { kind: READY, holds: false, reason: ReadyReason::Deleting.as_str(), message }
}

/// A container that has run for a while without being ready.
fn unready_container(observed: &Observed, seen: &Seen, now: Timestamp) -> Option<String> {
    let pod = pod_status(observed).filter(|_| seen.state == State::NotReady)?;
    let (container, _) = pod::unready(&pod).filter(|(_, from)| *from <= now)?;
    Some(format!("the container {container} runs, but its readiness probe does not succeed"))
}
