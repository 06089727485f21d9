//! Objects that go, in each state: what runs is stopped first, what was written is removed.

use crate::play::{is, play};
use sojourn_crds::ide_session::State;
use std::path::Path;

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_never_ran_goes_at_once() {
    let play = play("delete-unasked").await;
    play.create("").await;
    play.eventually("is known", |session| is(session, "Ready", "False", "NotRequested")).await;
    play.delete().await;
    play.gone().await;
    assert_eq!(play.creations(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_session_wrote_goes_with_its_object_and_not_before() {
    for (name, code, state) in
        [("delete-stopped", Some(0), State::Stopped), ("delete-failed", Some(1), State::Failed)]
    {
        let play = play(name).await;
        let id = play.running().await;
        play.ide.log(&id, "a line");
        play.ide.end(&id, code);
        let status = play.reaches(state).await;
        let (out, err) = (status.std_out_file.unwrap(), status.std_err_file.unwrap());
        play.file_has(&out, "a line").await;
        play.delete().await;
        play.gone().await;
        assert!(!Path::new(&out).exists() && !Path::new(&err).exists(), "{name}");
        assert_eq!(play.stops(&id), 0, "{name}: what is over is not stopped");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f13_a_path_that_somebody_wrote_into_the_status_is_not_touched() {
    let play = play("delete-path").await;
    let id = play.running().await;
    let mine = tempfile::NamedTempFile::new().unwrap();
    let path = mine.path().to_str().unwrap();
    let patch = serde_json::json!({"status": {"stdOutFile": path, "stdErrFile": path}});
    let api = play.api();
    let params = kube::api::PatchParams::default();
    api.patch_status(&play.name, &params, &kube::api::Patch::Merge(&patch)).await.unwrap();
    play.ide.log(&id, "not here");
    play.ide.end(&id, Some(0));
    play.reaches(State::Stopped).await;
    play.delete().await;
    play.gone().await;
    assert_eq!(std::fs::read_to_string(path).unwrap(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_object_is_torn_away_is_told_apart_from_the_next() {
    // Without its finalizer nobody waits for the IDE: the running session is the IDE's own from there on.
    let play = play("delete-torn").await;
    let id = play.running().await;
    play.delete_torn().await;
    let next = play.running().await;
    assert_ne!(next, id);
    play.ide.end(&id, Some(5));
    play.ide.process(&next, 66);
    let session =
        play.eventually("has its process", |session| session.status.as_ref().unwrap().pid == Some(66)).await;
    assert_eq!(session.state(), State::Running);
}
