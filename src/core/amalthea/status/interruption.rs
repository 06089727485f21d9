//! What ended what ran. The next pod comes within a second, or the Job only says that it has failed, so it is kept as a
//! condition for as long as the run lasts; it goes with the run.

use super::Seen;
use crate::{
    core::{
        amalthea::{
            Checked, Observed,
            conditions::{INTERRUPTED, READY},
            deadlines,
            run::{self, Run},
        },
        conditions::{self, ConditionUpdate},
        object::{CachedObject, Kind},
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
        Run::Current(id) => Some(id),
        _ => None,
    };
    let began = run.as_ref().and_then(|id| run::began(checked.session, id));
    conditions.retain(|it| it.kind != INTERRUPTED || began.is_some_and(|began| since(it) >= second(began)));
    let Some(run) = run.filter(|_| began.is_some()) else { return };
    let told = conditions::find(conditions, INTERRUPTED).and_then(since);
    let ended = if checked.interactive() {
        ends(observed, old, seen)
            .or_else(|| was_replaced(observed, &run, told))
            .or_else(|| was_restarted(observed, old, told))
    } else if deadlines::is_finished(old) {
        None
    } else {
        observed.owned(Kind::Job, checked.session.name()).and_then(|job| of_batch(observed, job))
    };
    let Some((reason, message)) = ended else { return };
    // Another interruption has a time of its own.
    conditions.retain(|it| it.kind != INTERRUPTED || it.message.as_ref() == Some(&message));
    let say = ConditionUpdate { kind: INTERRUPTED, holds: true, reason: &reason, message };
    conditions::set(conditions, say, checked.session.metadata.generation, now);
}

/// Why the pod of a Job was ended before its containers had ended by themselves.
fn of_batch(observed: &Observed, job: &CachedObject) -> Option<(String, String)> {
    let pods = observed.pods.iter().chain(&observed.gone).filter(|pod| pod.owner.as_ref() == Some(&job.uid));
    pods.into_iter().find_map(|pod| diagnosis::eviction(pod))
}

/// The same, or what is on record of it in this run: a pod that is gone tells nothing any more, and its Job only that it
/// has failed.
pub(super) fn of_job(
    checked: &Checked,
    observed: &Observed,
    job: &CachedObject,
    old: &AmaltheaSessionStatus,
    now: Timestamp,
) -> Option<(String, String)> {
    let recorded = || {
        let Run::Current(id) = run::run(checked.session, now) else { return None };
        let began = run::began(checked.session, &id)?;
        let told =
            conditions::find(&old.conditions, INTERRUPTED).filter(|told| since(told) >= second(began))?;
        Some((told.reason.clone()?, told.message.clone()?))
    };
    of_batch(observed, job).or_else(recorded)
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
