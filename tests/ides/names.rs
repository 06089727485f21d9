//! Objects that have the same name one after the other: neither gets anything of the other.

use crate::play::{play, says};
use http::StatusCode;
use serde_json::json;
use sojourn_crds::ide_session::State;
use sojourn_fake_ide::{Answer, Step};
use std::sync::Arc;
use tokio::sync::Semaphore;

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_used_again_when_its_object_is_gone() {
    let play = play("again").await;
    let first = play.running().await;
    play.ide.process(&first, 1);
    play.eventually("has its process", |session| session.status.as_ref().unwrap().pid == Some(1)).await;
    play.delete().await;
    play.gone().await;
    let second = play.running().await;
    assert_ne!(first, second);
    // What comes late for the first is not the second's.
    play.ide.process(&first, 2);
    play.ide.notify(json!({"notification_type": "sessionMessage", "session_id": first, "level": "error",
        "message": "late"}));
    play.ide.end(&first, Some(1));
    play.ide.process(&second, 3);
    let session =
        play.eventually("has its process", |session| session.status.as_ref().unwrap().pid == Some(3)).await;
    let status = session.status.unwrap();
    assert_eq!((status.state, status.message), (State::Running, None));
    assert_eq!((play.stops(&first), play.stops(&second)), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn f2_a_session_whose_object_is_gone_when_the_ide_answers_is_stopped() {
    let play = play("orphan").await;
    let hold = Arc::new(Semaphore::new(0));
    let location = Answer::Location(StatusCode::CREATED, "/run_session/orphan-1".into());
    play.on_create(vec![Step::Hold(hold.clone()), location.into()]);
    play.create("Running").await;
    play.ide.until("the first is asked for", |_| play.creations() == 1).await;
    play.delete_torn().await;
    // Another object takes the name, and gets a session of its own.
    let second = play.running().await;
    assert_ne!(second, "orphan-1");
    hold.add_permits(1);
    play.ide.until("the first is stopped", |_| play.stops("orphan-1") == 1).await;
    play.ide.process(&second, 8);
    let session =
        play.eventually("has its process", |session| session.status.as_ref().unwrap().pid == Some(8)).await;
    assert_eq!(session.status.unwrap().session_id.as_deref(), Some(second.as_str()));
    assert_eq!((play.creations(), play.stops(&second)), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn f2_a_session_that_nobody_asked_for_is_nobodys() {
    let play = play("stranger").await;
    let id = play.running().await;
    for stranger in 0..100 {
        let Step::Notify(mut note) = says("serviceLogs", json!({"is_std_err": false, "log_message": "x"}))
        else {
            unreachable!()
        };
        note["session_id"] = json!(format!("stranger-{stranger}"));
        play.ide.notify(note);
    }
    play.ide.process(&id, 5);
    play.eventually("has its process", |session| session.status.as_ref().unwrap().pid == Some(5)).await;
}
