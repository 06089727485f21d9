//! The Job of a batch session: runs once, is never lost before its result is on record, never runs again.

use super::{
    cluster::{Cluster, cluster},
    controllers::has_ended,
    fixtures::*,
};
use crate::core::{error::ErrorClass, object::Kind};
use rstest::rstest;
use serde_json::json;
use sojourn_crds::amalthea::State;

fn job_key() -> (Kind, String) {
    (Kind::Job, "hello".into())
}

fn uid(cluster: &Cluster) -> String {
    cluster.child(Kind::Job)["metadata"]["uid"].as_str().unwrap().to_owned()
}

/// W9: a started Job is suspended, and replaced when the session resumes.
#[rstest]
fn hibernate_and_resume(#[values("always", "never", "whenFailedOrHibernated")] strategy: &str) {
    let mut cluster = cluster(session("hello").batch().max_age("1h").strategy(strategy)).running(10);
    let first = uid(&cluster);
    cluster.edit("hibernated", json!(true)).settle();
    assert_eq!(
        (uid(&cluster), cluster.child(Kind::Job)["spec"]["suspend"].clone()),
        (first.clone(), json!(true))
    );
    assert!(cluster.pods.is_empty());
    cluster.pass_time(100).edit("hibernated", json!(false)).settle();
    assert_ne!(uid(&cluster), first, "a Job's template cannot change once it ran");
    let job = cluster.child(Kind::Job);
    assert_eq!(job["metadata"]["annotations"]["renku.io/run_id"], cluster.session["status"]["runID"]);
    assert_eq!(
        (&job["spec"]["suspend"], &job["spec"]["activeDeadlineSeconds"]),
        (&json!(false), &json!(3600))
    );
    cluster.pod_ready().settle();
    assert_eq!((cluster.status().state, cluster.started_jobs.len()), (State::Running, 2));
}

#[rstest]
#[case(json!("2h"), Some(7200))]
#[case(json!("30m0.1s"), Some(1801))]
#[case(json!("0s"), None)]
fn the_deadline_follows_the_lifetime(
    #[case] max_age: serde_json::Value,
    #[case] deadline: Option<i64>,
    #[values("always", "never")] strategy: &str,
) {
    let mut cluster = cluster(session("hello").batch().max_age("1h").strategy(strategy)).running(10);
    let first = uid(&cluster);
    cluster.edit("culling/maxAge", max_age).settle();
    assert_eq!(cluster.child(Kind::Job)["spec"]["activeDeadlineSeconds"].as_i64(), deadline);
    assert_eq!(uid(&cluster), first);
}

/// The Job goes only after its result was written down.
#[test]
fn the_result_is_on_record_before_the_job_may_go() {
    let mut cluster = cluster(session("hello").batch()).running(10);
    cluster.pod_exits(0);
    cluster.delete_object(&job_key());
    assert!(cluster.find(Kind::Job).is_some(), "held by its finalizer");
    cluster.pass();
    assert!(cluster.find(Kind::Job).is_some());
    assert_eq!(cluster.status().state, State::Succeeded);
    cluster.settle();
    assert!(cluster.find(Kind::Job).is_none());
    assert_eq!((cluster.status().state, cluster.started_jobs.len()), (State::Succeeded, 1));
}

/// W14
#[rstest]
fn a_deleted_job_is_not_run_again(#[values(false, true)] ended: bool) {
    let mut cluster = cluster(session("hello").batch()).running(10);
    if ended {
        cluster.pod_exits(0).settle();
    }
    cluster.delete_object(&job_key());
    cluster.settle();
    assert!(cluster.find(Kind::Job).is_none());
    assert_eq!(cluster.started_jobs.len(), 1);
    let status = cluster.status();
    assert_eq!(status.state, if ended { State::Succeeded } else { State::Failed });
    assert_eq!(status.error.is_some(), !ended);
    // Not even after hibernate and resume.
    cluster.edit("hibernated", json!(true)).settle();
    assert_eq!((cluster.status().hibernated_since, cluster.status().state), (None, status.state));
    cluster.pass_time(10).edit("hibernated", json!(false)).settle();
    assert_eq!((cluster.started_jobs.len(), cluster.status().state), (1, status.state));
    assert_eq!(cluster.status().run_id, status.run_id);
}

