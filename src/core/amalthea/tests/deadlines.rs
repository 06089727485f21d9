//! When the time alone makes something due, and what then happens.

use super::{
    cluster::{Cluster, cluster},
    fixtures::*,
};
use crate::core::{
    amalthea::{deadlines::TimeoutReason, status::TimeoutAction},
    object::Kind,
};
use rstest::rstest;
use serde_json::json;
use sojourn_crds::amalthea::{OnDeadline, State};

fn hibernates(cluster: &Cluster) -> Option<TimeoutReason> {
    match cluster.seen().timeout_action {
        Some(TimeoutAction::Hibernate(due)) => Some(due.why),
        Some(TimeoutAction::Delete(due)) => panic!("deletes: {due:?}"),
        None => None,
    }
}

fn will_hibernate(cluster: &Cluster) -> Option<i64> {
    cluster.seen().status.will_hibernate_at.map(|time| time.0.as_second() - CREATED)
}

#[test]
fn the_oldest_age_hibernates() {
    let mut cluster = cluster(session("hello").max_age("1h")).running(10);
    assert_eq!((will_hibernate(&cluster), cluster.seen().requeue_at), (Some(3600), Some(at(3600))));
    cluster.now = at(3599);
    assert_eq!(hibernates(&cluster), None);
    cluster.now = at(3600);
    assert_eq!(hibernates(&cluster), Some(TimeoutReason::Age));
    cluster.settle();
    assert_eq!(cluster.status().state, State::Hibernated);
}

/// W13: the rule of the run, not of the session.
#[test]
fn a_resumed_session_lives() {
    let mut cluster = cluster(session("hello").max_age("1h").max_starting("10m")).running(10);
    cluster.pass_time(7200).settle();
    assert_eq!(cluster.status().state, State::Hibernated);
    cluster.pass_time(7200).edit("hibernated", json!(false)).settle();
    let resumed = cluster.now.as_second() - CREATED;
    assert_eq!(cluster.status().state, State::NotReady);
    assert_eq!(will_hibernate(&cluster), Some(resumed + 600));
    cluster.pod_ready().settle();
    assert_eq!(will_hibernate(&cluster), Some(resumed + 3600));
}

#[test]
fn starting_too_long() {
    let mut cluster = cluster(session("hello").max_starting("10m"));
    cluster.settle();
    cluster.now = at(599);
    cluster.settle();
    assert_eq!((cluster.status().state, hibernates(&cluster)), (State::NotReady, None));
    cluster.now = at(600);
    // The condition of readiness is a second younger than the session.
    cluster.pass_time(1);
    assert_eq!(hibernates(&cluster), Some(TimeoutReason::Starting));
}

/// A session that ran for hours and loses its pod is not one that never started.
#[test]
fn losing_the_pod_starts_the_clock_anew() {
    let mut cluster = cluster(session("hello").max_starting("10m")).running(10);
    cluster.now = at(36_000);
    cluster.pod_status(json!({"phase": "Pending"})).settle();
    assert_eq!((cluster.status().state, hibernates(&cluster)), (State::NotReady, None));
    assert_eq!(will_hibernate(&cluster), Some(36_600));
    cluster.now = at(36_600);
    assert_eq!(hibernates(&cluster), Some(TimeoutReason::Starting));
}

#[test]
fn failing_too_long() {
    let mut cluster = cluster(session("hello").max_failed("5m")).running(10);
    cluster.now = at(100);
    cluster.container(json!({"waiting": {"reason": "ErrImagePull"}})).settle();
    assert_eq!(will_hibernate(&cluster), Some(400));
    cluster.now = at(400);
    assert_eq!(hibernates(&cluster), Some(TimeoutReason::Failing));
}

#[test]
fn idle_too_long() {
    let mut cluster = cluster(session("hello").max_idle("10m")).running(10);
    cluster.now = at(100);
    cluster.uses_cpu(0).settle();
    assert_eq!(will_hibernate(&cluster), Some(700));
    cluster.now = at(700);
    assert_eq!(hibernates(&cluster), None, "nobody knows whether it is idle still");
    cluster.uses_cpu(0);
    assert_eq!(hibernates(&cluster), Some(TimeoutReason::Idle));
}

#[rstest]
#[case::later(400, 1000)]
#[case::before_it_was_idle(50, 700)]
fn interaction_pushes_idleness(#[case] touched: i64, #[case] due: i64) {
    let mut cluster = cluster(session("hello").max_idle("10m")).running(10);
    cluster.now = at(100);
    cluster.uses_cpu(0).edit("culling/lastInteraction", json!(at(touched).to_string())).settle();
    assert_eq!(will_hibernate(&cluster), Some(due));
    cluster.edit("culling/lastInteraction", json!("yesterday"));
    assert_eq!(will_hibernate(&cluster), Some(700), "what cannot be read does not count");
}

