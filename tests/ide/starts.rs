//! Creating sessions, and everything that can go wrong with it.

use crate::support::{Pair, ended, link, open, options, request, soon, timing};
use http::StatusCode;
use sojourn::ide::{
    ConnectionState, Launch, Options, SessionId, Start, StartError, StartErrorKind, buffer::Limits,
    timing::Timing,
};
use sojourn_fake_ide::{Answer, FakeIde, Options as FakeOptions, Step};
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// Starts a session that the IDE answers like this.
async fn answered(pair: &Pair, answer: Answer) -> Result<Start, StartError> {
    pair.ide.script(|script| script.create.push_back(vec![answer.into()]));
    pair.connection.start(&request()).await
}

async fn refused(pair: &Pair, answer: Answer) -> String {
    answered(pair, answer).await.unwrap_err().to_string()
}

#[tokio::test]
async fn the_last_segment_of_the_location_is_the_id() {
    let pair = Pair::new().await;
    for (status, location, id) in [
        (StatusCode::OK, "http://elsewhere.example.com:1/a/b/run-1?x=/y", "run-1"),
        (StatusCode::CREATED, "/run_session/run-2", "run-2"),
    ] {
        match answered(&pair, Answer::Location(status, location.into())).await.unwrap() {
            Start::Running(started) => {
                assert_eq!(started.session().as_str(), id);
                started.confirm();
            }
            Start::Over { .. } => panic!("{id} is over"),
        }
    }
}

#[tokio::test]
async fn refusals_read_as_specified() {
    let pair = Pair::new().await;
    let failure = Answer::failure(StatusCode::INTERNAL_SERVER_ERROR, "DebugSessionFailed", "No such project");
    assert_eq!(
        refused(&pair, failure).await,
        "run session could not be started: IDE returned unexpected status: 500 Internal Server Error \
         DebugSessionFailed: No such project"
    );
    let plain = Answer::Status(StatusCode::CONFLICT, "plain\u{1b} text\n".into());
    assert_eq!(
        refused(&pair, plain).await,
        "run session could not be started: IDE returned unexpected status: 409 Conflict plain text"
    );
    assert_eq!(
        refused(&pair, Answer::Status(StatusCode::CREATED, String::new())).await,
        "run session could not be started: IDE response is missing required 'Location' header"
    );
    let long = Answer::Status(StatusCode::BAD_REQUEST, "x".repeat(1 << 20));
    assert!(refused(&pair, long).await.len() < 5000);
    assert_eq!(pair.connection.counts().buffer.starting, 0);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let pair = Pair::new().await;
    let elsewhere = FakeIde::start(FakeOptions::default()).await.unwrap();
    let location = format!("http://localhost:{}/run_session", elsewhere.address().port());
    let error = refused(&pair, Answer::Location(StatusCode::TEMPORARY_REDIRECT, location)).await;
    assert!(error.ends_with("307 Temporary Redirect"), "{error}");
    assert!(elsewhere.asked().is_empty());
}

#[tokio::test]
async fn an_id_that_cannot_be_one_is_refused() {
    let pair = Pair::new().await;
    for location in ["/run_session/", "/run_session/..", "/run_session/a%2f..", "/run_session/a;b"] {
        let error =
            answered(&pair, Answer::Location(StatusCode::CREATED, location.into())).await.unwrap_err();
        assert!(matches!(error.cause, StartErrorKind::SessionId(_)), "{location}: {error}");
    }
}

#[tokio::test]
async fn the_id_of_another_session_is_refused_and_that_session_lives_on() {
    let mut pair = Pair::new().await;
    let session = pair.running().await;
    let location = format!("/run_session/{session}");
    let error = answered(&pair, Answer::Location(StatusCode::CREATED, location)).await.unwrap_err();
    assert!(matches!(error.cause, StartErrorKind::SessionIdTaken(_)), "{error}");
    pair.ide.end(session.as_str(), Some(0));
    assert_eq!(pair.next_of(&session).await, ended(Some(0)));
    assert!(pair.ide.asked_for("DELETE", "/").is_empty());
}

#[tokio::test]
async fn an_answer_has_a_bound_and_a_deadline() {
    let timing = Timing { request: Duration::from_millis(500), ..timing() };
    let pair = Pair::with(FakeOptions::default(), Options { timing, ..options() }).await;
    let error = refused(&pair, Answer::Flood(StatusCode::CREATED, (4 << 20) + 1)).await;
    assert_eq!(error, "run session could not be started: the answer of the IDE is larger than 4 MiB");
    let error = refused(&pair, Answer::Hang).await;
    assert_eq!(error, "run session could not be started: the IDE did not answer within 500ms");
    let error = answered(&pair, Answer::Drop).await.unwrap_err();
    assert!(
        matches!(&error.cause, StartErrorKind::Request(_)) && !crate::support::is_unsent(&error.cause),
        "{error}"
    );
}

