//! What is said to somebody who asks what would be done.

use super::fixtures::*;
use crate::core::ide_session::{Command, preview};
use rstest::rstest;
use sojourn_crds::ide_session::{FINALIZER, State};

#[test]
fn a_new_session_gets_its_finalizer_and_starts() {
    let new = scene(State::Initial).edit(|session| session.metadata.finalizers = None);
    let seen = preview(&new.0.session, at(1));
    assert_eq!(seen.finalizers, Some(vec![FINALIZER.to_owned()]));
    assert_eq!((seen.status.state, seen.plan.then), (State::Starting, vec![start()]));
}

#[rstest]
#[case(State::Starting)]
#[case(State::Running)]
#[case(State::Stopping)]
fn what_is_under_way_is_supposed_to_be(#[case] state: State) {
    let seen = preview(&scene(state).0.session, at(1));
    assert_eq!((seen.status.state, seen.plan.first, seen.plan.then), (state, vec![], vec![]));
}

#[test]
fn what_the_operator_saw_of_the_ide_is_believed() {
    for (state, endpoint, condition) in [
        (State::Initial, missing(), ("EndpointReady", "NoEndpoint")),
        (State::Starting, known(false), ("IDEConnected", "ConnectionRefused")),
    ] {
        let waits = scene(state).status(|status| status.start_attempt_time = None).endpoint(endpoint);
        let seen = waits.decide(1).status;
        let waits = waits.status(|status| *status = seen.clone());
        let expected = preview(&waits.0.session, at(2));
        assert_eq!((expected.status.state, expected.plan.then), (state, vec![]));
        let says = expected.status.conditions.iter().find(|it| it.kind == condition.0).unwrap();
        assert_eq!(says.reason.as_deref(), Some(condition.1));
        assert_eq!(expected.status, seen, "nothing would be changed");
    }
}

#[test]
fn a_session_that_is_asked_to_end_is_stopped() {
    let seen = preview(&scene(State::Running).desired("Stopped").0.session, at(1));
    assert_eq!((seen.status.state, seen.plan.then), (State::Stopping, vec![stop()]));
    let gone = preview(&scene(State::Stopped).deleting().0.session, at(1));
    assert_eq!((gone.finalizers, gone.plan.finalizers), (None, Some(vec![])));
    assert_eq!(gone.plan.first, [Command::RemoveFiles]);
}
