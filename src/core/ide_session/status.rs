//! What to report of a session: what is on record, moved on by the step that it takes.

use super::{
    conditions,
    step::Step,
    world::{Capture, World},
};
use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::MicroTime,
    jiff::{SignedDuration, Timestamp},
};
use sojourn_crds::ide_session::{IdeSessionStatus, State};

/// Bytes that the status keeps of a message at most.
const LONGEST_MESSAGE: usize = 4096;
/// Moments that are less apart are the same.
const SAME_MOMENT: SignedDuration = SignedDuration::from_micros(2);

/// The status of a session that takes `step`.
pub fn status(world: &World, step: &Step, now: Timestamp) -> IdeSessionStatus {
    let old = world.session.status.clone().unwrap_or_default();
    let ends = step.to.is_terminal();
    let ended = old.state.is_terminal();
    let run = world.run.as_ref().filter(|_| !ended);
    let mut status = IdeSessionStatus { state: step.to, ..old };
    if let Some((at, endpoint)) = &step.attempt {
        status.start_attempt_time = Some(moment(*at));
        status.endpoint = Some(endpoint.clone());
    }
    if let Some(session_id) = &step.session_id {
        status.session_id = Some(session_id.clone());
    }
    status.startup_timestamp = earliest(status.startup_timestamp, step.startup);
    status.finish_timestamp = earliest(status.finish_timestamp, step.finish);
    status.exit_code = step.exit_code.or(status.exit_code);
    let said = step.failure.as_ref().or(run.and_then(|run| run.message.as_ref()));
    if let Some(message) = said {
        status.message = Some(cut(message));
    }
    status.pid = run.and_then(|run| run.pid).or(status.pid).filter(|_| !ends);
    if let (Capture::Kept(files), true) = (&world.capture, step.to != State::Initial) {
        status.std_out_file.get_or_insert_with(|| files.std_out.clone());
        status.std_err_file.get_or_insert_with(|| files.std_err.clone());
    }
    status.observed_generation = world.session.metadata.generation;
    conditions::say(world, &mut status, now);
    status
}

/// The moment as the API holds it: in whole microseconds.
fn moment(at: Timestamp) -> MicroTime {
    MicroTime(Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at))
}

/// A moment on record gives way only to an earlier one.
fn earliest(old: Option<MicroTime>, new: Option<Timestamp>) -> Option<MicroTime> {
    match (old, new.map(moment)) {
        (Some(old), Some(new)) if old.0.duration_since(new.0) >= SAME_MOMENT => Some(new),
        (Some(old), _) => Some(old),
        (None, new) => new,
    }
}

/// As much of a message as is kept, never half a character.
fn cut(message: &str) -> String {
    let end = (0..=LONGEST_MESSAGE.min(message.len())).rev().find(|end| message.is_char_boundary(*end));
    message[..end.unwrap_or_default()].to_owned()
}
