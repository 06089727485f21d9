//! The state of a session in one word: each rule, and which comes before which.

use super::{
    cluster::{Cluster, cluster},
    fixtures::*,
};
use crate::core::{
    conditions::{self, STALLED},
    error::ErrorClass,
    object::Kind,
    workload::Warning,
};
use rstest::rstest;
use serde_json::json;
use sojourn_crds::amalthea::State;

fn seen(cluster: &Cluster) -> (State, Option<String>) {
    let status = cluster.seen().status;
    (status.state, status.error)
}

fn warning(cluster: &Cluster, kind: Kind, reason: &str, message: &str) -> Warning {
    Warning { kind, name: "hello".into(), reason: reason.into(), message: message.into(), at: cluster.now }
}

#[rstest]
#[case::interactive(session("hello"))]
#[case::batch(session("hello").batch())]
fn from_start_to_running(#[case] draft: Draft) {
    let mut cluster = cluster(draft);
    cluster.settle();
    assert_eq!(seen(&cluster), (State::NotReady, None));
    cluster.pod_ready();
    assert_eq!(seen(&cluster), (State::Running, None));
    cluster.pod()["metadata"]["deletionTimestamp"] = json!(at(5).to_string());
    assert_eq!(seen(&cluster), (State::NotReady, None), "a pod that is ending does not serve");
}

#[rstest]
#[case::interactive(session("hello"))]
#[case::batch(session("hello").batch())]
fn a_session_that_is_being_deleted_is_not_ready(#[case] draft: Draft) {
    let mut cluster = cluster(draft).running(1);
    cluster.session["metadata"]["finalizers"] = json!(["amalthea.dev/secrets-finalizer"]);
    cluster.delete_session();
    assert_eq!(seen(&cluster), (State::NotReady, None));
    let report = cluster.seen();
    assert_eq!((report.timeout_action, report.requeue_at), (None, None));
}

#[rstest]
#[case::interactive(session("hello"))]
#[case::batch(session("hello").batch())]
fn hibernated_once_the_workload_is_stopped(#[case] draft: Draft) {
    let mut cluster = cluster(draft).running(1);
    cluster.edit("hibernated", json!(true));
    assert_eq!(seen(&cluster), (State::Running, None), "nothing was stopped yet");
    cluster.pass();
    assert_eq!(cluster.status().state, State::Hibernated);
    let message = cluster.status().conditions[0].message.clone().unwrap();
    assert!(message.contains("still ending"), "{message}");
}

/// W9: the state is what the API server has, not what was asked of it.
#[rstest]
#[case::interactive(session("hello"), Kind::StatefulSet)]
#[case::batch(session("hello").batch(), Kind::Job)]
fn not_hibernated_when_stopping_is_refused(#[case] draft: Draft, #[case] kind: Kind) {
    let mut cluster = cluster(draft).running(1);
    cluster.edit("hibernated", json!(true));
    cluster.refuse = Some((kind, ErrorClass::Forbidden, "no".into()));
    cluster.pass();
    assert_eq!(cluster.status().state, State::Running);
    let reconciled = cluster.status().conditions.iter().find(|c| c.kind == "Reconciled").cloned().unwrap();
    assert_eq!((reconciled.status.as_str(), reconciled.reason.as_deref()), ("False", Some("Forbidden")));
}

#[rstest]
#[case(0, State::Succeeded, None)]
#[case(
    1,
    State::Failed,
    Some("the command in container amalthea-session terminated with an error exit code")
)]
fn a_batch_job_ends(#[case] code: i32, #[case] state: State, #[case] error: Option<&str>) {
    let mut cluster = cluster(session("hello").batch()).running(1);
    cluster.pod_exits(code).settle();
    let status = cluster.status();
    assert_eq!(status.state, state);
    assert!(status.idle && status.idle_since.is_some());
    match error {
        Some(error) => assert!(status.error.unwrap().starts_with(error)),
        None => assert_eq!(status.error, None),
    }
    // The pod and the Job may go: what is on record stays.
    cluster.pods.clear();
    cluster.objects.retain(|(kind, _), _| *kind != Kind::Job);
    cluster.pass_time(100).settle();
    assert_eq!(cluster.status().state, state);
    assert!(cluster.find(Kind::Job).is_none(), "it ran again");
}

