//! Stopping sessions, and how their ends are learned of.

use crate::support::{Pair, concluded, ended, id, open, options, soon, timing};
use http::StatusCode;
use serde_json::json;
use sojourn::ide::{Options, Stop, StopErrorKind, timing::Timing};
use sojourn_fake_ide::{Answer, FakeIde, Options as FakeOptions, Step};
use std::time::Duration;

#[tokio::test]
async fn a_session_ends_after_it_is_stopped() {
    let mut pair = Pair::new().await;
    let session = pair.running().await;
    assert_eq!(pair.connection.stop(&session).await.unwrap(), Stop::Ended);
    assert_eq!(pair.next_of(&session).await, ended(Some(0)));
    pair.assert_clean();
}

#[tokio::test]
async fn an_end_before_the_answer_counts() {
    let mut pair = Pair::new().await;
    let session = pair.running().await;
    let end = Step::Notify(json!({"notification_type": "sessionTerminated"}));
    let answer = Answer::Status(StatusCode::OK, String::new());
    let wait = Step::Wait(Duration::from_millis(50));
    pair.ide.script(|script| script.stop.push_back(vec![end, wait, answer.into()]));
    assert_eq!(pair.connection.stop(&session).await.unwrap(), Stop::Ended);
    assert_eq!(pair.next_of(&session).await, ended(None));
}

#[tokio::test]
async fn silence_after_the_answer_is_taken_for_the_end_and_the_code_may_still_come() {
    let timing = Timing { end: Duration::from_millis(100), ..timing() };
    let mut pair = Pair::with(FakeOptions::default(), Options { timing, ..options() }).await;
    let session = pair.running().await;
    let answer = Answer::Status(StatusCode::OK, String::new());
    pair.ide.script(|script| script.stop.push_back(vec![answer.into()]));
    assert_eq!(pair.connection.stop(&session).await.unwrap(), Stop::Silent);
    assert_eq!(pair.next_of(&session).await, concluded());
    pair.ide.end(session.as_str(), Some(7));
    assert_eq!(pair.next_of(&session).await, ended(Some(7)));
}

#[tokio::test]
async fn a_session_that_the_ide_forgot_is_over() {
    let mut pair = Pair::new().await;
    let session = pair.running().await;
    let answer = Answer::Status(StatusCode::NO_CONTENT, String::new());
    pair.ide.script(|script| script.stop.push_back(vec![answer.into()]));
    assert_eq!(pair.connection.stop(&session).await.unwrap(), Stop::Gone);
    assert_eq!(pair.next_of(&session).await, concluded());
}

#[tokio::test]
async fn refusals_read_as_specified_and_may_be_tried_again() {
    let mut pair = Pair::new().await;
    let session = pair.running().await;
    let failure = Answer::failure(StatusCode::INTERNAL_SERVER_ERROR, "DebugSessionStopFailed", "busy");
    pair.ide.script(|script| script.stop.extend([vec![failure.into()], vec![Answer::Drop.into()]]));
    let error = pair.connection.stop(&session).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "run session could not be stopped: 500 Internal Server Error DebugSessionStopFailed: busy"
    );
    let error = pair.connection.stop(&session).await.unwrap_err();
    assert!(matches!(error.cause, StopErrorKind::Request(_)), "{error}");
    assert_eq!(pair.connection.stop(&session).await.unwrap(), Stop::Ended);
    assert_eq!(pair.next_of(&session).await, ended(Some(0)));
}

#[tokio::test]
async fn for_a_session_of_somebody_else_nothing_is_sent() {
    let pair = Pair::new().await;
    assert_eq!(pair.connection.stop(&id("foreign")).await.unwrap(), Stop::NotOurs);
    assert!(pair.ide.asked_for("DELETE", "/").is_empty());
}

#[tokio::test]
async fn a_session_of_an_earlier_life_is_stopped() {
    let first = Pair::new().await;
    let session = first.running().await;
    first.connection.close().await;
    let (connection, notifications) = open(&first.ide, &[session.as_str()], options());
    let mut second = Pair { ide: first.ide, connection, notifications };
    second.connected().await;
    assert_eq!(second.connection.stop(&session).await.unwrap(), Stop::Ended);
    assert_eq!(second.next_of(&session).await, ended(Some(0)));
}

#[tokio::test]
async fn an_end_that_nobody_heard_is_replayed_to_the_next_life() {
    let first = Pair::new().await;
    let session = first.running().await;
    first.connection.close().await;
    first.ide.until("nobody listens", |ide| !ide.has_listener()).await;
    first.ide.end(session.as_str(), Some(4));
    let (connection, notifications) = open(&first.ide, &[session.as_str()], options());
    let mut second = Pair { ide: first.ide, connection, notifications };
    assert_eq!(second.next_of(&session).await, ended(Some(4)));
}

#[tokio::test]
async fn stopping_needs_no_socket() {
    let fake = FakeOptions { replays: false, ..FakeOptions::default() };
    let timing = Timing { end: Duration::from_millis(100), ..timing() };
    let mut pair = Pair::with(fake, Options { timing, ..options() }).await;
    let session = pair.running().await;
    pair.ide.script(|script| {
        script.subscribe.extend(vec![vec![Answer::Drop.into()]; 1000]);
    });
    pair.ide.drop_socket();
    pair.lost().await;
    assert_eq!(pair.connection.stop(&session).await.unwrap(), Stop::Silent);
    assert_eq!(pair.next_of(&session).await, concluded());
}

#[tokio::test]
async fn before_the_first_connection_there_is_no_version_to_ask_in() {
    let ide = FakeIde::start(FakeOptions::default()).await.unwrap();
    ide.script(|script| script.info.push_back(vec![Answer::Hang.into()]));
    let (connection, _notifications) = open(&ide, &["old"], options());
    let error = soon("the answer", connection.stop(&id("old"))).await.unwrap_err();
    assert!(matches!(error.cause, StopErrorKind::NotConnected), "{error}");
}

#[tokio::test]
async fn closing_stops_no_session() {
    let pair = Pair::new().await;
    pair.running().await;
    pair.connection.close().await;
    pair.ide.until("it is told", |ide| ide.goodbyes() == 1).await;
    assert!(pair.ide.asked_for("DELETE", "/").is_empty());
}
