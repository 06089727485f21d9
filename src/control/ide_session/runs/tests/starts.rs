//! Starts, and everything that can happen to them.

use super::support::{Bench, LAUNCH, eventually, known, of_uid, session, settings};
use crate::{
    control::ide_session::endpoints::EndpointSource,
    core::ide_session::{Command, StartFacts},
};
use http::StatusCode;
use rstest::rstest;
use serde_json::json;
use sojourn_fake_ide::{Answer, Step};
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;

fn failure(start: &StartFacts) -> &str {
    match start {
        StartFacts::Failed { message, .. } => message,
        other => panic!("it has not failed: {other:?}"),
    }
}

async fn failed(bench: &Bench, name: &str) -> String {
    let session = session(name);
    bench.ask(&session).await;
    let run = bench.run(&session, |run| matches!(run.start, StartFacts::Failed { .. })).await;
    bench.carry_out(&session, Command::Release).await;
    failure(&run.start).to_owned()
}

#[tokio::test]
async fn a_session_goes_from_record_to_its_end() {
    let bench = Bench::new().await;
    let session = session("a");
    bench.carry_out(&session, Command::Record).await;
    assert_eq!(bench.facts(&session).unwrap().start, StartFacts::NotAsked);
    let id = bench.accepted(&session).await;
    bench.ide.process(&id, 12345);
    bench.ide.log(&id, "hello");
    eventually("both wait", || held(&bench) == 2).await;
    assert_eq!(bench.facts(&session).unwrap().pid, None, "its name is not on record yet");
    bench.carry_out(&session, Command::Confirm).await;
    let run = bench.run(&session, |run| run.pid.is_some()).await;
    assert_eq!((run.pid, run.start), (Some(12345), StartFacts::Owned));
    bench.ide.end(&id, Some(7));
    let run = bench.run(&session, |run| run.end.is_some()).await;
    assert_eq!(run.end.unwrap().exit_code, Some(7));
    bench.carry_out(&session, Command::Release).await;
    bench.carry_out(&session, Command::RemoveFiles).await;
    assert_eq!(
        bench.kept.all(),
        ["uid-a begins", "uid-a begins", "uid-a out: hello", "uid-a ends", "uid-a removed"]
    );
    assert!(bench.ide.asked_for("DELETE", "/").is_empty());
    bench.assert_clean();
}

fn held(bench: &Bench) -> usize {
    bench.runs.state.lock().ides.values().map(|ide| ide.connection.counts().buffer.held).sum()
}

#[tokio::test]
async fn a_start_is_sent_once_however_often_it_is_asked_for() {
    let bench = Bench::new().await;
    let session = session("a");
    bench.accepted(&session).await;
    for command in [Command::Record, Command::Start { launch: LAUNCH.into() }] {
        bench.carry_out(&session, command).await;
    }
    bench.carry_out(&session, Command::Confirm).await;
    bench.carry_out(&session, Command::Start { launch: LAUNCH.into() }).await;
    assert_eq!(bench.facts(&session).unwrap().start, StartFacts::Owned);
    assert_eq!(bench.ide.asked_for("PUT", "/").len(), 1);
}

#[rstest]
#[case("not json", "launch configurations could not be parsed: ", false)]
#[case(
    "{}",
    "IdeSession could not be started: run session could not be started: launch configurations are invalid: ",
    true
)]
#[case("[]", "IdeSession could not be started: run session could not be started: at least one launch", true)]
#[tokio::test]
async fn what_cannot_be_sent_fails_without_the_ide(
    #[case] launch: &str,
    #[case] why: &str,
    #[case] called: bool,
) {
    let bench = Bench::new().await;
    let session = session("a");
    bench.carry_out(&session, Command::Record).await;
    bench.carry_out(&session, Command::Start { launch: launch.into() }).await;
    let start = bench.facts(&session).unwrap().start;
    assert!(failure(&start).starts_with(why), "{start:?}");
    assert!(matches!(start, StartFacts::Failed { called: was, .. } if was == called), "{start:?}");
    assert!(bench.ide.asked_for("PUT", "/").is_empty());
}

/// F2: a start whose object is gone leaves no session behind, and none to the next object of its name.
#[tokio::test]
async fn a_start_whose_object_is_gone_is_stopped() {
    let bench = Bench::new().await;
    let (old, hold) = (session("a"), Arc::new(Semaphore::new(0)));
    bench.ide.script(|script| script.create.push_back(vec![Step::Hold(hold.clone())]));
    bench.ask(&old).await;
    bench.asked("PUT", "/run_session", 1).await;
    bench.runs.forget(old.uid());
    let new = of_uid("a", "another", json!({"state": ""}));
    let id = bench.running(&new).await;
    hold.add_permits(1);
    bench.asked("DELETE", "/run_session/", 1).await;
    let stopped = bench.ide.asked_for("DELETE", "/run_session/");
    assert!(
        !stopped[0].path.ends_with(&format!("/{id}")),
        "the session of the new object lives: {stopped:?}"
    );
    assert_eq!(bench.facts(&new).unwrap().start, StartFacts::Owned);
    assert_eq!(bench.facts(&old), None);
}

