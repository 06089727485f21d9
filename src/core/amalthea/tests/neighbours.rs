//! What runs beside the process of a batch session, and does not end with it.

use super::{
    cluster::{Cluster, cluster},
    controllers::status_of,
    fixtures::*,
};
use crate::core::object::Kind;
use rstest::rstest;
use serde_json::{Value, json};
use sojourn_crds::amalthea::State;

/// A batch session with the proxy of a service mesh, both running.
fn with_proxy() -> Cluster {
    let proxy = json!([{"name": "proxy", "image": "proxy"}]);
    cluster(session("hello").batch().max_age("1h").spec("extraContainers", proxy)).running(10)
}

fn finished(cluster: &Cluster) -> Option<String> {
    let conditions = cluster.recorded_conditions();
    conditions.into_iter().find(|it| it.kind == "Finished").and_then(|it| it.reason)
}

#[rstest]
#[case::well(0, State::Succeeded, "Succeeded")]
#[case::badly(3, State::Failed, "Failed")]
fn the_end_of_the_own_container_is_the_result(
    #[case] code: i32,
    #[case] state: State,
    #[case] reason: &str,
    #[values(false, true)] hibernated: bool,
) {
    let mut cluster = with_proxy();
    cluster.pass_time(10).own_container_exits(code);
    if hibernated {
        cluster.edit("hibernated", json!(true));
    }
    cluster.settle();
    assert_eq!((cluster.status().state, finished(&cluster).as_deref()), (state, Some(reason)));
    assert_eq!(cluster.status().error.is_some(), code != 0);
    assert!(cluster.status().error.is_none_or(|error| error.contains("error exit code (3)")));

    // The others have time to end too.
    assert_eq!(cluster.requeue_at, Some(at(50)));
    cluster.now = at(49);
    assert_eq!((cluster.pass(), cluster.pods.len()), (0, 1));
    let result = |cluster: &Cluster| {
        let status = cluster.status();
        (status.state, status.error, status.idle_since, cluster.recorded_conditions())
    };
    let recorded = result(&cluster);
    cluster.now = at(50);
    cluster.settle();
    assert!(cluster.find(Kind::Job).is_none() && cluster.pods.is_empty());
    assert_eq!(result(&cluster), recorded);
    cluster.pass_time(5000).settle();
    assert_eq!((cluster.pass(), cluster.started_jobs.len()), (0, 1));
}

/// As after a command that stores what the session made.
#[test]
fn what_ends_in_time_is_not_ended() {
    let mut cluster = with_proxy();
    cluster.pass_time(10).own_container_exits(0).settle();
    cluster.pass_time(10).pod_exits(0);
    cluster.settle();
    cluster.pass_time(5000).settle();
    assert!(cluster.find(Kind::Job).is_some(), "its log can still be read");
    assert_eq!(cluster.status().state, State::Succeeded);
}

/// The Job counts as failed when any of its containers does.
#[test]
fn a_failure_beside_the_session_is_no_failure_of_it() {
    let mut cluster = with_proxy();
    let ended = |name: &str, code: i32| status_of(name, json!({"terminated": {"exitCode": code}}));
    cluster.pod_exits(1);
    cluster.pod()["status"]["containerStatuses"] = json!([ended("amalthea-session", 0), ended("proxy", 143)]);
    cluster.settle();
    assert_eq!((cluster.status().state, cluster.status().error), (State::Succeeded, None));
}

/// What ends because the pod is ended is no result.
#[rstest]
#[case::deleted("/metadata/deletionTimestamp", json!("2026-01-01T00:00:20Z"))]
#[case::evicted("/status/reason", json!("Evicted"))]
#[case::drained("/status/conditions", json!([{"type": "DisruptionTarget", "status": "True",
    "reason": "EvictionByEvictionAPI", "message": "Eviction API: evicting"}]))]
fn an_end_of_the_pod_is_no_result(#[case] field: &str, #[case] value: Value) {
    let mut cluster = with_proxy();
    cluster.pass_time(10).own_container_exits(0);
    put(cluster.pod(), field, value);
    cluster.pass();
    assert_eq!(finished(&cluster), None);
}
