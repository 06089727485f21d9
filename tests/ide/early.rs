//! Notifications that come before the answer to the request that creates their session.

use crate::support::{Pair, ended, log, request};
use http::StatusCode;
use serde_json::{Value, json};
use sojourn::ide::{Payload, Start, buffer::EndedEarly, notification::Level};
use sojourn_fake_ide::{Answer, Step};

fn process(pid: i64) -> Value {
    json!({"notification_type": "processRestarted", "pid": pid})
}

fn line(text: &str) -> Value {
    json!({"notification_type": "serviceLogs", "is_std_err": false, "log_message": text})
}

fn end(exit_code: Option<i64>) -> Value {
    let mut end = json!({"notification_type": "sessionTerminated"});
    if let Some(exit_code) = exit_code {
        end["exit_code"] = exit_code.into();
    }
    end
}

/// Starts a session of which the IDE says all this before it answers.
async fn start(pair: &Pair, said: &[Value]) -> Start {
    let before = pair.connection.counts().received.values().sum::<u64>();
    let steps = said.iter().cloned().map(Step::Notify).collect::<Vec<_>>();
    let hold = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let steps = steps.into_iter().chain([Step::Hold(hold.clone())]).collect();
    pair.ide.script(|script| script.create.push_back(steps));
    let request = request();
    let start = pair.connection.start(&request);
    let heard = async {
        // The answer comes after the client has heard it all, on another connection.
        while pair.connection.counts().received.values().sum::<u64>() < before + said.len() as u64 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        hold.add_permits(1);
    };
    tokio::join!(start, heard).0.unwrap()
}

async fn over(said: &[Value]) -> EndedEarly {
    let pair = Pair::new().await;
    match start(&pair, said).await {
        Start::Over { early, .. } => {
            assert_eq!(pair.connection.counts().buffer.sessions, 0);
            pair.assert_clean();
            early
        }
        Start::Running(started) => panic!("{started:?} runs"),
    }
}

#[tokio::test]
async fn what_was_said_early_comes_out_in_order_once_confirmed() {
    let mut pair = Pair::new().await;
    let Start::Running(started) = start(&pair, &[process(7), line("one"), line("two")]).await else {
        panic!("it is over")
    };
    let session = started.session().clone();
    assert!(futures::poll!(Box::pin(pair.notifications.next())).is_pending(), "nobody has confirmed it");
    started.confirm();
    pair.ide.log(session.as_str(), "three");
    assert_eq!(pair.next_of(&session).await, Payload::Process { pid: Some(7) });
    for text in ["one", "two", "three"] {
        assert_eq!(pair.next_of(&session).await, log(text));
    }
    pair.assert_clean();
}

#[tokio::test]
async fn an_end_before_the_answer_without_a_process() {
    let early = over(&[end(None)]).await;
    assert_eq!((early.end.exit_code, early.process), (None, false));
    let early = over(&[end(Some(0))]).await;
    assert_eq!((early.end.exit_code, early.process), (Some(0), false));
}

#[tokio::test]
async fn an_end_before_the_answer_after_a_process() {
    let early = over(&[process(7), end(None)]).await;
    assert_eq!((early.end.exit_code, early.process), (None, true));
    let early = over(&[process(7), end(Some(9))]).await;
    assert_eq!((early.end.exit_code, early.process), (Some(9), true));
}

#[tokio::test]
async fn an_early_end_brings_output_and_errors_along() {
    let error = json!({"notification_type": "sessionMessage", "level": "error", "message": "No SDK"});
    let early = over(&[line("one"), error, end(Some(1)), line("two")]).await;
    let said = Payload::Message { level: Level::Error, text: "No SDK".into() };
    assert_eq!(early.rest, [log("one"), said, log("two")]);
}

#[tokio::test]
async fn an_end_between_answer_and_confirmation_is_heard() {
    let mut pair = Pair::new().await;
    let started = pair.started().await;
    let session = started.session().clone();
    pair.ide.end(session.as_str(), Some(3));
    while pair.connection.counts().received.is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert!(futures::poll!(Box::pin(pair.notifications.next())).is_pending(), "nobody has confirmed it");
    started.confirm();
    assert_eq!(pair.next_of(&session).await, ended(Some(3)));
}

#[tokio::test]
async fn ends_of_launches_that_failed_leave_nothing_behind() {
    let pair = Pair::new().await;
    for n in 0..20 {
        let steps = vec![
            Step::Notify(
                json!({"notification_type": "sessionTerminated", "session_id": format!("lost-{n}")}),
            ),
            Answer::failure(StatusCode::INTERNAL_SERVER_ERROR, "DebugSessionFailed", "no").into(),
        ];
        pair.ide.script(|script| script.create.push_back(steps));
        pair.connection.start(&request()).await.unwrap_err();
    }
    while pair.connection.counts().received.values().sum::<u64>() < 20 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let buffer = pair.connection.counts().buffer;
    assert_eq!((buffer.sessions, buffer.unknown, buffer.bytes), (0, 0, 0));
}