/// W15: the pod is gone when the deadline is noticed.
#[test]
fn a_deadline_is_a_failure_with_its_reason() {
    let mut cluster = cluster(session("hello").batch().max_age("1m").max_hibernated("1h")).running(1);
    cluster.pass_time(61).settle();
    let status = cluster.status();
    assert_eq!(status.state, State::Failed);
    assert_eq!(status.error.unwrap(), "DeadlineExceeded: Job was active longer than specified deadline");
    assert!(status.idle_since.is_some());
}

#[test]
fn a_job_that_gives_no_reason_failed() {
    let mut cluster = cluster(session("hello").batch()).running(1);
    cluster.pods.clear();
    cluster.child_mut(Kind::Job)["status"] =
        json!({"failed": 1, "conditions": [{"type": "Failed", "status": "True"}]});
    assert_eq!(seen(&cluster), (State::Failed, Some("The job failed.".into())));
}

/// W43: the node refused the pod; no container ever said a word.
#[test]
fn a_pod_that_the_node_refused_has_failed() {
    let mut cluster = cluster(session("hello"));
    cluster.settle();
    cluster.pod_status(
        json!({"phase": "Failed", "reason": "OutOfcpu", "message": "Node didn't have enough resource: cpu"}),
    );
    let (state, error) = seen(&cluster);
    assert_eq!(state, State::Failed);
    assert!(error.unwrap().contains("Node didn't have enough resource"));
}

/// W12, W42: what the pod itself says, once, with one full stop.
#[rstest]
#[case::interactive(session("hello"))]
#[case::batch(session("hello").batch())]
fn no_node_takes_the_pod(#[case] draft: Draft) {
    let mut cluster = cluster(draft);
    cluster.settle();
    let refused = json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
        "reason": "Unschedulable", "message": "0/3 nodes are available: 3 Insufficient cpu."}]});
    cluster.pod_status(refused.clone()).settle();
    let why = "the session cannot be scheduled due to: 0/3 nodes are available: 3 Insufficient cpu. Please contact an administrator.";
    assert_eq!(seen(&cluster), (State::NotReady, Some(why.into())));
    assert_eq!(cluster.seen().requeue_at, Some(at(601)), "ten minutes after it was first seen");
    cluster.pass_time(599).settle();
    assert_eq!(cluster.status().state, State::NotReady);
    cluster.pass_time(1).settle();
    let status = cluster.status();
    assert_eq!(status.state, State::Failed);
    assert_eq!(status.error.unwrap(), "failed scheduling: 0/3 nodes are available: 3 Insufficient cpu");
    cluster.pod_status(json!({"phase": "Pending"})).settle();
    let status = cluster.status();
    assert_eq!(
        (status.state, status.failed_scheduling_since, status.failing_since),
        (State::NotReady, None, None)
    );
}

/// W11: for both types, and only while it holds.
#[rstest]
#[case::interactive(session("hello"))]
#[case::batch(session("hello").batch())]
fn a_quota_keeps_the_pod_from_being_made(#[case] draft: Draft) {
    let mut cluster = cluster(draft.strategy("never"));
    cluster.pass();
    cluster.warnings = vec![warning(
        &cluster,
        Kind::StatefulSet,
        "FailedCreate",
        "pods \"hello-0\" is forbidden: exceeded quota: q",
    )];
    let (state, error) = seen(&cluster);
    assert_eq!(state, State::Failed);
    assert!(error.unwrap().starts_with("Quota exceeded: Your resource pool"));
    // The pod came in the end, ran, and was evicted: the old warning says nothing about that.
    cluster.pass_time(10).settle();
    cluster.pod_ready().settle();
    cluster.pass_time(10);
    cluster.pods.clear();
    assert_eq!(seen(&cluster).0, State::NotReady);
    // Nor does it speak of a session that is hibernated.
    cluster.edit("hibernated", json!(true));
    cluster.settle();
    assert_eq!(cluster.status().state, State::Hibernated);
    // Nor of the next run.
    cluster.pass_time(10).edit("hibernated", json!(false));
    cluster.pass();
    assert_eq!(seen(&cluster).0, State::NotReady);
}

const REFUSED: &str = "pods \"hello-0\" is forbidden: violates PodSecurity \"restricted:latest\": allowPrivilegeEscalation \
    != false (container \"amalthea-session\" must set securityContext.allowPrivilegeEscalation=false), seccompProfile (pod or \
    container \"amalthea-session\" must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")";

