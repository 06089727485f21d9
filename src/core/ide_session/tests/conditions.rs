//! What a person reads who wonders why nothing happens.

use super::fixtures::*;
use crate::core::ide_session::{Capture, RunFacts, StartFacts, StopFacts, reasons::LogsReason};
use rstest::rstest;
use sojourn_crds::ide_session::State;

#[test]
fn no_endpoint_is_said_once() {
    let waiting = scene(State::Initial).endpoint(missing());
    let decision = waiting.decide(0);
    assert_eq!(decision.says("EndpointReady"), Some(("False", "NoEndpoint")));
    assert_eq!(decision.says("Ready"), Some(("False", "WaitingForEndpoint")));
    assert_eq!(decision.told(), ["EndpointNotReady"]);
    let again = waiting.status(|status| *status = decision.status.clone()).decide(1000);
    assert_eq!((again.status, again.events), (decision.status, vec![]));
}

#[rstest]
#[case("", "NotRequested")]
#[case("Stopped", "NeverStarted")]
fn a_session_that_is_not_asked_to_run_does_not_speak_of_ides(#[case] desired: &str, #[case] reason: &str) {
    let before = scene(State::Initial).endpoint(missing());
    let seen = before.decide(0).status;
    let decision = before.status(|status| *status = seen).desired(desired).decide(1);
    assert_eq!(decision.says("Ready"), Some(("False", reason)));
    assert_eq!((decision.says("EndpointReady"), decision.says("IDEConnected")), (None, None));
}

#[test]
fn f7_a_session_whose_ide_is_away_says_so() {
    let waiting = scene(State::Starting).endpoint(known(false)).start(StartFacts::Waiting);
    let decision = waiting.decide(3);
    assert_eq!(decision.told(), ["IDENotConnected"]);
    let again = waiting.status(|status| *status = decision.status.clone()).decide(1000);
    assert_eq!(again.told(), Vec::<&str>::new(), "it is told once");
    assert_eq!(decision.says("EndpointReady"), Some(("True", "EndpointKnown")));
    assert_eq!(decision.says("IDEConnected"), Some(("False", "ConnectionRefused")));
    assert_eq!(decision.says("Ready"), Some(("False", "WaitingForIDE")));
    let message = decision.condition("IDEConnected").unwrap().message.as_deref();
    assert_eq!(message, Some("nobody listens; start the IDE"));
}

#[test]
fn f4_a_lost_connection_is_seen_while_the_session_runs_on() {
    let running = scene(State::Running).run(owned());
    let connected = running.decide(3).status;
    assert!(connected.conditions.iter().any(|c| c.kind == "IDEConnected" && c.status == "True"));
    let lost = running.status(|status| *status = connected).endpoint(known(false)).decide(4);
    assert_eq!((lost.status.state, lost.says("Ready")), (State::Running, Some(("True", "Running"))));
    assert_eq!(lost.says("IDEConnected"), Some(("False", "ConnectionRefused")));
    assert_eq!(lost.told(), ["IDEDisconnected"]);
}

#[test]
fn a_stop_that_failed_is_said_while_it_is_tried_again() {
    let stop = StopFacts::Failed { tries: 1, message: "500 busy".into(), at: at(3) };
    let decision = scene(State::Stopping).desired("Stopped").run(RunFacts { stop, ..owned() }).decide(3);
    assert_eq!(decision.says("Ready"), Some(("False", "StopFailed")));
    assert!(decision.condition("Ready").unwrap().message.as_ref().unwrap().contains("500 busy"));
}

#[test]
fn after_the_end_nothing_is_said_of_the_ide() {
    let running = scene(State::Running).run(owned());
    let before = running.decide(3).status;
    let run = RunFacts { end: Some(end(Some(0), 4)), ..owned() };
    let ended = running.status(|status| *status = before).run(run).decide(5);
    assert_eq!(ended.says("Ready"), Some(("False", "Stopped")));
    assert_eq!((ended.says("EndpointReady"), ended.says("IDEConnected")), (None, None));
    assert_eq!(
        ended.condition("Ready").unwrap().message.as_deref(),
        Some("The session has ended with exit code 0")
    );
}

#[test]
fn an_ide_that_comes_and_goes_changes_nothing_of_a_session_that_has_ended() {
    let ended = scene(State::Stopped);
    let status = ended.decide(3).status;
    let ended = ended.status(|now| *now = status.clone());
    for endpoint in [known(false), missing(), known(true)] {
        assert_eq!(ended.clone().endpoint(endpoint).decide(9).status, status);
    }
}

#[test]
fn output_that_is_not_here_any_more_is_said() {
    let lost =
        scene(State::Stopped).status(|status| status.std_out_file = Some("/logs/out".into())).decide(3);
    assert_eq!(lost.says("LogsAvailable"), Some(("False", "NotHere")));
    assert_eq!(lost.status.std_out_file.as_deref(), Some("/logs/out"), "nothing is cleared");
    assert_eq!(
        scene(State::Running).captured().run(owned()).decide(3).says("LogsAvailable"),
        Some(("True", "Captured"))
    );
    let mut full = scene(State::Running).run(owned());
    full.0.capture = Capture::Unavailable { reason: LogsReason::CaptureFailed, message: "disk full".into() };
    assert_eq!(full.decide(3).says("LogsAvailable"), Some(("False", "CaptureFailed")));
    for state in [State::Initial, State::Starting] {
        let early = scene(state).captured().start(StartFacts::NotAsked).decide(0);
        assert_eq!((early.says("LogsAvailable"), early.status.std_out_file.as_deref()), (None, None));
    }
}

/// Tools that wait for a session stop when it has failed, and not when it has ended.
#[rstest]
#[case(State::Failed, Some(("True", "Failed")))]
#[case(State::Stopped, None)]
#[case(State::Running, None)]
fn a_session_that_failed_is_stalled(#[case] state: State, #[case] stalled: Option<(&str, &str)>) {
    assert_eq!(scene(state).decide(0).says("Stalled"), stalled);
}
