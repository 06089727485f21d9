//! What to report of a session: what is on record, moved on by the step that it takes.

use super::{
    conditions,
    observed::{Capture, Observed},
    step::Step,
};
use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::MicroTime,
    jiff::{SignedDuration, Timestamp},
};
use sojourn_crds::{
    ide_session::{IdeSessionStatus, State},
    text::on_its_lines,
};

/// Bytes that the status keeps of a message at most.
const LONGEST_MESSAGE: usize = 4096;
/// Moments that are less apart are the same.
const SAME_MOMENT: SignedDuration = SignedDuration::from_micros(2);

/// The status of a session that takes `step`.
pub fn status(observed: &Observed, step: &Step, now: Timestamp) -> IdeSessionStatus {
    let old = observed.session.status.clone().unwrap_or_default();
    let ends = step.to.is_terminal();
    let ended = old.state.is_terminal();
    let run = observed.run.as_ref().filter(|_| !ended);
    let mut status = IdeSessionStatus { state: step.to, ..old };
    status.start_attempt_time = step.attempt.map(moment).or(status.start_attempt_time);
    status.endpoint = step.endpoint.clone().or(status.endpoint);
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
    // Output is told of together with the session, which saves a write.
    let created = !matches!(step.to, State::Initial | State::Starting);
    if let (Capture::Kept(files), true) = (&observed.capture, created) {
        status.std_out_file.get_or_insert_with(|| files.std_out.clone());
        status.std_err_file.get_or_insert_with(|| files.std_err.clone());
    }
    status.observed_generation = observed.session.metadata.generation;
    conditions::say(observed, &mut status, now);
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
    let message = on_its_lines(message);
    let end = (0..=LONGEST_MESSAGE.min(message.len())).rev().find(|end| message.is_char_boundary(*end));
    message[..end.unwrap_or_default()].to_owned()
}
