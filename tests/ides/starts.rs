//! Requests to create sessions that do not go as they should.

use crate::{
    play::{is, play, refusal},
    support::must,
};
use http::StatusCode;
use rstest::rstest;
use serde_json::json;
use sojourn_crds::ide_session::State;
use sojourn_fake_ide::{Answer, Step};
use std::sync::Arc;
use tokio::sync::Semaphore;

const PREFIX: &str = "IdeSession could not be started: run session could not be started: ";

#[tokio::test(flavor = "multi_thread")]
async fn f18_a_session_that_is_to_stop_during_its_start_is_stopped_as_soon_as_it_has_a_name() {
    let play = play("stop-in-start").await;
    let hold = Arc::new(Semaphore::new(0));
    play.on_create(vec![Step::Hold(hold.clone())]);
    play.create("Running").await;
    play.ide.until("the session is asked for", |_| play.creations() == 1).await;
    play.desire("Stopped").await;
    play.eventually("is heard", |session| {
        session
            .status
            .as_ref()
            .is_some_and(|status| status.observed_generation == session.metadata.generation)
    })
    .await;
    hold.add_permits(1);
    let status = play.reaches(State::Stopped).await;
    assert_eq!(play.stops(&status.session_id.unwrap()), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_deleted_during_its_start_is_stopped_and_goes() {
    let play = play("delete-in-start").await;
    let hold = Arc::new(Semaphore::new(0));
    play.on_create(vec![
        Step::Hold(hold.clone()),
        Answer::Location(StatusCode::OK, "/run_session/in-start".into()).into(),
    ]);
    play.create("Running").await;
    play.ide.until("the session is asked for", |_| play.creations() == 1).await;
    play.delete().await;
    play.eventually("is being deleted", |session| session.metadata.deletion_timestamp.is_some()).await;
    hold.add_permits(1);
    play.gone().await;
    assert_eq!((play.creations(), play.stops("in-start")), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn f1_a_start_that_is_over_in_no_time_is_not_lost() {
    // Twenty at a time, each answered at once: with one result lost, its session would hang in Starting.
    let plays = futures::future::join_all((0..20).map(async |number| {
        let play = play(&format!("swift-{number}")).await;
        if number % 2 == 0 {
            play.on_create(vec![refusal("No", "never")]);
        }
        play.create("Running").await;
        play
    }))
    .await;
    for (number, play) in plays.into_iter().enumerate() {
        play.reaches(if number % 2 == 0 { State::Failed } else { State::Running }).await;
        assert_eq!(play.creations(), 1);
    }
}

/// F14: what can be no name, or is another session's.
#[rstest]
#[case("location-empty", "/run_session/")]
#[case("location-dots", "/run_session/..")]
#[case("location-strange", "/run_session/a%2f..%2finfo")]
#[tokio::test(flavor = "multi_thread")]
async fn f14_a_session_needs_a_usable_name(#[case] name: &str, #[case] location: &str) {
    let play = play(name).await;
    play.on_create(vec![Answer::Location(StatusCode::CREATED, location.to_owned()).into()]);
    play.create("Running").await;
    let status = play.reaches(State::Failed).await;
    assert!(status.message.unwrap().starts_with(PREFIX));
    assert_eq!((status.session_id.as_deref(), play.stops("")), (None, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn f14_a_name_in_use_is_refused_and_its_session_lives_on() {
    let first = play("name-owner").await;
    let id = first.running().await;
    let second = play("name-thief").await;
    second.on_create(vec![Answer::Location(StatusCode::CREATED, format!("/run_session/{id}")).into()]);
    second.create("Running").await;
    let status = second.reaches(State::Failed).await;
    assert!(status.message.unwrap().starts_with(PREFIX));
    first.ide.process(&id, 31);
    first.eventually("has its process", |session| session.status.as_ref().unwrap().pid == Some(31)).await;
    assert_eq!(first.stops(&id), 0);
}

#[rstest]
#[case("launch-object", "{}")]
#[case("launch-empty", "[]")]
#[case("launch-null", "null")]
#[case("launch-text", "\"x\"")]
#[tokio::test(flavor = "multi_thread")]
async fn r4_what_can_never_be_launched_is_refused_at_the_door(#[case] name: &str, #[case] launch: &str) {
    let play = play(name).await;
    let mut manifest = play.manifest("Running");
    manifest["spec"]["launchConfigurations"] = json!(launch);
    let refused = play.scene.apply(&manifest).await;
    let said = "launchConfigurations must be a JSON array with at least one launch configuration object.";
    assert!(!refused.success() && refused.stderr.contains(said), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_ide_cannot_launch_is_not_sent() {
    let play = play("launch-go").await;
    let mut manifest = play.manifest("Running");
    manifest["spec"]["launchConfigurations"] =
        json!(r#"[{"type":"go","project_path":"/src/launch-go.csproj"}]"#);
    must(play.scene.apply(&manifest).await);
    let status = play.reaches(State::Failed).await;
    let said = "none of the requested launch configuration types is supported by the connected IDE; \
                supported types: [project python], requested types: [go]";
    assert_eq!(status.message, Some(format!("{PREFIX}{said}")));
    assert_eq!(play.creations(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn f21_a_session_that_was_stopped_before_it_began_says_that_it_never_will() {
    let play = play("never").await;
    play.create("Stopped").await;
    let session = play.eventually("says so", |session| is(session, "Ready", "False", "NeverStarted")).await;
    assert_eq!(session.state(), State::Initial);
    let refused = play.patch(json!({"spec": {"desiredState": "Running"}})).await;
    assert!(
        refused.stderr.contains("desiredState cannot be changed once it is set to Stopped."),
        "{refused:?}"
    );
    assert_eq!(play.creations(), 0);
}
