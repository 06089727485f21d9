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
