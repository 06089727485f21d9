//! What becomes of sessions when the operator is killed.

use crate::stage::Stage;
use sojourn_crds::ide_session::State;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_runs_is_taken_over_and_stopped_by_the_next() {
    let mut stage = Stage::set().await;
    stage.create("adopted", "Running").await;
    let id = stage.reaches("adopted", State::Running).await.session_id.unwrap();
    stage.kill_operator().await;
    stage.start_operator().await;
    stage.ide.until("the next operator listens", |ide| ide.has_listener()).await;
    stage.ide.process(&id, 77);
    stage.eventually("adopted", "has its process", |status| status.pid == Some(77)).await;
    stage.desire("adopted", "Stopped").await;
    stage.reaches("adopted", State::Stopped).await;
    assert_eq!(stage.ide.asked_for("PUT", "/run_session").len(), 1);
    stage.strike().await;
}
