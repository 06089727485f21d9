//! The end that an IDE tells of: T11, T12 and what is kept of it.

use super::fixtures::*;
use crate::core::ide_session::{Command, RunFacts};
use rstest::rstest;
use sojourn_crds::ide_session::State;

#[rstest]
#[case::t11_well(Some(0), State::Stopped, "")]
#[case::t11_unknown(None, State::Stopped, "")]
#[case::t12(Some(7), State::Failed, "session terminated with non-zero exit code 7")]
fn an_end_that_nobody_asked_for(#[case] code: Option<i32>, #[case] state: State, #[case] message: &str) {
    let run = RunFacts { end: Some(end(code, 8)), pid: Some(3), ..owned() };
    let decision = scene(State::Running).status(|status| status.pid = Some(3)).run(run).decide(9);
    let status = &decision.status;
    assert_eq!((status.state, decision.message(), status.exit_code), (state, message, code));
    assert_eq!(status.finish_timestamp.as_ref().map(|time| time.0), Some(at(8)));
    assert_eq!(status.pid, None, "it is removed in a terminal state");
    assert_eq!(decision.plan.then, [Command::Release]);
}

#[rstest]
#[case(State::Running)]
#[case(State::Stopping)]
fn f9_who_asked_for_the_end_gets_stopped_whatever_the_code(#[case] state: State) {
    let run = RunFacts { end: Some(end(Some(143), 8)), ..owned() };
    let asked = scene(state).desired("Stopped").run(run.clone()).decide(9);
    assert_eq!((asked.status.state, asked.status.exit_code), (State::Stopped, Some(143)));
    let deleted = scene(state).deleting().run(run).decide(9);
    assert_eq!(deleted.status.state, State::Stopped);
}

#[test]
fn what_the_ide_said_last_is_part_of_why_it_failed() {
    let run = RunFacts { end: Some(end(Some(7), 8)), message: Some("out of memory".into()), ..owned() };
    let decision = scene(State::Running).run(run).decide(9);
    assert_eq!(decision.message(), "session terminated with non-zero exit code 7: out of memory");
}

#[rstest]
#[case(State::Stopped)]
#[case(State::Failed)]
fn nothing_comes_after_the_end(#[case] state: State) {
    let run = RunFacts { end: Some(end(Some(1), 8)), pid: Some(3), message: Some("late".into()), ..owned() };
    for desired in ["", "Running", "Stopped"] {
        let ended = scene(state).desired(desired).run(run.clone()).decide(9);
        assert_eq!((ended.status.state, ended.message(), ended.status.exit_code), (state, "", None));
        assert_eq!((ended.status.pid, ended.plan.then), (None, vec![Command::Release]));
    }
    let released = scene(state).decide(9).plan;
    assert_eq!((released.first, released.then, released.requeue_at), (vec![], vec![], None));
}
