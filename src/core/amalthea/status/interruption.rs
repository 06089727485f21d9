//! What ended what ran. The next pod comes within a second, so it is kept as a condition for as long as the run
//! lasts; it goes with the run.

use super::{Seen, failure};
use crate::core::{
    amalthea::{
        Checked, World,
        conditions::INTERRUPTED,
        run::{self, Run},
    },
    conditions::{self, Say},
};
use k8s_openapi::{api::core::v1::PodStatus, jiff::Timestamp};
use sojourn_crds::amalthea::{AmaltheaSessionStatus, Condition, State};

/// Sets, keeps or drops the condition.
pub(super) fn tell(
    conditions: &mut Vec<Condition>,
    checked: &Checked,
    world: &World,
    old: &AmaltheaSessionStatus,
    seen: &Seen,
    now: Timestamp,
) {
    let run = match run::run(checked.session, now) {
        Run::Current(id) if checked.interactive() => run::began(checked.session, &id),
        _ => None,
    };
    conditions.retain(|condition| {
        // Times of conditions are whole seconds.
        let told = condition.last_transition_time.as_ref().map(|time| time.0.as_second());
        condition.kind != INTERRUPTED || run.is_some_and(|began| told >= Some(began.as_second()))
    });
    let Some((reason, message)) = run.and_then(|_| ended(world, old, seen)) else { return };
    // Another interruption has a time of its own.
    conditions.retain(|it| it.kind != INTERRUPTED || it.message.as_ref() == Some(&message));
    let say = Say { kind: INTERRUPTED, holds: true, reason: &reason, message };
    conditions::set(conditions, say, checked.session.metadata.generation, now);
}

/// Why a pod, or what was up in it, has ended: in one word, and for people.
fn ended(world: &World, old: &AmaltheaSessionStatus, seen: &Seen) -> Option<(String, String)> {
    let live = world.pod()?;
    let pod: PodStatus = live.status();
    let reason = pod.reason.clone().filter(|reason| !reason.is_empty());
    // What ends because it was told to has not failed: an edit replaces the pod, or somebody deletes it.
    let told_to = live.deleting && reason.is_none();
    if pod.phase.as_deref() == Some("Failed") && !told_to {
        return Some((reason.unwrap_or_else(|| "PodFailed".into()), failure::of_pod(&pod, Some(live))?));
    }
    if let Some((reason, message)) = failure::disruption(&pod) {
        return Some((reason.to_owned(), format!("the pod {} was ended: {message}", live.name)));
    }
    let fell = old.state == State::Running && seen.state == State::Failed;
    let message = seen.error.clone().filter(|_| fell)?;
    Some(("ContainerFailed".into(), message))
}
