//! The stream of notifications: what is wrong with it is the matter of nobody but who it is about.

use crate::play::{condition, is, play};
use serde_json::json;
use sojourn_crds::ide_session::{IdeSession, State};

/// Whoever breaks the connection, or counts how often it was made.
pub(crate) static CONNECTION: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

fn pid(pid: i64) -> impl Fn(&IdeSession) -> bool {
    move |session| session.status.as_ref().is_some_and(|status| status.pid == Some(pid))
}

#[tokio::test(flavor = "multi_thread")]
async fn f5_an_error_of_the_ide_is_in_the_status_of_a_session_that_runs() {
    let play = play("message").await;
    let id = play.running().await;
    play.ide.notify(json!({"notification_type": "sessionMessage", "session_id": id, "level": "error",
        "message": "Build failed", "code": "MSB1009", "details": [{"code": "CS1002", "message": "; expected"}]}));
    for level in ["info", "debug"] {
        let text = format!("only for the log: {level}");
        play.ide.notify(
            json!({"notification_type": "sessionMessage", "session_id": id, "level": level, "message": text}),
        );
    }
    let said = |session: &IdeSession| session.status.as_ref().is_some_and(|status| status.message.is_some());
    let session = play.eventually("says it", said).await;
    let message = "MSB1009: Build failed\n  CS1002: ; expected";
    assert_eq!(session.status.as_ref().unwrap().message.as_deref(), Some(message));
    assert_eq!(session.state(), State::Running);
    play.tells("IDEError: MSB1009: Build failed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f15_what_cannot_be_read_takes_nothing_else_along() {
    let (one, other) = (play("bad-one").await, play("bad-other").await);
    let (first, second) = (one.running().await, other.running().await);
    let _alone = CONNECTION.lock().await;
    let connections = || one.ide.asked_for("GET", "/run_session/notify").len();
    let before = connections();
    for bad in [
        "no JSON at all".to_owned(),
        r#"{"notification_type":"processRestarted","pid":13}"#.to_owned(),
        format!(r#"{{"notification_type":"processRestarted","session_id":"{first}","pid":"many"}}"#),
        format!(r#"{{"notification_type":"sessionTerminated","session_id":["{first}"]}}"#),
        format!(r#"{{"notification_type":"novelty","session_id":"{first}"}}"#),
        r#"{"notification_type":"connected"}"#.to_owned(),
        "[]".to_owned(),
        String::new(),
    ] {
        one.ide.send(bad);
    }
    one.ide.send_binary(vec![0, 159, 146, 150]);
    let line = |id: &str, pid| {
        format!(r#"{{"notification_type":"processRestarted","session_id":"{id}","pid":{pid}}}"#)
    };
    // Several in one frame, one of them broken.
    one.ide.send(format!("{}\n{{broken\r\n{}\n", line(&first, 101), line(&second, 102)));
    one.eventually("has its process", pid(101)).await;
    other.eventually("has its process", pid(102)).await;
    assert_eq!(connections(), before, "the connection is the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn f4_sessions_outlive_the_loss_of_the_connection_and_hear_what_they_missed() {
    let (ends, stays) = (play("lost-ends").await, play("lost-stays").await);
    let (first, second) = (ends.running().await, stays.running().await);
    let _alone = CONNECTION.lock().await;
    stays.eventually("is connected", |session| is(session, "IDEConnected", "True", "Connected")).await;
    let hold = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    stays.ide.script(|script| script.subscribe.push_back(vec![sojourn_fake_ide::Step::Hold(hold.clone())]));
    stays.ide.drop_socket();
    let lost = |session: &IdeSession| {
        let connected = condition(session.status.as_ref().unwrap(), "IDEConnected");
        connected.is_some_and(|it| it.status == "False")
    };
    let session = stays.eventually("says that the IDE is lost", lost).await;
    assert_eq!(session.state(), State::Running);
    stays.tells("IDEDisconnected: ").await;
    // While nobody listens a session ends, another is created.
    ends.ide.end(&first, Some(4));
    let next = play("lost-next").await;
    next.create("Running").await;
    next.eventually("waits", |session| is(session, "Ready", "False", "WaitingForIDE")).await;
    assert_eq!((ends.get().await.unwrap().state(), next.creations()), (State::Running, 0));

    hold.add_permits(1);
    assert_eq!(ends.reaches(State::Failed).await.exit_code, Some(4));
    next.reaches(State::Running).await;
    stays.ide.process(&second, 103);
    let session = stays.eventually("has its process", pid(103)).await;
    assert_eq!(session.state(), State::Running);
    stays.eventually("is connected", |session| is(session, "IDEConnected", "True", "Connected")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exit_code_is_read_as_the_original_does() {
    for (name, told, read) in [
        ("code-large", 4_294_967_295_i64, Some(-1)),
        ("code-crash", 3_221_225_786, Some(-1_073_741_510)),
        ("code-beyond", 4_294_967_296, None),
    ] {
        let play = play(name).await;
        let id = play.running().await;
        // As it is: not all of these are what the protocol allows.
        let end = json!({"notification_type": "sessionTerminated", "session_id": id, "exit_code": told});
        play.ide.send(end.to_string());
        let state = if read.is_some() { State::Failed } else { State::Stopped };
        assert_eq!(play.reaches(state).await.exit_code, read, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_lines_is_kept_in_order() {
    let play = play("burst").await;
    let id = play.running().await;
    for number in 0..300 {
        play.ide.log(&id, &format!("line {number}"));
    }
    play.ide.end(&id, Some(0));
    let status = play.reaches(State::Stopped).await;
    let out = play.file_has(&status.std_out_file.unwrap(), "line 299").await;
    let lines: Vec<_> = out.lines().map(|line| line.split_once("Z ").unwrap().1.to_owned()).collect();
    assert_eq!(lines, (0..300).map(|number| format!("line {number}")).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_protocol_is_kept() {
    let play = play("protocol").await;
    play.running().await;
    assert_eq!(play.ide.violations(), Vec::<String>::new());
    let asked = play.ide.asked();
    let instance = asked[0].instance.clone().unwrap();
    for asked in &asked {
        assert!(asked.authorization.as_deref().is_some_and(|text| text.starts_with("Bearer ")), "{asked:?}");
        assert_eq!(asked.instance.as_deref(), Some(instance.as_str()), "one identity for all");
        let version = if asked.path == "/info" { "" } else { "api-version=2025-10-01" };
        assert_eq!(asked.query, version, "{asked:?}");
    }
}
