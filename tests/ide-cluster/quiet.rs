//! What the operator asks of the API server for a session in an IDE: little for a start, nothing while nothing happens.

use crate::stage::Stage;
use sojourn_crds::ide_session::State;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_takes_few_requests_and_then_all_is_quiet() {
    let stage = Stage::set().await;
    // Its IDE is connected from here on.
    stage.create("first", "Running").await;
    stage.reaches("first", State::Running).await;
    stage.create("ended", "Running").await;
    let id = stage.reaches("ended", State::Running).await.session_id.unwrap();
    stage.ide.end(&id, Some(0));
    stage.reaches("ended", State::Stopped).await;
    stage.create("unasked", "").await;
    stage
        .eventually("unasked", "says that nothing is asked for", |status| !status.conditions.is_empty())
        .await;

    let start = stage.moment();
    stage.create("counted", "Running").await;
    stage.reaches("counted", State::Running).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut asked = stage.asked_since(start);
    asked.sort();
    let expected = [
        "create events/ 201",
        "create events/ 201",
        "patch idesessions/ 200",
        "patch idesessions/status 200",
        "patch idesessions/status 200",
    ];
    assert_eq!(asked, expected, "the finalizer, Starting, Running, and an Event for each of the two");

    let quiet = stage.moment();
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(stage.asked_since(quiet), Vec::<String>::new());
    stage.strike().await;
}
