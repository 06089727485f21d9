//! From nothing to running: T1 to T9.

use super::fixtures::*;
use crate::core::ide_session::{Command, EndpointFacts, Observed, RunFacts, StartFacts, plan};
use rstest::rstest;
use sojourn_crds::ide_session::{Endpoint, FINALIZER, State};

#[test]
fn the_first_pass_only_adds_the_finalizer() {
    let new = scene(State::Initial).edit(|session| session.metadata.finalizers = Some(vec!["other".into()]));
    let plan = new.decide(0).plan;
    assert_eq!(plan.finalizers, Some(vec!["other".to_owned(), FINALIZER.to_owned()]));
    assert_eq!((plan.first, plan.then, plan.step.to), (vec![], vec![], State::Initial));
}

#[test]
fn t1_a_start_is_remembered_then_recorded_then_sent() {
    let decision = scene(State::Initial).decide(1);
    assert_eq!(decision.plan.first, [Command::Record]);
    assert_eq!(decision.plan.then, [start()]);
    let status = decision.status;
    assert_eq!(status.state, State::Starting);
    assert_eq!(status.start_attempt_time.map(|time| time.0), Some(at(1)));
    let asked = Endpoint { secret_uid: Some("uid-of-secret".into()), instance_id: Some("me-abc".into()) };
    assert_eq!(status.endpoint, Some(asked));
    assert_eq!(status.startup_timestamp, None, "that is for after the call");
}

#[test]
fn a_request_is_not_about_to_be_sent_while_the_ide_is_away() {
    let away = scene(State::Initial).endpoint(known(false));
    let begun = away.decide(1);
    assert_eq!((&begun.plan.first, &begun.plan.then), (&vec![Command::Record], &vec![]));
    assert_eq!((begun.status.state, &begun.status.start_attempt_time), (State::Starting, &None));
    let waiting = away.status(|status| *status = begun.status).start(StartFacts::NotAsked);
    let still = waiting.decide(5);
    assert_eq!(
        (still.status.state, still.plan.then, still.plan.requeue_at),
        (State::Starting, vec![], Some(at(121)))
    );
    let there = waiting.endpoint(known(true)).decide(60);
    assert_eq!((there.plan.first, there.plan.then), (vec![], vec![start()]));
    assert_eq!(there.status.start_attempt_time.map(|time| time.0), Some(at(60)));
}

#[rstest]
#[case::known_and_away(known(false))]
#[case::not_there_any_more(missing())]
fn f7_it_is_not_waited_for_the_ide_for_ever(#[case] endpoint: EndpointFacts) {
    let begun = scene(State::Initial).endpoint(known(false)).decide(1).status;
    let waiting = scene(State::Starting).status(|status| *status = begun).start(StartFacts::NotAsked);
    let waiting = waiting.endpoint(endpoint);
    assert_eq!(waiting.decide(120).status.state, State::Starting);
    let over = waiting.decide(121);
    assert_eq!((over.status.state, over.plan.then.as_slice()), (State::Failed, &[Command::Release][..]));
    assert!(over.message().ends_with("run session could not be started: the IDE is not connected"));
    assert_eq!(over.status.finish_timestamp.map(|time| time.0), Some(at(121)));
}

#[rstest]
#[case::unset("")]
#[case::stopped("Stopped")]
#[case::unknown("nonsense")]
fn t2_nothing_is_done_for_a_session_that_is_not_asked_to_run(#[case] desired: &str) {
    let decision = scene(State::Initial).desired(desired).decide(0);
    assert_eq!(decision.status.state, State::Initial);
    assert_eq!((decision.plan.first, decision.plan.then), (vec![], vec![]));
}

#[test]
fn without_an_endpoint_nothing_begins() {
    let decision = scene(State::Initial).endpoint(missing()).decide(0);
    assert_eq!(decision.status.state, State::Initial);
    assert_eq!((decision.plan.first, decision.plan.then), (vec![], vec![]));
}

#[rstest]
#[case::t3("could not enqueue start operation: shutting down", true)]
#[case::t4("launch configurations could not be parsed: expected value", false)]
#[case::t5("IdeSession could not be started: run session could not be started: no", true)]
fn t3_to_t5_a_failed_start_fails_the_session(#[case] message: &str, #[case] called: bool) {
    let failed = StartFacts::Failed { message: message.into(), called, at: at(3) };
    let decision = scene(State::Starting).start(failed).decide(4);
    let status = &decision.status;
    assert_eq!((status.state, decision.message()), (State::Failed, message));
    assert_eq!(status.startup_timestamp.as_ref().map(|time| time.0), called.then(|| at(3)));
    assert_eq!(status.finish_timestamp.as_ref().map(|time| time.0), Some(at(3)));
    assert_eq!(decision.plan.then, [Command::Release]);
    assert_eq!(decision.told(), ["Failed"]);
}

fn over(process: bool, exit_code: Option<i32>) -> StartFacts {
    StartFacts::Over { session_id: ID.into(), process, exit_code, at: at(3) }
}

