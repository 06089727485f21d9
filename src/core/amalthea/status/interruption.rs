//! What ended what ran. The next pod comes within a second, so it is kept as a condition for as long as the run
//! lasts; it goes with the run.

use super::Seen;
use crate::{
    core::{
        amalthea::{
            Checked, Observed,
            conditions::{INTERRUPTED, READY},
            run::{self, Run},
        },
        conditions::{self, ConditionUpdate},
        workload::{
            diagnosis::{self, InterruptionReason::ContainerFailed},
            job::is_of_run,
        },
    },
    reason::Reason,
};
use k8s_openapi::jiff::Timestamp;
use sojourn_crds::amalthea::{AmaltheaSessionStatus, Condition, State};

/// Sets, keeps or drops the condition.
pub(super) fn tell(
    conditions: &mut Vec<Condition>,
    checked: &Checked,
    observed: &Observed,
    old: &AmaltheaSessionStatus,
    seen: &Seen,
    now: Timestamp,
) {
    let run = match run::run(checked.session, now) {
        Run::Current(id) if checked.interactive() => Some(id),
        _ => None,
    };
    let began = run.as_ref().and_then(|id| run::began(checked.session, id));
    conditions.retain(|it| it.kind != INTERRUPTED || began.is_some_and(|began| since(it) >= second(began)));
    let Some(run) = run.filter(|_| began.is_some()) else { return };
    let told = conditions::find(conditions, INTERRUPTED).and_then(since);
    let ended = ends(observed, old, seen)
        .or_else(|| was_replaced(observed, &run, told))
        .or_else(|| was_restarted(observed, old, told));
    let Some((reason, message)) = ended else { return };
    // Another interruption has a time of its own.
    conditions.retain(|it| it.kind != INTERRUPTED || it.message.as_ref() == Some(&message));
    let say = ConditionUpdate { kind: INTERRUPTED, holds: true, reason: &reason, message };
    conditions::set(conditions, say, checked.session.metadata.generation, now);
}

/// Why the session's pod, or what was up in it, has ended: in one word, and for people.
fn ends(observed: &Observed, old: &AmaltheaSessionStatus, seen: &Seen) -> Option<(String, String)> {
    let fell = || old.state == State::Running && seen.state == State::Failed;
    let in_place = || {
        seen.error.clone().filter(|_| fell()).map(|message| (ContainerFailed.as_str().to_owned(), message))
    };
    diagnosis::interruption(observed.pod()?).or_else(in_place)
}

/// Why the pod before ended, if nothing was told since the one came that there is now.
fn was_replaced(observed: &Observed, run: &str, told: Option<i64>) -> Option<(String, String)> {
    let gone = observed.gone.as_deref()?;
    let of_run = is_of_run(gone, run);
    let next = observed.pod().and_then(|pod| pod.created);
    diagnosis::interruption(gone).filter(|_| of_run && next.is_none_or(|next| told < second(next)))
}

/// Why a container ended that was up and is so again, if that was not told.
fn was_restarted(
    observed: &Observed,
    old: &AmaltheaSessionStatus,
    told: Option<i64>,
) -> Option<(String, String)> {
    let up = conditions::find(&old.conditions, READY).filter(|_| old.state == State::Running)?;
    let live = observed.pod()?;
    let (at, message) = diagnosis::before_restart(&live.status(), &live.name)?;
    (second(at) > told.max(since(up))).then(|| (ContainerFailed.as_str().to_owned(), message))
}

/// Since when a condition is as it is, in whole seconds.
fn since(condition: &Condition) -> Option<i64> {
    condition.last_transition_time.as_ref().and_then(|time| second(time.0))
}

/// A moment as conditions have it, to compare it with what may be missing, which comes first.
fn second(at: Timestamp) -> Option<i64> {
    Some(at.as_second())
}
