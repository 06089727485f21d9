//! Sessions that are over before the IDE has answered the request that creates them.

use crate::play::{heard, play, says};
use rstest::rstest;
use serde_json::json;
use sojourn_crds::ide_session::State;
use sojourn_fake_ide::{Answer, Step};

const UNSEEN: Option<&str> = Some("IDE reported session start failure");

/// Each was a success or a failure for no reason of the session's, before: F9, T6 and T7.
#[rstest]
#[case("early-nothing", false, None, State::Failed, UNSEEN)]
#[case("early-zero", false, Some(0), State::Stopped, None)]
#[case("early-code", false, Some(3), State::Failed, UNSEEN)]
#[case("early-process", true, None, State::Stopped, None)]
#[case("early-process-zero", true, Some(0), State::Stopped, None)]
#[case(
    "early-process-code",
    true,
    Some(3),
    State::Failed,
    Some("session terminated with non-zero exit code 3")
)]
#[tokio::test(flavor = "multi_thread")]
async fn f9_what_an_early_end_means_follows_from_what_is_known_of_it(
    #[case] name: &str,
    #[case] process: bool,
    #[case] code: Option<i32>,
    #[case] state: State,
    #[case] message: Option<&str>,
) {
    let play = play(name).await;
    let end = code.map_or(json!({}), |code| json!({"exit_code": code}));
    let process = process.then(|| says("processRestarted", json!({"pid": 9})));
    let rest = [says("sessionTerminated", end), heard(), Step::Answer(Answer::Behave)];
    let steps = process.into_iter().chain(rest);
    play.on_create(steps.collect());
    play.create("Running").await;
    let status = play.reaches(state).await;
    assert_eq!((status.message.as_deref(), status.exit_code, status.pid), (message, code, None));
    assert!(status.session_id.is_some() && status.finish_timestamp.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn f11_what_was_said_before_an_early_end_is_not_thrown_away() {
    let play = play("early-words").await;
    let said = |text: &str| json!({"is_std_err": false, "log_message": text});
    play.on_create(vec![
        says("serviceLogs", said("restoring")),
        says("sessionMessage", json!({"level": "error", "message": "No SDK", "code": "E1"})),
        says("serviceLogs", said("giving up")),
        says("sessionTerminated", json!({})),
        heard(),
        Step::Answer(Answer::Behave),
    ]);
    play.create("Running").await;
    let status = play.reaches(State::Failed).await;
    assert_eq!(status.message.as_deref(), Some("IDE reported session start failure: E1: No SDK"));
    let out = play.file_has(&status.std_out_file.unwrap(), "giving up").await;
    assert!(out.lines().next().unwrap().ends_with(" restoring"), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn r3_what_was_said_before_the_answer_comes_through_after_it() {
    let play = play("early-process-lives").await;
    let line = json!({"is_std_err": false, "log_message": "first line"});
    play.on_create(vec![
        says("processRestarted", json!({"pid": 4711})),
        says("serviceLogs", line),
        heard(),
        Step::Answer(Answer::Behave),
    ]);
    play.create("Running").await;
    let status = play
        .eventually("has its process", |session| {
            session.state() == State::Running
                && session.status.as_ref().is_some_and(|it| it.pid == Some(4711))
        })
        .await
        .status
        .unwrap();
    play.file_has(&status.std_out_file.unwrap(), "first line").await;
}
