//! What a process does that knows nothing but what is on record, in each state.

use super::fixtures::*;
use crate::core::ide_session::Command;
use sojourn_crds::ide_session::State;

#[test]
fn nothing_had_begun() {
    let decision = scene(State::Initial).decide(1);
    assert_eq!((decision.status.state, decision.plan.then), (State::Starting, vec![start()]));
}

#[test]
fn f12_a_start_that_may_have_been_sent_is_never_repeated() {
    let decision = scene(State::Starting).decide(1);
    assert_eq!((&decision.plan.first, &decision.plan.then), (&vec![], &vec![]));
    assert_eq!(decision.status.state, State::Failed);
    assert_eq!(decision.message(), "operator restarted while the start request was in flight");
    assert_eq!(decision.status.finish_timestamp.as_ref().map(|time| time.0), Some(at(1)));
    assert_eq!(decision.told(), ["Failed", "SessionMayRemain"]);
}

#[test]
fn a_session_that_runs_is_taken_over() {
    let decision = scene(State::Running).decide(1);
    assert_eq!((decision.plan.first, decision.plan.then), (vec![adopt()], vec![]));
    assert_eq!(decision.status.state, State::Running);
    let away = scene(State::Running).endpoint(known(false)).decide(1);
    assert_eq!(away.status.state, State::Running);
    assert_eq!(away.says("IDEConnected"), Some(("False", "ConnectionRefused")));
}

#[test]
fn a_session_that_was_being_stopped_is_stopped_again() {
    let decision = scene(State::Stopping).desired("Stopped").decide(1);
    assert_eq!((decision.plan.first, decision.plan.then), (vec![adopt()], vec![stop()]));
    assert_eq!(decision.status.state, State::Stopping);
}

#[test]
fn nothing_is_done_after_the_end() {
    for state in [State::Stopped, State::Failed] {
        let plan = scene(state).decide(1).plan;
        assert_eq!((plan.first, plan.then, plan.finalizers), (vec![], vec![], None));
    }
}

#[test]
fn a_deleted_session_is_stopped_before_its_finalizer_goes() {
    let decision = scene(State::Running).deleting().decide(6);
    assert_eq!((decision.plan.first, decision.plan.then), (vec![adopt()], vec![stop()]));
    assert_eq!((decision.status.state, decision.plan.finalizers), (State::Stopping, None));
    let stopping = scene(State::Stopping).deleting().decide(6);
    assert_eq!((stopping.plan.then, stopping.plan.finalizers), (vec![stop()], None));
}

#[test]
fn a_deleted_session_whose_start_may_have_been_sent_goes_and_says_so() {
    let decision = scene(State::Starting).deleting().decide(6);
    assert_eq!((decision.status.state, &decision.plan.finalizers), (State::Failed, &None));
    assert!(decision.told().contains(&"SessionMayRemain"));
    let gone = scene(State::Failed).deleting().decide(7).plan;
    assert_eq!((gone.finalizers, gone.first), (Some(vec![]), vec![Command::RemoveFiles]));
}