/// F2: so does one that was accepted and that nobody wrote down.
#[tokio::test]
async fn an_accepted_session_that_is_released_is_stopped() {
    let bench = Bench::new().await;
    let session = session("a");
    let id = bench.accepted(&session).await;
    bench.carry_out(&session, Command::Release).await;
    bench.asked("DELETE", &format!("/run_session/{id}"), 1).await;
}

/// F2: nobody will ever know of it but by this replica, which leads no more.
#[tokio::test]
async fn a_start_that_outlives_leadership_is_stopped() {
    let bench = Bench::new().await;
    let (session, hold) = (session("a"), Arc::new(Semaphore::new(0)));
    bench.ide.script(|script| script.create.push_back(vec![Step::Hold(hold.clone())]));
    bench.ask(&session).await;
    bench.asked("PUT", "/run_session", 1).await;
    bench.runs.retire().await;
    bench.runs.lead([]).await;
    bench.carry_out(&session, Command::Record).await;
    hold.add_permits(1);
    bench.asked("DELETE", "/run_session/test-session-1", 1).await;
    assert_eq!(bench.facts(&session).unwrap().start, StartFacts::NotAsked);
}

/// F4: a start is not sent into a connection that is down, and goes out when it is back.
#[tokio::test]
async fn a_start_waits_for_the_connection() {
    let bench = Bench::new().await;
    let (first, second, hold) = (session("a"), session("b"), Arc::new(Semaphore::new(0)));
    bench.running(&first).await;
    bench.ide.script(|script| script.subscribe.push_back(vec![Step::Hold(hold.clone())]));
    bench.ide.drop_socket();
    bench.until("the loss is known", || bench.endpoint(&first) == (false, "ConnectionLost")).await;
    bench.ask(&second).await;
    assert_eq!(bench.facts(&second).unwrap().start, StartFacts::Waiting);
    assert_eq!(bench.ide.asked_for("PUT", "/").len(), 1);
    hold.add_permits(1);
    bench.run(&second, |run| matches!(run.start, StartFacts::Accepted { .. })).await;
    assert_eq!(bench.endpoint(&first), (true, "Connected"));
}

/// F6: notifications of launches that failed, and of sessions that are over, leave nothing behind.
#[tokio::test]
async fn failed_launches_leave_nothing_behind() {
    let bench = Bench::new().await;
    let other = session("other");
    let over = session("over");
    bench.running(&other).await;
    let id = bench.running(&over).await;
    bench.ide.end(&id, Some(0));
    bench.run(&over, |run| run.end.is_some()).await;
    bench.carry_out(&over, Command::Release).await;
    bench.ide.log(&id, "late");
    for n in 0..20 {
        let late = json!({"notification_type": "sessionTerminated", "session_id": format!("lost-{n}")});
        let refusal = Answer::failure(StatusCode::INTERNAL_SERVER_ERROR, "DebugSessionFailed", "no");
        bench.ide.script(|script| script.create.push_back(vec![Step::Notify(late), refusal.into()]));
        let message = failed(&bench, "a").await;
        assert_eq!(
            message,
            "IdeSession could not be started: run session could not be started: IDE returned unexpected \
             status: 500 Internal Server Error DebugSessionFailed: no"
        );
    }
    let counts = || bench.runs.state.lock().ides[&EndpointSource::Environment].connection.counts();
    eventually("all was heard", || counts().received.values().sum::<u64>() >= 22).await;
    let buffer = counts().buffer;
    assert_eq!((buffer.sessions, buffer.unknown, buffer.bytes), (1, 0, 0));
    assert_eq!(bench.runs.state.lock().members.len(), 1);
    assert!(!bench.kept.all().iter().any(|kept| kept.contains("late")));
}

/// F7: who waits for an IDE holds no place, and can be called off.
#[tokio::test]
async fn waiting_for_an_ide_takes_no_place_and_can_be_called_off() {
    let bench = Bench::new().await;
    let hold = Arc::new(Semaphore::new(0));
    bench.ide.script(|script| script.subscribe.push_back(vec![Step::Hold(hold.clone())]));
    let sessions: Vec<_> = (0..20).map(|n| session(&format!("s{n}"))).collect();
    for session in &sessions {
        bench.ask(session).await;
    }
    bench.asked("GET", "/run_session/notify", 1).await;
    assert_eq!(bench.runs.state.lock().ides[&EndpointSource::Environment].starts.available_permits(), 8);
    for session in &sessions[1..] {
        bench.carry_out(session, Command::CancelStart).await;
        assert_eq!(bench.facts(session).unwrap().start, StartFacts::Cancelled);
    }
    hold.add_permits(1);
    bench.run(&sessions[0], |run| matches!(run.start, StartFacts::Accepted { .. })).await;
    for session in &sessions[1..] {
        bench.carry_out(session, Command::Release).await;
    }
    assert_eq!(bench.ide.asked_for("PUT", "/").len(), 1, "what was called off is never sent");
}

