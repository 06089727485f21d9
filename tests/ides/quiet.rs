//! What the operator asks of the API server for a session: little for a start, nothing while nothing happens.

use crate::{
    play::{is, play},
    stream::CONNECTION,
    support::OPERATOR_USER,
};
use sojourn_cluster::AuditCursor;
use sojourn_crds::ide_session::State;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_start_takes_few_requests_and_then_all_is_quiet() {
    // Whoever breaks the connection has every session say so.
    let _alone = CONNECTION.lock().await;
    let counted = play("counted").await;
    let ended = play("counted-ended").await;
    let id = ended.running().await;
    ended.ide.end(&id, Some(0));
    ended.reaches(State::Stopped).await;
    let unasked = play("counted-unasked").await;
    unasked.create("").await;
    unasked.eventually("is known", |session| is(session, "Ready", "False", "NotRequested")).await;

    let audit = counted.scene.stage.cluster.audit().unwrap();
    // What was asked about those three and their Events, watches apart.
    let asked_since = |since: AuditCursor| {
        let (entries, _) = audit.since(since).unwrap();
        let ours = entries.into_iter().filter(|entry| {
            entry.user == OPERATOR_USER
                && entry.verb != "watch"
                && matches!(entry.resource.as_str(), "idesessions" | "events")
                && entry.name.starts_with("counted")
        });
        ours.map(|entry| {
            let about = entry.name.split('.').next().unwrap_or_default();
            format!("{} {about} {}/{} {}", entry.verb, entry.resource, entry.subresource, entry.code)
        })
        .collect::<Vec<_>>()
    };
    let start = audit.cursor().unwrap();
    counted.running().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut asked = asked_since(start);
    asked.sort();
    let expected = [
        "create counted events/ 201",
        "create counted events/ 201",
        "patch counted idesessions/ 200",
        "patch counted idesessions/status 200",
        "patch counted idesessions/status 200",
    ];
    assert_eq!(asked, expected, "the finalizer, Starting, Running, and an Event for each of the two");

    let quiet = audit.cursor().unwrap();
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(asked_since(quiet), Vec::<String>::new());
}
