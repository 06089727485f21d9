//! Stops, and sessions of an earlier life.

use super::support::{Bench, known, on_record, session, settings};
use crate::{
    control::ide_session::endpoints::EndpointSource,
    core::ide_session::{Command, StartFacts, StopFacts},
};
use http::StatusCode;
use serde_json::json;
use sojourn_fake_ide::{Answer, Step};
use std::time::Duration;

#[tokio::test]
async fn a_stop_is_over_with_the_end_that_the_ide_tells() {
    let bench = Bench::new().await;
    let session = session("a");
    let id = bench.running(&session).await;
    assert!(matches!(bench.stop(&session, &id).await, StopFacts::Ended { .. }));
    assert_eq!(bench.facts(&session).unwrap().end.unwrap().exit_code, Some(0));
    bench.carry_out(&session, Command::Stop { session_id: id }).await;
    bench.carry_out(&session, Command::Release).await;
    assert_eq!(bench.ide.asked_for("DELETE", "/").len(), 1);
    bench.assert_clean();
}

/// F3: an end is concluded when the IDE knows no such session, and when it agrees and says no more.
#[tokio::test]
async fn an_unreported_end_is_inferred() {
    let mut settings = settings();
    settings.timing.end = Duration::from_millis(100);
    let bench = Bench::with(settings).await;
    bench.endpoints.put(EndpointSource::Environment, Some(known(&bench.ide)));
    bench.runs.lead([]).await;
    for status in [StatusCode::NO_CONTENT, StatusCode::OK] {
        let session = session(status.as_str());
        let id = bench.running(&session).await;
        let answer = Answer::Status(status, String::new());
        bench.ide.script(|script| script.stop.push_back(vec![answer.into()]));
        assert!(matches!(bench.stop(&session, &id).await, StopFacts::Ended { .. }));
        assert_eq!(bench.facts(&session).unwrap().end.unwrap().exit_code, None, "{status}");
    }
}

/// F18: a stop that failed can be asked for again, and it is counted how often it was.
#[tokio::test]
async fn a_stop_that_failed_can_be_asked_for_again() {
    let bench = Bench::new().await;
    let session = session("a");
    let id = bench.running(&session).await;
    let refusal = Answer::failure(StatusCode::INTERNAL_SERVER_ERROR, "DebugSessionStopFailed", "busy");
    bench.ide.script(|script| script.stop.extend(vec![vec![refusal.clone().into()]; 2]));
    for expected in 1..=2 {
        match bench.stop(&session, &id).await {
            StopFacts::Failed { tries, message, .. } => {
                assert_eq!(tries, expected);
                assert_eq!(
                    message,
                    "run session could not be stopped: 500 Internal Server Error DebugSessionStopFailed: busy"
                );
            }
            other => panic!("it has not failed: {other:?}"),
        }
    }
    assert!(matches!(bench.stop(&session, &id).await, StopFacts::Ended { .. }));
    assert_eq!(bench.ide.asked_for("DELETE", "/").len(), 3);
}

/// F12: sessions on record are known before the IDE is connected, so that what it replays finds its owner.
#[tokio::test]
async fn what_an_ide_replays_finds_its_owner() {
    let bench = Bench::with(settings()).await;
    bench.endpoints.put(EndpointSource::Environment, Some(known(&bench.ide)));
    let first = on_record("a", json!({"state": "Running", "sessionID": "test-session-7"}));
    let over = on_record("b", json!({"state": "Stopped", "sessionID": "test-session-8"}));
    bench.ide.process("test-session-7", 77);
    bench.ide.end("test-session-7", Some(3));
    bench.runs.lead([first.clone(), over.clone()]).await;
    assert!(bench.ide.asked().is_empty(), "nobody has looked yet");
    let run = bench.run(&first, |run| run.end.is_some()).await;
    assert_eq!((run.pid, run.end.unwrap().exit_code, run.start), (Some(77), Some(3), StartFacts::Owned));
    assert_eq!(bench.facts(&over), None);
}

/// F12: and can be stopped.
#[tokio::test]
async fn a_session_of_an_earlier_life_can_be_stopped() {
    let bench = Bench::new().await;
    let mine = session("mine");
    let id = bench.running(&mine).await;
    bench.runs.retire().await;
    assert!(bench.ide.asked_for("DELETE", "/").is_empty(), "sessions go on");
    bench.runs.lead([]).await;
    let again = on_record("mine", json!({"state": "Running", "sessionID": id}));
    assert_eq!(bench.facts(&again), None, "it is not taken over yet");
    bench.carry_out(&again, Command::Adopt { session_id: id.clone() }).await;
    assert!(matches!(bench.stop(&again, &id).await, StopFacts::Ended { .. }));
    bench.asked("DELETE", &format!("/run_session/{id}"), 1).await;
}

