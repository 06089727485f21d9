//! The life of a session as the original's own tests tell it.

use crate::{
    play::{condition, is, play, refusal},
    support::must,
};
use serde_json::{Value, json};
use sojourn_crds::ide_session::{FINALIZER, State};

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_nobody_asked_for_stays_as_it_is() {
    let play = play("unasked").await;
    play.create("").await;
    let session = play.eventually("says why", |session| is(session, "Ready", "False", "NotRequested")).await;
    assert_eq!(session.metadata.finalizers.as_deref(), Some(&[FINALIZER.to_owned()][..]));
    let status = session.status.unwrap();
    assert_eq!((status.state, status.session_id, status.start_attempt_time), (State::Initial, None, None));
    assert_eq!(play.creations(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_starts_and_stops_as_it_is_asked_to() {
    let play = play("start-stop").await;
    play.create("").await;
    play.eventually("is known", |session| is(session, "Ready", "False", "NotRequested")).await;
    play.desire("Running").await;
    let status = play.reaches(State::Running).await;
    let id = status.session_id.unwrap();
    assert!(status.startup_timestamp.is_some() && status.start_attempt_time <= status.startup_timestamp);
    let endpoint = status.endpoint.unwrap();
    assert!(endpoint.secret_uid.is_none() && endpoint.instance_id.is_some());
    play.ide.process(&id, 12345);
    let pid = |pid| {
        move |session: &sojourn_crds::ide_session::IdeSession| session.status.as_ref().unwrap().pid == pid
    };
    play.eventually("has its process", pid(Some(12345))).await;
    play.ide.process(&id, 12346);
    play.eventually("has its next process", pid(Some(12346))).await;

    play.desire("Stopped").await;
    let status = play.reaches(State::Stopped).await;
    assert!(status.finish_timestamp.is_some() && status.pid.is_none());
    assert_eq!((status.exit_code, play.stops(&id), play.creations()), (Some(0), 1, 1));
    for said in ["Starting: ", "Started: The IDE has accepted the session", "Stopping: ", "Stopped: "] {
        play.tells(said).await;
    }
    let refused = play.patch(json!({"spec": {"desiredState": "Running"}})).await;
    assert!(
        refused.stderr.contains("desiredState cannot be changed once it is set to Stopped."),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_the_ide_refuses_says_so() {
    let play = play("refused").await;
    play.on_create(vec![refusal("DebugSessionFailed", "No such project")]);
    play.create("Running").await;
    let status = play.reaches(State::Failed).await;
    assert_eq!(
        status.message.as_deref(),
        Some(
            "IdeSession could not be started: run session could not be started: IDE returned unexpected status: \
             500 Internal Server Error DebugSessionFailed: No such project"
        )
    );
    assert!(status.startup_timestamp.is_some() && status.finish_timestamp.is_some());
    assert_eq!((status.session_id, status.exit_code), (None, None));
    play.tells("Failed: IdeSession could not be started").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_in_the_ide_with_a_code_is_a_failure() {
    let play = play("code-7").await;
    let id = play.running().await;
    play.ide.process(&id, 77);
    play.ide.end(&id, Some(7));
    let status = play.reaches(State::Failed).await;
    assert_eq!(status.message.as_deref(), Some("session terminated with non-zero exit code 7"));
    assert!(status.finish_timestamp.is_some());
    assert_eq!((status.exit_code, status.pid, play.stops(&id)), (Some(7), None, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_in_the_ide_with_code_0_is_none() {
    let play = play("code-0").await;
    let id = play.running().await;
    play.ide.end(&id, Some(0));
    let status = play.reaches(State::Stopped).await;
    assert_eq!((status.exit_code, status.message), (Some(0), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_deleted_is_stopped_first() {
    let play = play("deleted").await;
    let id = play.running().await;
    let hold = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    play.on_stop(&id, [vec![sojourn_fake_ide::Step::Hold(hold.clone())]]);
    play.delete().await;
    play.reaches(State::Stopping).await;
    play.ide.until("it is asked to stop the session", |_| play.stops(&id) == 1).await;
    assert!(play.get().await.is_some(), "the object waits for the end of the session");
    hold.add_permits(1);
    play.gone().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_is_to_launch_cannot_be_changed() {
    let play = play("immutable").await;
    play.create("").await;
    let launch = play.manifest("")["spec"]["launchConfigurations"].as_str().unwrap().to_owned();
    let refused = play.patch(json!({"spec": {"launchConfigurations": format!("{launch} ")}})).await;
    let said = "launchConfigurations cannot be changed after the IdeSession is created.";
    assert!(!refused.success() && refused.stderr.contains(said), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ide_gets_what_the_spec_says_and_nothing_else() {
    let play = play("payload").await;
    let launch = r#"[ {"type":"python", "nested": {"a": [1, 2.50, null]}, "project_path": "/src/payload.csproj"}, {} ]"#;
    let mut manifest = play.manifest("Running");
    manifest["spec"]["launchConfigurations"] = json!(launch);
    must(play.scene.apply(&manifest).await);
    play.reaches(State::Running).await;
    let asked = play.ide.asked_for("PUT", "/run_session");
    let body = &asked.iter().find(|asked| asked.body.contains("/src/payload.csproj")).unwrap().body;
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body, json!({"launch_configurations": serde_json::from_str::<Value>(launch).unwrap()}));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_writes_is_in_the_files_that_it_names() {
    let play = play("files").await;
    let id = play.running().await;
    let named = |session: &sojourn_crds::ide_session::IdeSession| {
        session.status.as_ref().is_some_and(|status| {
            [&status.std_out_file, &status.std_err_file]
                .iter()
                .all(|file| file.as_ref().is_some_and(|file| !file.is_empty()))
        })
    };
    let status = play.eventually("names its files", named).await.status.unwrap();
    assert_eq!(condition(&status, "LogsAvailable").unwrap().status, "True");
    let line = |stderr, line: &str| json!({"notification_type": "serviceLogs", "session_id": id, "is_std_err": stderr, "log_message": line});
    play.ide.notify(line(false, "hello"));
    play.ide.notify(line(true, "oh no\n"));
    play.ide.notify(line(false, "goodbye"));
    let (out, err) = (status.std_out_file.unwrap(), status.std_err_file.unwrap());
    let out = play.file_has(&out, "goodbye").await;
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with("1 20") && lines[0].ends_with("Z hello"), "{out}");
    assert!(lines[1].starts_with("2 20"), "{out}");
    let err = play.file_has(&err, "oh no").await;
    assert!(err.lines().count() == 1 && err.ends_with("Z oh no\n"), "{err:?}");
}
