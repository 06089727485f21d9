//! Conditions keep the time of their last transition until they turn.

use super::{
    cluster::{Cluster, cluster},
    fixtures::*,
};
use crate::core::{error::ErrorClass, object::Kind};
use rstest::rstest;
use serde_json::json;
use sojourn_crds::amalthea::State;

fn condition(cluster: &Cluster, kind: &str) -> (String, String, i64) {
    let status = cluster.status();
    let found = status.conditions.iter().find(|condition| condition.kind == kind).unwrap();
    let since = found.last_transition_time.as_ref().unwrap().0.as_second() - CREATED;
    (found.status.clone(), found.reason.clone().unwrap(), since)
}

fn is(status: &str, reason: &str, since: i64) -> (String, String, i64) {
    (status.into(), reason.into(), since)
}

#[test]
fn ready() {
    let mut cluster = cluster(session("hello"));
    cluster.settle();
    let kinds: Vec<String> =
        cluster.status().conditions.into_iter().map(|condition| condition.kind).collect();
    assert_eq!(kinds, ["Ready", "RoutingReady", "Reconciled", "FilesKept"]);
    assert_eq!(condition(&cluster, "Ready"), is("False", "SessionCreated", 1));
    cluster.pass_time(10).pod_ready().settle();
    assert_eq!(condition(&cluster, "Ready"), is("True", "Running", 11));
    cluster.pass_time(10).container(json!({"waiting": {"reason": "ErrImagePull"}})).settle();
    assert_eq!(condition(&cluster, "Ready"), is("False", "Failed", 21));
    cluster.pass_time(10).edit("hibernated", json!(true)).settle();
    assert_eq!(condition(&cluster, "Ready"), is("False", "Hibernated", 21));
}

/// Programs take their time; after a minute it is worth saying what the session waits for.
#[test]
fn a_readiness_probe_that_does_not_succeed_is_told() {
    let mut cluster = cluster(session("hello"));
    cluster.settle();
    cluster.container(json!({"running": {"startedAt": at(5).to_string()}}));
    cluster.now = at(64);
    cluster.settle();
    assert_eq!(condition(&cluster, "Ready"), is("False", "SessionCreated", 1));
    assert_eq!(cluster.seen().requeue_at, Some(at(65)));
    cluster.now = at(65);
    cluster.settle();
    assert_eq!(condition(&cluster, "Ready"), is("False", "NotReady", 1));
    let told = cluster.status().conditions.swap_remove(0).message.unwrap();
    assert!(told.ends_with("runs, but its readiness probe does not succeed"), "{told}");
    assert_eq!(cluster.seen().requeue_at, None);
    cluster.pod_ready().settle();
    assert_eq!(condition(&cluster, "Ready"), is("True", "Running", 65));
}

/// What `Ready` and `error` say is one thing, whatever the session was before.
#[test]
fn ready_says_why() {
    let said = |cluster: &Cluster| {
        let status = cluster.status();
        let ready = status.conditions.into_iter().find(|condition| condition.kind == "Ready").unwrap();
        (ready.reason.unwrap(), ready.message.unwrap(), status.error)
    };
    let is = |reason: &str, message: &str, error: Option<&str>| {
        (reason.to_owned(), message.to_owned(), error.map(str::to_owned))
    };
    let mut cluster = cluster(session("hello"));
    cluster.settle();
    assert_eq!(said(&cluster), is("SessionCreated", "The session is starting", None));
    let nowhere =
        json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no room"});
    cluster.pod_status(json!({"phase": "Pending", "conditions": [nowhere]})).settle();
    let why = "the session cannot be scheduled due to: no room. Please contact an administrator.";
    assert_eq!(said(&cluster), is("NotReady", &format!("The session is not ready: {why}"), Some(why)));
    cluster.pass_time(10).pod_ready().settle();
    assert_eq!(said(&cluster), is("Running", "The session is running", None));
    cluster.container(json!({"waiting": {"reason": "ErrImagePull", "message": "not found"}})).settle();
    let why = "failure to retrieve image for container amalthea-session: not found";
    assert_eq!(said(&cluster), is("Failed", &format!("The session has failed: {why}"), Some(why)));
    cluster.pass_time(10).edit("hibernated", json!(true)).settle();
    assert_eq!(said(&cluster), is("Hibernated", "The session is hibernated", None));
    cluster.pass_time(10).edit("hibernated", json!(false)).settle();
    assert_eq!(said(&cluster), is("NotReady", "The session is starting", None));
}

#[rstest]
#[case(0, "Succeeded", "The batch job has succeeded")]
#[case(
    1,
    "Failed",
    "The session has failed: BackoffLimitExceeded: Job has reached the specified backoff limit"
)]
fn ready_says_how_a_batch_job_ended(#[case] code: i32, #[case] reason: &str, #[case] message: &str) {
    let mut cluster = cluster(session("hello").batch()).running(1);
    cluster.pod_exits(code);
    cluster.pods.clear();
    cluster.settle();
    let ready = cluster.status().conditions.swap_remove(0);
    assert_eq!((ready.reason.as_deref(), ready.message.as_deref()), (Some(reason), Some(message)));
}

