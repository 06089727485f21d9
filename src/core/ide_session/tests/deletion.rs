//! What stands between a deletion and the finalizer, by state.

use super::fixtures::*;
use crate::core::ide_session::{Command, RunFacts, StartFacts, StopFacts};
use rstest::rstest;
use sojourn_crds::ide_session::State;

#[rstest]
#[case(State::Initial)]
#[case(State::Stopped)]
#[case(State::Failed)]
fn what_does_not_run_goes_with_all_that_is_kept_of_it(#[case] state: State) {
    let plan = scene(state).deleting().run(owned()).decide(6).plan;
    assert_eq!(plan.first, [Command::Release, Command::RemoveFiles]);
    assert_eq!((plan.finalizers, plan.then), (Some(vec![]), vec![]));
}

#[test]
fn finalizers_of_others_stay() {
    let shared = |session: &mut sojourn_crds::ide_session::IdeSession| {
        session.metadata.finalizers.get_or_insert_default().insert(0, "other".into());
    };
    let plan = scene(State::Stopped).edit(shared).deleting().decide(6).plan;
    assert_eq!(plan.finalizers, Some(vec!["other".to_owned()]));
}

#[test]
fn running_is_stopped_first() {
    let decision = scene(State::Running).deleting().run(owned()).decide(6);
    assert_eq!((decision.status.state, decision.plan.then), (State::Stopping, vec![stop()]));
    assert_eq!(decision.plan.finalizers, None);
}

#[rstest]
#[case::sent(State::Starting, RunFacts::new(StartFacts::Sent))]
#[case::asked(State::Stopping, RunFacts { stop: StopFacts::Asked, ..owned() })]
fn what_is_under_way_is_waited_for(#[case] state: State, #[case] run: RunFacts) {
    let decision = scene(state).deleting().run(run).decide(6);
    assert_eq!((decision.status.state, decision.plan.finalizers), (state, None));
    assert_eq!((decision.plan.first, decision.plan.then), (vec![], vec![]));
}

#[test]
fn a_session_that_cannot_be_stopped_goes_in_the_end_and_its_name_is_told() {
    let stop = StopFacts::Failed { tries: 4, message: "no".into(), at: at(30) };
    let decision = scene(State::Stopping).deleting().run(RunFacts { stop, ..owned() }).decide(31);
    assert_eq!(decision.status.state, State::Failed);
    assert_eq!(decision.told(), ["Failed", "SessionMayRemain"]);
    assert_eq!(scene(State::Failed).deleting().decide(32).plan.finalizers, Some(vec![]));
}

#[test]
fn without_our_finalizer_nothing_is_done_but_to_forget() {
    let foreign = scene(State::Running)
        .deleting()
        .edit(|session| session.metadata.finalizers = Some(vec!["other".into()]));
    let plan = foreign.clone().run(owned()).decide(6).plan;
    assert_eq!((plan.first, plan.finalizers, plan.step.to), (vec![Command::Release], None, State::Running));
    assert_eq!(foreign.decide(6).plan.first, []);
}

#[test]
fn a_session_never_starts_once_it_is_being_deleted() {
    let plan = scene(State::Initial).deleting().decide(6).plan;
    assert_eq!((plan.first, plan.then), (vec![Command::RemoveFiles], vec![]));
    assert_eq!(plan.finalizers, Some(vec![]));
}