/// W19: an outage of metrics holds back idleness, and only that.
#[test]
fn other_rules_do_not_wait_for_metrics() {
    let mut cluster = cluster(session("hello").max_idle("10m").max_age("1h")).running(10);
    cluster.now = at(100);
    cluster.uses_cpu(0).settle();
    cluster.now = at(1000);
    assert_eq!(
        cluster.seen().requeue_at,
        Some(at(3600)),
        "the next measurement reconciles the session for idleness"
    );
    cluster.now = at(3600);
    assert_eq!(hibernates(&cluster), Some(TimeoutReason::Age));
}

#[test]
fn the_first_rule_counts() {
    let cluster = cluster(session("hello").max_age("1h").max_starting("10m")).running(10);
    assert_eq!(will_hibernate(&cluster), Some(3600));
    let mut cluster = cluster;
    cluster.pod_status(json!({"phase": "Pending"}));
    assert_eq!(will_hibernate(&cluster), Some(610));
}

/// W1: what cannot be read is off, and harms nobody.
#[rstest]
fn rules_that_are_off(#[values("0s", "0", "-1h", "1d", "5 minutes", "")] text: &str) {
    let draft = session("hello")
        .max_age(text)
        .max_idle(text)
        .max_starting(text)
        .max_failed(text)
        .max_hibernated(text);
    let mut cluster = cluster(draft);
    cluster.settle();
    cluster.now = at(1_000_000);
    cluster.settle();
    assert_eq!((will_hibernate(&cluster), cluster.seen().requeue_at), (None, None));
    cluster.edit("hibernated", json!(true)).settle();
    cluster.pass_time(1_000_000).settle();
    assert!(!cluster.session.is_null());
}

#[rstest]
#[case::interactive(session("hello"))]
#[case::batch(session("hello").batch())]
fn hibernated_too_long(#[case] draft: Draft) {
    let mut cluster = cluster(draft.max_hibernated("1h")).running(10);
    cluster.now = at(100);
    cluster.edit("hibernated", json!(true)).settle();
    assert_eq!(cluster.seen().requeue_at, Some(at(3700)));
    cluster.now = at(3699);
    cluster.settle();
    assert!(!cluster.session.is_null());
    cluster.now = at(3700);
    cluster.settle();
    assert!(cluster.session.is_null() && cluster.objects.is_empty());
}

/// A batch session with the released original's deadline: its Job ends it, not we.
#[test]
fn a_batch_session_is_not_hibernated_by_age() {
    let cluster = cluster(session("hello").batch().max_age("1h").max_idle("1m").max_failed("1m")).running(10);
    assert_eq!((will_hibernate(&cluster), cluster.seen().requeue_at), (None, None));
    assert_eq!(cluster.child(Kind::Job)["spec"]["activeDeadlineSeconds"], 3600);
}

#[test]
fn a_batch_session_is_hibernated_when_told_so() {
    let mut cluster = cluster(session("hello").batch().max_age("1h").max_hibernated("1h"));
    cluster.settings.on_deadline = OnDeadline::Hibernate;
    let mut cluster = cluster.running(10);
    assert_eq!(cluster.child(Kind::Job)["spec"]["activeDeadlineSeconds"], 3660, "the backstop");
    // The clock is the Job's own.
    assert_eq!(will_hibernate(&cluster), Some(3610));
    cluster.now = at(3610);
    cluster.settle();
    assert_eq!(cluster.status().state, State::Hibernated);
    cluster.now = at(7210);
    cluster.settle();
    assert!(cluster.session.is_null() && cluster.objects.is_empty());
}

/// The operator was down when the session was due; the Job's own deadline ended it.
#[test]
fn the_backstop_hibernates_too() {
    let mut cluster = cluster(session("hello").batch().max_age("1h"));
    cluster.settings.on_deadline = OnDeadline::Hibernate;
    let mut cluster = cluster.running(10);
    cluster.now = at(3670);
    cluster.run_controllers();
    assert!(cluster.child(Kind::Job)["status"].to_string().contains("DeadlineExceeded"));
    cluster.settle();
    assert_eq!((cluster.status().state, cluster.status().error), (State::Hibernated, None));
    cluster.pass_time(100).edit("hibernated", json!(false)).settle();
    cluster.pod_ready().settle();
    assert_eq!(cluster.status().state, State::Running, "it was not finished");
    assert_eq!(cluster.started_jobs.len(), 2);
}
