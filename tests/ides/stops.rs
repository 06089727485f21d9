//! Requests to stop sessions that do not go as they should.

use crate::play::{play, refusal, says};
use http::StatusCode;
use serde_json::json;
use sojourn_crds::ide_session::State;
use sojourn_fake_ide::{Answer, Step};
use std::sync::Arc;
use tokio::sync::Semaphore;

fn answer(status: StatusCode) -> Step {
    Answer::Status(status, String::new()).into()
}

#[tokio::test(flavor = "multi_thread")]
async fn f3_a_session_that_the_ide_does_not_know_is_over() {
    let play = play("stop-204").await;
    let id = play.running().await;
    play.on_stop(&id, [vec![answer(StatusCode::NO_CONTENT)]]);
    play.desire("Stopped").await;
    let status = play.reaches(State::Stopped).await;
    assert_eq!((status.exit_code, play.stops(&id)), (None, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn f3_and_its_object_goes() {
    let play = play("delete-204").await;
    let id = play.running().await;
    play.on_stop(&id, [vec![answer(StatusCode::NO_CONTENT)]]);
    play.delete().await;
    play.gone().await;
    assert_eq!(play.stops(&id), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_after_a_stop_is_taken_for_the_end() {
    let play = play("stop-silence").await;
    let id = play.running().await;
    play.on_stop(&id, [vec![answer(StatusCode::OK)]]);
    play.desire("Stopped").await;
    let status = play.reaches(State::Stopped).await;
    assert_eq!((status.exit_code, status.message, play.stops(&id)), (None, None, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn f9_a_session_that_dies_of_its_stop_is_stopped() {
    let play = play("stop-143").await;
    let id = play.running().await;
    play.on_stop(&id, [vec![answer(StatusCode::OK), says("sessionTerminated", json!({"exit_code": 143}))]]);
    play.desire("Stopped").await;
    let status = play.reaches(State::Stopped).await;
    assert_eq!((status.exit_code, status.message), (Some(143), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn f18_a_stop_that_fails_is_tried_again() {
    let play = play("stop-again").await;
    let id = play.running().await;
    play.on_stop(&id, [vec![refusal("DebugSessionStopFailed", "busy")]]);
    play.desire("Stopped").await;
    let status = play.reaches(State::Stopped).await;
    assert_eq!((status.exit_code, play.stops(&id)), (Some(0), 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn t14_a_session_that_cannot_be_stopped_says_so_in_the_end() {
    let play = play("stop-never").await;
    let id = play.running().await;
    play.on_stop(&id, vec![vec![refusal("DebugSessionStopFailed", "busy")]; 9]);
    play.desire("Stopped").await;
    let status = play.reaches(State::Failed).await;
    assert_eq!(
        status.message.as_deref(),
        Some(
            "could not stop IDE session: run session could not be stopped: 500 Internal Server Error \
             DebugSessionStopFailed: busy"
        )
    );
    assert!(status.finish_timestamp.is_some());
    // The first try, and three more.
    assert_eq!(play.stops(&id), 4);
    play.tells(&format!("SessionMayRemain: The IDE may still run the session {id}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_goes_although_its_session_cannot_be_stopped_and_that_is_told() {
    let play = play("delete-never").await;
    let id = play.running().await;
    play.on_stop(&id, vec![vec![refusal("DebugSessionStopFailed", "busy")]; 9]);
    play.delete().await;
    play.gone().await;
    assert_eq!(play.stops(&id), 4);
    play.tells(&format!("SessionMayRemain: The IDE may still run the session {id}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_by_itself_while_it_is_to_stop_is_stopped() {
    let play = play("stop-race").await;
    let id = play.running().await;
    let hold = Arc::new(Semaphore::new(0));
    let end = says("sessionTerminated", json!({"exit_code": 1}));
    play.on_stop(&id, [vec![end, Step::Hold(hold.clone()), answer(StatusCode::NO_CONTENT)]]);
    play.desire("Stopped").await;
    let status = play.reaches(State::Stopped).await;
    assert_eq!(status.exit_code, Some(1));
    hold.add_permits(1);
    play.delete().await;
    play.gone().await;
    assert_eq!(play.stops(&id), 1);
}