/// F14: the ID of another session in a status has no effect on that session.
#[tokio::test]
async fn the_session_of_another_is_not_stopped() {
    let bench = Bench::new().await;
    let owner = session("owner");
    let id = bench.running(&owner).await;
    for forged in [id.clone(), "../info".to_owned()] {
        let thief = on_record("thief", json!({"state": "Running", "sessionID": forged}));
        bench.carry_out(&thief, Command::Adopt { session_id: forged.clone() }).await;
        let stop = bench.stop(&thief, &forged).await;
        assert!(
            matches!(&stop, StopFacts::Failed { message, .. } if message.contains("session ID")),
            "{stop:?}"
        );
        bench.carry_out(&thief, Command::Release).await;
    }
    assert!(bench.ide.asked_for("DELETE", "/").is_empty());
    bench.ide.end(&id, Some(5));
    let run = bench.run(&owner, |run| run.end.is_some()).await;
    assert_eq!(run.end.unwrap().exit_code, Some(5));
}

/// F14: nor when it was not known yet whose it is.
#[tokio::test]
async fn the_first_at_an_ide_has_the_session() {
    let bench = Bench::with(settings()).await;
    let status = json!({"state": "Running", "sessionID": "test-session-7"});
    let (owner, thief) = (on_record("owner", status.clone()), on_record("thief", status));
    bench.runs.lead([owner.clone(), thief.clone()]).await;
    bench.endpoints.put(EndpointSource::Environment, Some(known(&bench.ide)));
    bench.until("it is connected", || bench.endpoint(&owner) == (true, "Connected")).await;
    assert_eq!(bench.endpoint(&thief), (true, "Connected"));
    let stop = bench.stop(&thief, "test-session-7").await;
    assert!(matches!(&stop, StopFacts::Failed { message, .. } if message.contains("session ID")), "{stop:?}");
    bench.ide.end("test-session-7", Some(5));
    bench.run(&owner, |run| run.end.is_some()).await;
    assert_eq!(bench.facts(&thief).unwrap().end, None);
}

/// F5: what the IDE says of an error is known, and changes nothing else.
#[tokio::test]
async fn an_error_of_the_ide_is_known() {
    let bench = Bench::new().await;
    let session = session("a");
    let id = bench.running(&session).await;
    bench.ide.notify(json!({"notification_type": "sessionMessage", "session_id": id, "level": "error",
        "code": "E1", "message": "broken"}));
    let run = bench.run(&session, |run| run.message.is_some()).await;
    assert_eq!((run.message.as_deref(), run.start), (Some("E1: broken"), StartFacts::Owned));
}

/// Nobody waits long for the deletion of a session whose IDE is gone.
#[tokio::test]
async fn a_stop_fails_at_once_where_no_ide_is_or_none_answers() {
    let bench = Bench::with(settings()).await;
    let stopping = on_record("a", json!({"state": "Stopping", "sessionID": "test-session-7"}));
    bench.runs.lead([stopping.clone()]).await;
    let failed = |stop: StopFacts, expected: u32| match stop {
        StopFacts::Failed { tries, message, .. } => {
            assert_eq!(
                (tries, &*message),
                (expected, "run session could not be stopped: the IDE is not connected")
            );
        }
        other => panic!("it has not failed: {other:?}"),
    };
    failed(bench.stop(&stopping, "test-session-7").await, 1);
    let refusal = Answer::Status(StatusCode::UNAUTHORIZED, String::new());
    bench.ide.script(|script| script.info.extend(vec![vec![refusal.into()]; 1000]));
    bench.endpoints.put(EndpointSource::Environment, Some(known(&bench.ide)));
    bench.until("it is refused", || bench.endpoint(&stopping) == (false, "TokenRefused")).await;
    failed(bench.stop(&stopping, "test-session-7").await, 2);
}

#[tokio::test]
async fn a_stop_waits_for_an_ide_that_is_not_connected_yet() {
    let bench = Bench::with(settings()).await;
    bench.endpoints.put(EndpointSource::Environment, Some(known(&bench.ide)));
    let hold = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    bench.ide.script(|script| script.info.push_back(vec![Step::Hold(hold.clone())]));
    let stopping = on_record("a", json!({"state": "Stopping", "sessionID": "test-session-7"}));
    bench.runs.lead([stopping.clone()]).await;
    bench.facts(&stopping);
    bench.carry_out(&stopping, Command::Stop { session_id: "test-session-7".into() }).await;
    bench.asked("GET", "/info", 1).await;
    assert_eq!(bench.facts(&stopping).unwrap().stop, StopFacts::Asked);
    hold.add_permits(1);
    bench.run(&stopping, |run| matches!(run.stop, StopFacts::Ended { .. })).await;
}