#[test]
fn a_finished_job_is_left_alone_but_for_its_finalizer() {
    let mut cluster = cluster(session("hello").batch().max_age("1h")).running(10);
    cluster.pod_exits(1).settle();
    assert!(has_ended(cluster.child(Kind::Job)));
    assert_eq!(cluster.child(Kind::Job)["metadata"]["finalizers"], json!([]));
    cluster.log.clear();
    cluster.edit("culling/maxAge", json!("9h")).edit("template/metadata/labels", json!({"a": "b"})).settle();
    assert!(!cluster.log.iter().any(|call| call.contains("Job")), "{:?}", cluster.log);
}

/// It ended while somebody hibernated the session: the result counts.
#[test]
fn a_job_that_ends_while_it_is_being_hibernated_has_ended() {
    let mut cluster = cluster(session("hello").batch()).running(10);
    cluster.edit("hibernated", json!(true)).pod_exits(0);
    cluster.settle();
    assert_eq!(cluster.status().state, State::Succeeded);
    cluster.pass_time(10).edit("hibernated", json!(false)).settle();
    assert_eq!((cluster.status().state, cluster.started_jobs.len()), (State::Succeeded, 1));
}

/// It ran on because it could not be suspended, and ended; then the session was resumed.
#[test]
fn a_result_goes_on_record_before_a_new_run_begins() {
    let mut cluster = cluster(session("hello").batch()).running(10);
    cluster.refuse = Some((Kind::Job, ErrorClass::Transient, "later".into()));
    cluster.edit("hibernated", json!(true));
    cluster.pass();
    assert!(cluster.status().hibernated_since.is_some());
    cluster.refuse = None;
    cluster.pod_exits(0).pass_time(10).edit("hibernated", json!(false)).settle();
    assert_eq!((cluster.status().state, cluster.started_jobs.len()), (State::Succeeded, 1));
}

/// A Job that others hold on its way out is neither deleted again nor written to.
#[test]
fn a_job_on_its_way_out_is_left_alone() {
    let mut cluster = cluster(session("hello").batch()).running(10);
    cluster.edit("hibernated", json!(true)).settle();
    cluster.child_mut(Kind::Job)["metadata"]["finalizers"] = json!(["other"]);
    cluster.delete_object(&job_key());
    cluster.pass_time(10).edit("hibernated", json!(false)).settle();
    assert_eq!(cluster.plan(), crate::core::amalthea::Plan::default());
    assert_eq!(cluster.status().state, State::NotReady);
    cluster.child_mut(Kind::Job)["metadata"]["finalizers"] = json!([]);
    cluster.delete_object(&job_key());
    cluster.settle();
    cluster.pod_ready().settle();
    assert_eq!((cluster.status().state, cluster.started_jobs.len()), (State::Running, 2));
}

#[test]
fn a_suspended_job_that_is_deleted_comes_back_suspended() {
    let mut cluster = cluster(session("hello").batch()).running(10);
    cluster.edit("hibernated", json!(true)).settle();
    let first = uid(&cluster);
    cluster.delete_object(&job_key());
    cluster.settle();
    assert_ne!(uid(&cluster), first, "nothing holds it: it has no result");
    assert_eq!(cluster.child(Kind::Job)["spec"]["suspend"], true);
    assert_eq!(cluster.status().state, State::Hibernated);
}

/// A queueing controller decides when its Jobs run; we only stop them.
#[test]
fn a_queue_decides_when_its_jobs_run() {
    let label = json!({"kueue.x-k8s.io/queue-name": "q"});
    let mut cluster = cluster(session("hello").batch().spec("template/metadata/labels", label));
    cluster.settle();
    cluster.child_mut(Kind::Job)["spec"]["suspend"] = json!(true);
    cluster.settle();
    assert_eq!(cluster.child(Kind::Job)["spec"]["suspend"], true);
    assert_eq!(cluster.status().state, State::NotReady);
    cluster.child_mut(Kind::Job)["spec"]["suspend"] = json!(false);
    cluster.settle();
    cluster.edit("hibernated", json!(true)).settle();
    assert_eq!(cluster.child(Kind::Job)["spec"]["suspend"], true);
}

/// Without a queue nobody else suspends or starts it.
#[rstest]
fn suspend_is_put_right(#[values(false, true)] hibernated: bool) {
    let mut cluster = cluster(session("hello").batch().spec("hibernated", json!(hibernated)));
    cluster.settle();
    cluster.child_mut(Kind::Job)["spec"]["suspend"] = json!(!hibernated);
    cluster.settle();
    assert_eq!(cluster.child(Kind::Job)["spec"]["suspend"], hibernated);
}
