//! Edits of a spec reach what runs (W26): the original leaves these fields as they were when the pod was
//! first made.

use super::{
    cluster::{Cluster, cluster},
    fixtures::*,
};
use crate::core::object::Kind;
use rstest::rstest;
use serde_json::{Value, json};

fn pod(cluster: &Cluster) -> &Value {
    &cluster.child(Kind::StatefulSet)["spec"]["template"]["spec"]
}

#[rstest]
#[case::service_account("serviceAccountName", json!("one"), json!("two"), "/serviceAccountName", json!("two"))]
#[case::no_service_account("serviceAccountName", json!("one"), Value::Null, "/serviceAccountName", Value::Null)]
#[case::pull_secrets("imagePullSecrets", json!([{"name": "one"}]), json!([{"name": "two"}]),
    "/imagePullSecrets", json!([{"name": "two"}]))]
#[case::no_pull_secrets("imagePullSecrets", json!([{"name": "one"}]), json!([]), "/imagePullSecrets", Value::Null)]
#[case::group("session/runAsGroup", json!(100), json!(200), "/securityContext/fsGroup", json!(200))]
fn fields_of_the_pod_follow_the_spec(
    #[case] field: &str,
    #[case] first: Value,
    #[case] then: Value,
    #[case] place: &str,
    #[case] expected: Value,
) {
    let mut cluster = cluster(session("hello").spec(field, first)).running(1);
    let before = pod(&cluster).pointer(place).cloned();
    cluster.edit(field, then).settle();
    let after = pod(&cluster).pointer(place).cloned().unwrap_or_default();
    assert_ne!(before, Some(after.clone()));
    assert_eq!(after, expected);
}

/// They restart the pod, so they wait where the strategy tells changes to wait.
#[test]
fn fields_of_the_pod_wait_with_the_rest_of_the_template() {
    let mut cluster = cluster(session("hello").strategy("never")).running(1);
    let before = pod(&cluster).clone();
    cluster.edit("serviceAccountName", json!("two")).edit("session/runAsGroup", json!(200)).settle();
    assert_eq!(pod(&cluster), &before);
}

#[test]
fn a_remote_session_is_reached_before_it_is_ready_and_ends_slowly_whoever_changes_that() {
    let mut cluster = cluster(session("hello").remote().ingress()).running(1);
    cluster.child_mut(Kind::Service)["spec"]["publishNotReadyAddresses"] = json!(false);
    let set = cluster.child_mut(Kind::StatefulSet);
    set["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = json!(30);
    cluster.settle();
    assert_eq!(cluster.child(Kind::Service)["spec"]["publishNotReadyAddresses"], true);
    assert_eq!(pod(&cluster)["terminationGracePeriodSeconds"], 60);
}
