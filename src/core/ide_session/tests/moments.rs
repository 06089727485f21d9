//! What of a status stays as it was first written, and how it is written.

use super::fixtures::*;
use crate::core::ide_session::{EndFacts, RunFacts, StartFacts};
use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::MicroTime,
    jiff::{SignedDuration, Timestamp},
};
use sojourn_crds::ide_session::State;

fn running_since(startup: Timestamp) -> Scene {
    scene(State::Running).status(|status| status.startup_timestamp = Some(MicroTime(startup)))
}

#[test]
fn a_moment_on_record_gives_way_only_to_an_earlier_one() {
    let seen =
        |recorded| running_since(recorded).start(accepted()).decide(9).status.startup_timestamp.unwrap().0;
    assert_eq!(seen(at(1)), at(1));
    assert_eq!(seen(at(3)), at(2));
    let a_little_later = at(2) + SignedDuration::from_micros(1);
    assert_eq!(seen(a_little_later), a_little_later, "so little is no difference");
}

#[test]
fn moments_are_whole_microseconds_so_that_they_come_back_as_they_went() {
    let fine = at(8) + SignedDuration::from_nanos(123_456_789);
    let run = RunFacts { end: Some(EndFacts { exit_code: None, at: fine }), ..owned() };
    let status = scene(State::Running).run(run).decide(9).status;
    let text = serde_json::to_value(&status).unwrap();
    assert_eq!(text["finishTimestamp"], "2026-01-01T00:00:08.123456Z");
    assert_eq!(serde_json::from_value::<sojourn_crds::ide_session::IdeSessionStatus>(text).unwrap(), status);
}

#[test]
fn what_is_on_record_of_the_start_stays() {
    let begun = scene(State::Initial).decide(1).status;
    let accepted =
        scene(State::Starting).status(|status| *status = begun.clone()).start(accepted()).decide(3).status;
    assert_eq!(accepted.start_attempt_time, begun.start_attempt_time);
    assert_eq!(accepted.endpoint, begun.endpoint);
}

#[test]
fn a_message_is_never_cleared() {
    let running = scene(State::Running).status(|status| status.message = Some("E1".into())).run(owned());
    assert_eq!(running.decide(3).message(), "E1");
}

#[test]
fn a_long_message_is_cut_between_characters() {
    let failed = StartFacts::Failed { message: format!("a{}", "é".repeat(4096)), called: true, at: at(1) };
    let decision = scene(State::Starting).start(failed).decide(2);
    assert_eq!(decision.message().len(), 4095);
}

#[test]
fn files_stand_as_they_were_first_named() {
    let known = scene(State::Running).status(|status| status.std_out_file = Some("/old/out".into()));
    let status = known.captured().run(owned()).decide(3).status;
    assert_eq!(
        (status.std_out_file.as_deref(), status.std_err_file.as_deref()),
        (Some("/old/out"), Some("/logs/err"))
    );
}