#[tokio::test]
async fn what_the_ide_cannot_launch_is_not_sent() {
    let pair = Pair::new().await;
    let error = pair.connection.start(&Launch::read(r#"[{"type":"go"}]"#).unwrap().into()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "run session could not be started: none of the requested launch configuration types is supported by \
         the connected IDE; supported types: [project python], requested types: [go]"
    );
    assert!(crate::support::is_unsent(&error.cause) && pair.ide.asked_for("PUT", "/").is_empty());
}

#[tokio::test]
async fn nothing_is_sent_without_a_connection() {
    let ide = FakeIde::start(FakeOptions::default()).await.unwrap();
    ide.script(|script| {
        script
            .subscribe
            .extend(vec![vec![Answer::Status(StatusCode::BAD_GATEWAY, String::new()).into()]; 1000]);
    });
    let (connection, _notifications) = open(&ide, &[], options());
    link(&connection, |link| matches!(link, ConnectionState::Connecting { failures: 2.., .. })).await;
    let error = connection.start(&request()).await.unwrap_err();
    assert!(matches!(error.cause, StartErrorKind::NotConnected), "{error}");
    connection.close().await;
    let error = connection.start(&request()).await.unwrap_err();
    let expected = "run session could not be started: the IDE session endpoint is not available";
    assert_eq!(error.to_string(), expected);
    assert_eq!(connection.connected().await.unwrap_err().to_string(), expected);
    assert!(ide.asked_for("PUT", "/").is_empty());
}

#[tokio::test]
async fn waiting_for_a_connection_has_a_limit() {
    let ide = FakeIde::start(FakeOptions::default()).await.unwrap();
    ide.script(|script| script.subscribe.push_back(vec![Answer::Hang.into()]));
    let timing = Timing { request: Duration::from_millis(200), backoff: Duration::from_secs(60), ..timing() };
    let timing = Timing { max_backoff: Duration::from_secs(60), ..timing };
    let (connection, _notifications) = open(&ide, &[], Options { timing, ..options() });
    let error = soon("the end of waiting", connection.connected()).await.unwrap_err();
    assert!(matches!(error.cause, StartErrorKind::NotConnected), "{error}");
}

#[tokio::test]
async fn a_session_whose_owner_left_during_the_request_is_stopped() {
    let pair = Pair::new().await;
    let hold = Arc::new(Semaphore::new(0));
    pair.ide.script(|script| script.create.push_back(vec![Step::Hold(hold.clone())]));
    let request = request();
    let mut start = Box::pin(pair.connection.start(&request));
    tokio::select! {
        _ = &mut start => panic!("the answer is held back"),
        () = pair.ide.until("it was asked", |ide| !ide.asked_for("PUT", "/").is_empty()) => {}
    }
    drop(start);
    hold.add_permits(1);
    pair.ide
        .until("it is stopped", |ide| !ide.asked_for("DELETE", "/run_session/test-session-1").is_empty())
        .await;
    gone(&pair).await;
}

#[tokio::test]
async fn a_session_that_nobody_confirms_is_stopped() {
    let pair = Pair::new().await;
    drop(pair.started().await);
    pair.ide
        .until("it is stopped", |ide| !ide.asked_for("DELETE", "/run_session/test-session-1").is_empty())
        .await;
    gone(&pair).await;
}

/// Waits until nothing is kept of any session.
async fn gone(pair: &Pair) {
    let gone = async {
        while pair.connection.counts().buffer.sessions > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon("the release of the session", gone).await;
}

#[tokio::test]
async fn a_drop_during_the_request_is_mended_before_the_session_is_handed_over() {
    let mut pair = Pair::new().await;
    let (answer, listen) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    pair.ide.script(|script| {
        script.create.push_back(vec![Step::DropSocket, Step::Hold(answer.clone())]);
        script.subscribe.push_back(vec![Step::Hold(listen.clone())]);
    });
    let request = request();
    let mut start = Box::pin(pair.connection.start(&request));
    let answered = async {
        pair.lost().await;
        answer.add_permits(1);
        // Long enough for an answer that nobody waits for to have been handed over.
        tokio::time::sleep(Duration::from_millis(300)).await;
    };
    tokio::select! {
        _ = &mut start => panic!("it was handed over while nothing could be heard of it"),
        () = answered => {}
    }
    listen.add_permits(1);
    let Start::Running(started) = soon("the session", start).await.unwrap() else { panic!("it is over") };
    assert!(matches!(*pair.connection.link().borrow(), ConnectionState::Connected(_)));
    let session: SessionId = started.session().clone();
    started.confirm();
    pair.ide.end(session.as_str(), Some(0));
    assert_eq!(pair.next_of(&session).await, ended(Some(0)));
    pair.assert_clean();
}

#[tokio::test]
async fn an_endpoint_has_so_many_sessions() {
    let limits = Limits { sessions: 2, ..Limits::default() };
    let pair = Pair::with(FakeOptions::default(), Options { limits, ..options() }).await;
    let first = pair.running().await;
    pair.running().await;
    let error = pair.connection.start(&request()).await.unwrap_err();
    assert!(
        matches!(error.cause, StartErrorKind::TooManySessions(_)) && crate::support::is_unsent(&error.cause),
        "{error}"
    );
    pair.connection.release(&first);
    pair.running().await;
}

#[tokio::test]
async fn many_starts_go_on_while_one_hangs() {
    let pair = Pair::with(FakeOptions::default(), options()).await;
    pair.ide.script(|script| script.create.push_back(vec![Answer::Hang.into()]));
    let request = request();
    let hanging = pair.connection.start(&request);
    let others = async {
        pair.ide.until("the first was asked", |ide| !ide.asked_for("PUT", "/").is_empty()).await;
        for _ in 0..10 {
            pair.running().await;
        }
    };
    tokio::select! {
        _ = hanging => panic!("the answer is held back"),
        () = soon("ten starts", others) => {}
    }
}