/// The fields that the namespace does not allow are listed as the admission lists them.
#[rstest]
#[case::interactive(session("hello"), Kind::StatefulSet)]
#[case::batch(session("hello").batch(), Kind::Job)]
fn a_pod_that_its_namespace_does_not_allow(#[case] draft: Draft, #[case] workload: Kind) {
    let mut cluster = cluster(draft);
    cluster.pass();
    cluster.warnings = vec![warning(&cluster, workload, "FailedCreate", REFUSED)];
    let status = cluster.seen().status;
    assert_eq!(status.state, State::Failed);
    let error = status.error.unwrap();
    let lacks = |field: &str| {
        format!(
            "spec.session: container amalthea-session lacks {field}; sessions.podSecurity: Restricted adds it"
        )
    };
    let lines = [
        "the pod of the session cannot be created: it violates PodSecurity restricted".to_owned(),
        lacks("allowPrivilegeEscalation"),
        lacks("seccompProfile"),
    ];
    assert_eq!(error.lines().collect::<Vec<_>>(), lines);
    let stalled = conditions::find(&status.conditions, STALLED).unwrap();
    assert_eq!(stalled.reason.as_deref(), Some("PodSecurityViolated"));
    assert_eq!(stalled.message.as_deref(), Some(error.as_str()));
    // The namespace enforces less.
    cluster.settle();
    cluster.pod_ready().settle();
    assert!(conditions::find(&cluster.status().conditions, STALLED).is_none());
    assert_eq!(cluster.status().error, None);
}

/// Another webhook has changed the pod. Nothing that the session says is at fault.
#[test]
fn a_pod_that_somebody_else_made_worse() {
    let mut cluster = cluster(session("hello"));
    cluster.pass();
    let refused = REFUSED.replace("restricted", "baseline");
    cluster.warnings = vec![warning(&cluster, Kind::StatefulSet, "FailedCreate", &refused)];
    let (state, error) = seen(&cluster);
    assert_eq!(state, State::Failed);
    assert_eq!(error.unwrap(), format!("the pod of the session cannot be created: {refused}"));
}

/// W25: what keeps children from being written is said.
#[rstest]
#[case(ErrorClass::Invalid, Some("StatefulSet hello: it is wrong"), "Invalid")]
#[case(ErrorClass::Quota, Some("StatefulSet hello: it is wrong"), "QuotaExceeded")]
#[case(ErrorClass::Transient, None, "AsSpecified")]
#[case(ErrorClass::Conflict, None, "AsSpecified")]
fn a_refused_write_reaches_the_status(
    #[case] class: ErrorClass,
    #[case] error: Option<&str>,
    #[case] reason: &str,
) {
    let mut cluster = cluster(session("hello"));
    cluster.refuse = Some((Kind::StatefulSet, class, "it is wrong".into()));
    cluster.pass();
    let status = cluster.status();
    assert_eq!(status.error.as_deref(), error);
    assert_eq!(status.state == State::Failed, error.is_some());
    let reconciled = status.conditions.iter().find(|condition| condition.kind == "Reconciled").unwrap();
    assert_eq!(reconciled.reason.as_deref(), Some(reason));
}

#[test]
fn a_refused_write_does_not_end_what_runs() {
    let mut cluster = cluster(session("hello")).running(1);
    cluster.edit("session/port", json!(9000));
    cluster.refuse = Some((Kind::Service, ErrorClass::Forbidden, "no".into()));
    cluster.pass();
    assert_eq!(cluster.status().state, State::Running);
    assert!(!cluster.status().conditions.iter().any(|c| c.kind == "Reconciled" && c.status == "True"));
}

#[test]
fn findings_of_admission_are_in_the_way() {
    let mut cluster = cluster(session("hello"));
    cluster.findings = vec!["spec.session.port: wrong".into()];
    cluster.settle();
    assert_eq!(seen(&cluster), (State::Failed, Some("spec.session.port: wrong".into())));
    assert!(cluster.find(Kind::StatefulSet).is_none());
}

/// W31
#[test]
fn a_session_without_spec_says_so() {
    let mut draft = session("hello");
    draft.0.as_object_mut().unwrap().remove("spec");
    let mut cluster = cluster(draft);
    cluster.pass();
    let status = cluster.status();
    assert_eq!((status.state, status.url.as_deref()), (State::Failed, Some("None")));
    assert!(status.error.unwrap().contains("no spec"));
    assert_eq!(cluster.pass(), 0);
}