#[rstest]
#[case::t6_nothing_seen(false, None, State::Failed, "IDE reported session start failure")]
#[case::t6_nothing_seen_but_a_bad_code(false, Some(3), State::Failed, "IDE reported session start failure")]
#[case::f9_nothing_seen_but_a_good_code(false, Some(0), State::Stopped, "")]
#[case::t7_a_process_was_seen(true, None, State::Stopped, "")]
#[case::t7_a_process_ended_well(true, Some(0), State::Stopped, "")]
#[case::f9_a_process_ended_badly(
    true,
    Some(9),
    State::Failed,
    "session terminated with non-zero exit code 9"
)]
fn t6_and_t7_a_session_that_was_over_before_the_answer(
    #[case] process: bool,
    #[case] exit_code: Option<i32>,
    #[case] state: State,
    #[case] message: &str,
) {
    let decision = scene(State::Starting).start(over(process, exit_code)).decide(4);
    let status = &decision.status;
    assert_eq!((status.state, decision.message(), status.exit_code), (state, message, exit_code));
    assert_eq!(status.session_id.as_deref(), Some(ID));
    assert_eq!(status.startup_timestamp.as_ref().map(|time| time.0), Some(at(3)));
    assert_eq!(status.finish_timestamp.as_ref().map(|time| time.0), Some(at(3)));
    assert_eq!(decision.plan.then, [Command::Release]);
}

#[rstest]
#[case(false, None)]
#[case(true, Some(137))]
fn f9_who_asked_for_the_end_gets_stopped(#[case] process: bool, #[case] exit_code: Option<i32>) {
    let status = scene(State::Starting).desired("Stopped").start(over(process, exit_code)).decide(4).status;
    assert_eq!((status.state, status.exit_code), (State::Stopped, exit_code));
}

#[test]
fn f11_what_the_ide_said_is_part_of_why_a_start_failed() {
    let run = RunFacts { message: Some("NoRuntime: install one".into()), ..RunFacts::new(over(false, None)) };
    let decision = scene(State::Starting).run(run).decide(4);
    assert_eq!(decision.message(), "IDE reported session start failure: NoRuntime: install one");
}

#[test]
fn t8_the_name_is_recorded_before_notifications_are_let_through() {
    let decision = scene(State::Starting).start(accepted()).captured().decide(3);
    assert_eq!(decision.plan.first, []);
    assert_eq!(decision.plan.then, [Command::Confirm]);
    let status = decision.status;
    assert_eq!((status.state, status.session_id.as_deref()), (State::Running, Some(ID)));
    assert_eq!(status.startup_timestamp.map(|time| time.0), Some(at(2)));
    assert_eq!(
        (status.std_out_file.as_deref(), status.std_err_file.as_deref()),
        (Some("/logs/out"), Some("/logs/err"))
    );
}

#[test]
fn r3_a_confirmation_that_was_cut_off_is_made_up_for() {
    let decision = scene(State::Running).start(accepted()).decide(3);
    assert_eq!((decision.status.state, decision.plan.then), (State::Running, vec![Command::Confirm]));
}

#[rstest]
#[case::waiting(StartFacts::Waiting)]
#[case::sent(StartFacts::Sent)]
fn a_start_that_was_asked_for_is_not_asked_for_again(#[case] start: StartFacts) {
    for state in [State::Initial, State::Starting] {
        let decision = scene(state).start(start.clone()).decide(3);
        assert_eq!(decision.status.state, State::Starting);
        assert!(decision.plan.then.is_empty(), "{:?}", decision.plan.then);
    }
}

#[test]
fn a_start_that_was_recorded_and_not_sent_is_sent() {
    let decision = scene(State::Starting).start(StartFacts::NotAsked).decide(3);
    assert_eq!((decision.plan.first, decision.plan.then), (vec![], vec![start()]));
}

#[test]
fn t9_a_new_process_replaces_the_old_one() {
    let run = |pid| RunFacts { pid, ..owned() };
    let running = scene(State::Running).status(|status| status.pid = Some(7));
    assert_eq!(running.clone().run(run(Some(8))).decide(3).status.pid, Some(8));
    assert_eq!(running.run(run(None)).decide(3).status.pid, Some(7));
}

#[test]
fn f5_an_error_of_the_ide_reaches_the_status() {
    let run = RunFacts { message: Some("E1: breakpoints are off".into()), ..owned() };
    let decision = scene(State::Running).run(run).decide(3);
    assert_eq!((decision.status.state, decision.message()), (State::Running, "E1: breakpoints are off"));
    assert_eq!(decision.told(), ["IDEError"]);
}

#[test]
fn f21_a_session_that_never_began_stays_as_it_is() {
    let decision = scene(State::Initial).desired("Stopped").decide(0);
    assert_eq!(decision.status.state, State::Initial);
    assert_eq!(decision.says("Ready"), Some(("False", "NeverStarted")));
}

#[test]
fn running_goes_on_when_nothing_is_asked_for_any_more() {
    let decision = scene(State::Running).desired("").run(owned()).decide(3);
    assert_eq!((decision.status.state, decision.plan.then), (State::Running, vec![]));
}

/// Whatever the facts: no step that the matrix does not know.
#[test]
fn every_step_is_one_of_the_matrix() {
    let starts = [
        StartFacts::NotAsked,
        StartFacts::Waiting,
        StartFacts::Cancelled,
        StartFacts::Sent,
        accepted(),
        StartFacts::Owned,
        over(true, Some(1)),
        StartFacts::Failed { message: "no".into(), called: true, at: at(1) },
    ];
    for state in State::ALL {
        for desired in ["", "Running", "Stopped"] {
            for deleting in [false, true] {
                for start in &starts {
                    for end in [None, Some(end(Some(1), 1))] {
                        let run = RunFacts { end, ..RunFacts::new(start.clone()) };
                        let scene = scene(state).desired(desired).run(run);
                        let scene = if deleting { scene.deleting() } else { scene };
                        let observed: &Observed = &scene.0;
                        let to = plan(observed, &Scene::context(9)).step.to;
                        assert!(state.may_become(to), "{state:?} to {to:?} by {observed:?}");
                    }
                }
            }
        }
    }
}
