//! Two sessions with the same host and path: both are told, until one of them is reached elsewhere or gone.

use crate::{
    objects::condition,
    support::{Scene, must, scene, session},
};
use serde_json::{Value, json};
use sojourn_crds::amalthea::AmaltheaSession;

const ROUTE_CONFLICT: &str = "RouteConflict";

fn at(host: &str, path: &str) -> Value {
    json!({"session": {"urlPath": path}, "ingress": {"host": host, "pathPrefix": path}})
}

/// Waits until a session reports a conflict with these words.
async fn conflicts(scene: &Scene, name: &str, words: &[&str]) {
    scene
        .eventually(name, &format!("reports a conflict of routes with {words:?}"), |session| {
            let message = condition(session, ROUTE_CONFLICT, "True");
            message.is_some_and(|message| words.iter().all(|word| message.contains(word)))
        })
        .await;
}

fn is_alone(session: &AmaltheaSession) -> bool {
    condition(session, ROUTE_CONFLICT, "True").is_none()
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_on_one_route_are_warned_about_and_say_so() {
    let (ours, theirs) = (scene("route").await, scene("route-of-another").await);
    let host = format!("{}.example.org", ours.namespace);
    ours.session("elder", at(&host, "/work")).await;
    ours.eventually("elder", "is reported", |session| session.status.is_some()).await;

    let younger = ours.apply(&session("younger", at(&host, "/work/"))).await;
    assert!(younger.stderr.contains("Warning:") && younger.stderr.contains("elder"), "{}", younger.stderr);
    must(younger);
    conflicts(&ours, "elder", &["session younger", "newer"]).await;
    conflicts(&ours, "younger", &["session elder", "older"]).await;
    must(ours.patch("younger", json!({"spec": at(&host, "/elsewhere")})).await);
    ours.eventually("elder", "has its route for itself", is_alone).await;
    ours.eventually("younger", "has its route for itself", is_alone).await;

    // Across namespaces nobody is named: whose session it is may be nobody's business.
    let stranger = theirs.apply(&session("stranger", at(&host, "/work"))).await;
    assert!(
        stranger.stderr.contains("Warning:") && !stranger.stderr.contains("elder"),
        "{}",
        stranger.stderr
    );
    must(stranger);
    conflicts(&ours, "elder", &["a session of another namespace", "newer"]).await;
    conflicts(&theirs, "stranger", &["a session of another namespace", "older"]).await;
    must(theirs.kubectl(&["delete", "ams", "stranger", "--wait=false"]).await);
    ours.eventually("elder", "has its route for itself again", is_alone).await;
}