/// F7: waiting has a limit.
#[tokio::test]
async fn waiting_for_an_ide_has_a_limit() {
    let mut settings = settings();
    settings.timing.request = Duration::from_millis(300);
    let bench = Bench::with(settings).await;
    bench.ide.script(|script| script.subscribe.extend(vec![vec![Answer::Hang.into()]; 100]));
    bench.endpoints.put(EndpointSource::Environment, Some(known(&bench.ide)));
    bench.runs.lead([]).await;
    assert_eq!(
        failed(&bench, "a").await,
        "IdeSession could not be started: run session could not be started: the IDE is not connected"
    );
    assert!(bench.ide.asked_for("PUT", "/").is_empty());
}

#[tokio::test]
async fn eight_requests_are_under_way_at_most_and_the_next_can_be_called_off() {
    let bench = Bench::new().await;
    let hold = Arc::new(Semaphore::new(0));
    bench.ide.script(|script| script.create.extend(vec![vec![Step::Hold(hold.clone())]; 8]));
    let sessions: Vec<_> = (0..10).map(|n| session(&format!("s{n}"))).collect();
    for session in &sessions {
        bench.ask(session).await;
    }
    bench.asked("PUT", "/", 8).await;
    let in_state = |wanted: StartFacts| {
        sessions
            .iter()
            .filter(|session| bench.facts(session).unwrap().start == wanted)
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(in_state(StartFacts::Sent).len(), 8);
    let waiting = in_state(StartFacts::Waiting);
    assert_eq!((waiting.len(), bench.ide.asked_for("PUT", "/").len()), (2, 8));
    bench.carry_out(&waiting[0], Command::CancelStart).await;
    bench.carry_out(&in_state(StartFacts::Sent)[0], Command::CancelStart).await;
    assert_eq!(in_state(StartFacts::Sent).len(), 8, "what is sent is seen to its end");
    hold.add_permits(8);
    bench.run(&waiting[1], |run| matches!(run.start, StartFacts::Accepted { .. })).await;
    assert_eq!(bench.ide.asked_for("PUT", "/").len(), 9);
}

/// F11: an early end brings output and errors along.
#[tokio::test]
async fn an_early_end_is_reported_with_all_messages() {
    let bench = Bench::new().await;
    // Without a socket of the IDE nothing could be said before the answer.
    bench.running(&session("other")).await;
    let hold = Arc::new(Semaphore::new(0));
    let steps = vec![
        Step::Notify(
            json!({"notification_type": "serviceLogs", "is_std_err": true, "log_message": "restoring"}),
        ),
        Step::Notify(json!({"notification_type": "sessionMessage", "level": "error", "message": "No SDK"})),
        Step::Notify(json!({"notification_type": "sessionTerminated", "exit_code": 1})),
        Step::Hold(hold.clone()),
    ];
    bench.ide.script(|script| script.create.push_back(steps));
    let session = session("a");
    bench.ask(&session).await;
    let counts = || bench.runs.state.lock().ides[&EndpointSource::Environment].connection.counts();
    eventually("all was heard", || counts().received.values().sum::<u64>() >= 3).await;
    hold.add_permits(1);
    let run = bench.run(&session, |run| matches!(run.start, StartFacts::Over { .. })).await;
    assert!(
        matches!(&run.start, StartFacts::Over { session_id, process: false, exit_code: Some(1), .. }
            if session_id == "test-session-2"),
        "{run:?}"
    );
    assert_eq!(run.message.as_deref(), Some("No SDK"));
    let kept = bench.kept.all();
    assert!(kept.contains(&"uid-a err: restoring".to_owned()), "{kept:?}");
    assert!(kept.contains(&"uid-a note: the IDE says (error): No SDK".to_owned()), "{kept:?}");
}

/// F14: an IDE that gives no usable name, or one that another session has.
#[tokio::test]
async fn names_that_are_none_or_another_sessions_are_refused() {
    let bench = Bench::new().await;
    let first = session("first");
    let id = bench.running(&first).await;
    for location in ["/run_session/".to_owned(), "/run_session/..".to_owned(), format!("/run_session/{id}")] {
        let answer = Answer::Location(StatusCode::CREATED, location.clone());
        bench.ide.script(|script| script.create.push_back(vec![answer.into()]));
        let message = failed(&bench, "a").await;
        assert!(message.contains("session ID"), "{location}: {message}");
    }
    bench.ide.end(&id, Some(0));
    bench.run(&first, |run| run.end.is_some()).await;
    assert!(bench.ide.asked_for("DELETE", "/").is_empty());
}

#[tokio::test]
async fn an_ide_has_so_many_sessions() {
    let bench = Bench::with(crate::settings::IdeSettings { sessions: 1, ..settings() }).await;
    bench.endpoints.put(EndpointSource::Environment, Some(known(&bench.ide)));
    bench.runs.lead([]).await;
    bench.running(&session("first")).await;
    let message = failed(&bench, "a").await;
    assert!(
        message.ends_with("the IDE has 1 sessions already, which is the limit of an endpoint"),
        "{message}"
    );
}
