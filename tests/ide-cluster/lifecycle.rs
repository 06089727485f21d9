//! From an object to a process and back.

use crate::stage::Stage;
use serde_json::{Value, json};
use sojourn_crds::ide_session::State;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_starts_runs_and_stops() {
    let stage = Stage::set().await;
    let created = stage.create("story", "").await;
    let waiting = stage
        .eventually("story", "says that nothing is asked for", |status| {
            status.conditions.iter().any(|c| c.reason.as_deref() == Some("NotRequested"))
        })
        .await;
    assert_eq!((waiting.state, waiting.session_id), (State::Initial, None));
    assert!(stage.ide.asked_for("PUT", "/run_session").is_empty());

    stage.desire("story", "Running").await;
    let running = stage.reaches("story", State::Running).await;
    let id = running.session_id.clone().unwrap();
    assert!(running.startup_timestamp.is_some() && running.start_attempt_time.is_some());
    assert!(running.endpoint.unwrap().instance_id.is_some());
    assert!(!running.std_out_file.unwrap().is_empty() && !running.std_err_file.unwrap().is_empty());
    let asked = stage.ide.asked_for("PUT", "/run_session");
    assert_eq!(asked.len(), 1);
    let launch: Value = serde_json::from_str(&created.spec.launch_configurations).unwrap();
    let body: Value = serde_json::from_str(&asked[0].body).unwrap();
    assert_eq!(body, json!({"launch_configurations": launch}));

    stage.ide.process(&id, 12_345);
    stage.eventually("story", "has its process", |status| status.pid == Some(12_345)).await;

    stage.desire("story", "Stopped").await;
    let stopped = stage.reaches("story", State::Stopped).await;
    assert_eq!((stopped.pid, stopped.session_id.as_deref()), (None, Some(id.as_str())));
    assert!(stopped.finish_timestamp.is_some());
    assert_eq!(stage.ide.asked_for("DELETE", &format!("/run_session/{id}")).len(), 1);

    let events = stage.events(&created).await;
    for reason in ["Starting", "Started", "Stopping", "Stopped"] {
        assert!(events.iter().any(|event| event == reason), "{reason} in {events:?}");
    }
    stage.strike().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_deleted_is_stopped_first() {
    let stage = Stage::set().await;
    stage.create("deleted", "Running").await;
    let id = stage.reaches("deleted", State::Running).await.session_id.unwrap();
    stage.delete("deleted").await;
    stage.gone("deleted").await;
    assert_eq!(stage.ide.asked_for("DELETE", &format!("/run_session/{id}")).len(), 1);
    stage.strike().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_ends_by_itself_is_judged_by_its_code() {
    let stage = Stage::set().await;
    for (name, code, state) in [("well", 0, State::Stopped), ("badly", 7, State::Failed)] {
        stage.create(name, "Running").await;
        let id = stage.reaches(name, State::Running).await.session_id.unwrap();
        stage.ide.end(&id, Some(code));
        let ended = stage.reaches(name, state).await;
        assert_eq!(ended.exit_code.map(i64::from), Some(code));
    }
    stage.strike().await;
}