/// What the original says of every session without an ingress is no evidence that there was one.
#[rstest]
#[case::by_us(None)]
#[case::by_the_original(Some(
    "The ingress information was not specified or was deleted from custom resource hello"
))]
fn an_ingress_that_never_was_is_not_deleted(#[case] recorded: Option<&str>) {
    let mut draft = session("hello");
    if let Some(message) = recorded {
        let created = at(0).to_string();
        let routing = json!({"type": "RoutingReady", "status": "False", "reason": "IngressDeleted",
            "message": message, "lastTransitionTime": created});
        draft = draft.status("conditions", json!([routing]));
    }
    let mut cluster = cluster(draft);
    cluster.settle();
    let status = cluster.status();
    assert_eq!(status.url.as_deref(), Some("None"), "clients of the original look for this text");
    let routing = status.conditions.into_iter().find(|condition| condition.kind == "RoutingReady").unwrap();
    assert_eq!(routing.reason.as_deref(), Some("NoIngress"));
    let text = "The spec has no ingress, so the session has no URL; kubectl port-forward service/hello 8080:80 reaches it";
    assert_eq!(routing.message.as_deref(), Some(text));
}

#[test]
fn routing_ready() {
    let mut cluster = cluster(session("hello").ingress());
    cluster.settle();
    assert_eq!(condition(&cluster, "RoutingReady"), is("True", "IngressOperational", 1));
    cluster.pass_time(10).edit("hibernated", json!(true)).settle();
    assert_eq!(condition(&cluster, "RoutingReady"), is("False", "Hibernated", 11));
    cluster.pass_time(10).edit("hibernated", json!(false)).settle();
    assert_eq!(condition(&cluster, "RoutingReady"), is("True", "IngressOperational", 21));
    cluster.session["spec"].as_object_mut().unwrap().remove("ingress");
    cluster.pass_time(10).settle();
    assert_eq!(condition(&cluster, "RoutingReady"), is("False", "IngressDeleted", 31));
    cluster.pass_time(10).edit("session/workingDir", json!("/x")).settle();
    assert_eq!(condition(&cluster, "RoutingReady"), is("False", "IngressDeleted", 31), "it stays so");
}

#[rstest]
#[case(0, "Succeeded")]
#[case(1, "BackoffLimitExceeded")]
fn finished(#[case] code: i32, #[case] reason: &str) {
    let mut cluster = cluster(session("hello").batch()).running(1);
    cluster.pass_time(10).pod_exits(code).settle();
    assert_eq!(condition(&cluster, "Finished"), is("True", reason, 11));
    cluster.pass_time(10).edit("hibernated", json!(true)).settle();
    assert_eq!(condition(&cluster, "Finished"), is("True", reason, 11));
}

/// Those who only know the generation must be able to tell that it was seen.
#[test]
fn the_generation_is_told() {
    let mut cluster = cluster(session("hello")).running(1);
    cluster.edit("session/workingDir", json!("/x")).settle();
    let generations: Vec<_> =
        cluster.status().conditions.into_iter().map(|c| c.observed_generation).collect();
    assert_eq!(generations, [Some(2); 4]);
}

/// Tools that wait for a session stop when nothing changes any more by itself, and not before.
#[test]
fn what_failed_for_good_is_stalled() {
    let stalled = |cluster: &Cluster| {
        let conditions = cluster.status().conditions;
        let stalled = conditions.into_iter().find(|condition| condition.kind == "Stalled");
        stalled.map(|condition| (condition.status, condition.reason.unwrap()))
    };
    let because = |reason: &str| Some(("True".to_owned(), reason.to_owned()));
    let mut invalid = cluster(session("hello"));
    invalid.findings = vec!["it cannot work".to_owned()];
    invalid.settle();
    assert_eq!(stalled(&invalid), because("InvalidSpec"));
    invalid.findings.clear();
    invalid.pass_time(1).settle();
    assert_eq!(stalled(&invalid), None);

    let mut refused = cluster(session("hello"));
    refused.refuse = Some((Kind::StatefulSet, ErrorClass::Invalid, "it is wrong".into()));
    refused.settle();
    assert_eq!(stalled(&refused), because("Invalid"));
    refused.refuse = Some((Kind::StatefulSet, ErrorClass::Quota, "not now".into()));
    refused.pass_time(1).settle();
    assert_eq!(stalled(&refused), None, "room may be made for it");

    let mut crashing = cluster(session("hello"));
    crashing.settle();
    crashing.pod_ready().container(json!({"waiting": {"reason": "ErrImagePull"}})).settle();
    assert_eq!((crashing.status().state, stalled(&crashing)), (State::Failed, None), "it may pass");
}
