//! From running to the end, asked for: T10, T13 to T15.

use super::fixtures::*;
use crate::core::ide_session::{Command, RunFacts, StartFacts, StopFacts};
use rstest::rstest;
use sojourn_crds::ide_session::State;

fn stopping(stop: StopFacts) -> Scene {
    scene(State::Stopping).desired("Stopped").run(RunFacts { stop, ..owned() })
}

fn failed(tries: u32) -> StopFacts {
    StopFacts::Failed { tries, message: "run session could not be stopped: 500 no".into(), at: at(10) }
}

#[test]
fn t10_a_stop_is_recorded_then_sent() {
    let decision = scene(State::Running).desired("Stopped").run(owned()).decide(3);
    assert_eq!((decision.plan.first, decision.plan.then), (vec![], vec![stop()]));
    assert_eq!((decision.status.state, decision.status.finish_timestamp), (State::Stopping, None));
}

#[test]
fn a_stop_is_asked_for_once() {
    let decision = stopping(StopFacts::Asked).decide(3);
    assert_eq!((decision.status.state, decision.plan.then), (State::Stopping, vec![]));
}

#[test]
fn t13_and_f3_a_stop_without_a_word_about_the_end_is_an_end() {
    let decision = stopping(StopFacts::Ended { at: at(9) }).decide(11);
    assert_eq!((decision.status.state, decision.status.exit_code), (State::Stopped, None));
    assert_eq!(decision.status.finish_timestamp.map(|time| time.0), Some(at(9)));
    assert_eq!(decision.plan.then, [Command::Release]);
}

#[test]
fn a_stop_that_the_ide_told_the_end_of_keeps_its_code() {
    let run = RunFacts { stop: StopFacts::Ended { at: at(9) }, end: Some(end(Some(-1), 8)), ..owned() };
    let status = scene(State::Stopping).desired("Stopped").run(run).decide(11).status;
    assert_eq!((status.state, status.exit_code), (State::Stopped, Some(-1)));
    assert_eq!(status.finish_timestamp.map(|time| time.0), Some(at(8)));
}

#[rstest]
#[case(1, 1)]
#[case(2, 5)]
#[case(3, 15)]
fn f18_a_stop_that_failed_is_tried_again(#[case] tries: u32, #[case] delay: i64) {
    let early = stopping(failed(tries)).decide(10 + delay - 1);
    assert_eq!((early.status.state, early.plan.then), (State::Stopping, vec![]));
    assert_eq!(early.plan.requeue_at, Some(at(10 + delay)));
    let due = stopping(failed(tries)).decide(10 + delay);
    assert_eq!((due.status.state, due.plan.then, due.plan.requeue_at), (State::Stopping, vec![stop()], None));
    assert_eq!(early.events, []);
}

#[test]
fn t14_a_stop_that_failed_often_enough_fails_the_session() {
    let decision = stopping(failed(4)).decide(11);
    assert_eq!(decision.status.state, State::Failed);
    assert_eq!(decision.message(), "could not stop IDE session: run session could not be stopped: 500 no");
    assert_eq!(decision.status.finish_timestamp.as_ref().map(|time| time.0), Some(at(10)));
    assert_eq!(decision.told(), ["Failed", "SessionMayRemain"]);
    assert!(decision.events[1].message.contains(ID), "{:?}", decision.events);
}

/// T15 is the same for a stop that could not even be queued: it counts as one that failed.
#[test]
fn t15_a_stop_that_could_not_be_queued_is_one_that_failed() {
    let stop = StopFacts::Failed { tries: 4, message: "could not enqueue stop operation".into(), at: at(10) };
    assert_eq!(stopping(stop).decide(11).status.state, State::Failed);
}

#[test]
fn an_end_settles_a_stop_that_failed() {
    let run = RunFacts { stop: failed(4), end: Some(end(Some(137), 12)), ..owned() };
    let status = scene(State::Stopping).desired("Stopped").run(run).decide(13).status;
    assert_eq!((status.state, status.exit_code), (State::Stopped, Some(137)));
}

#[rstest]
#[case::asked(false)]
#[case::deleted(true)]
fn a_start_that_waits_is_called_off(#[case] deleted: bool) {
    let ended = |scene: Scene| if deleted { scene.deleting() } else { scene.desired("Stopped") };
    let waiting = ended(scene(State::Starting)).start(StartFacts::Waiting).decide(3);
    assert_eq!((waiting.status.state, waiting.plan.first), (State::Starting, vec![Command::CancelStart]));
    let cancelled = ended(scene(State::Starting)).start(StartFacts::Cancelled).decide(4);
    assert_eq!((cancelled.status.state, cancelled.plan.then), (State::Stopping, vec![]));
    let nameless = ended(scene(State::Stopping)).status(|status| status.session_id = None);
    let over = nameless.start(StartFacts::Cancelled).decide(5);
    assert_eq!((over.status.state, over.plan.then), (State::Stopped, vec![Command::Release]));
}

#[test]
fn a_start_that_nobody_asked_for_yet_never_is() {
    let decision = scene(State::Starting).desired("Stopped").start(StartFacts::NotAsked).decide(3);
    assert_eq!(
        (decision.status.state, decision.plan.first, decision.plan.then),
        (State::Stopping, vec![], vec![])
    );
}

#[test]
fn a_start_that_was_sent_is_seen_to_its_end_and_then_stopped() {
    let sent = scene(State::Starting).desired("Stopped").start(StartFacts::Sent).decide(3);
    assert_eq!((sent.status.state, sent.plan.first, sent.plan.then), (State::Starting, vec![], vec![]));
    let accepted_ = scene(State::Starting).desired("Stopped").start(accepted()).decide(4);
    assert_eq!((accepted_.status.state, accepted_.plan.then), (State::Running, vec![Command::Confirm]));
    let running = scene(State::Running).desired("Stopped").run(owned()).decide(5);
    assert_eq!((running.status.state, running.plan.then), (State::Stopping, vec![stop()]));
}

#[test]
fn a_session_is_confirmed_before_it_is_stopped() {
    let decision = scene(State::Running).desired("Stopped").start(accepted()).decide(5);
    assert_eq!(
        (decision.status.state, decision.plan.then),
        (State::Stopping, vec![Command::Confirm, stop()])
    );
}
