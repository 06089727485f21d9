//! Every "since": what sets it, what clears it. And the counts beside them.

use super::{cluster::cluster, controllers::status_of, fixtures::*};
use crate::core::object::Kind;
use rstest::rstest;
use serde_json::{Value, json};
use sojourn_crds::amalthea::{AmaltheaSessionStatus, ContainerCounts, State};

fn seconds_of(time: &Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>) -> Option<i64> {
    time.as_ref().map(|time| time.0.as_second() - CREATED)
}

#[test]
fn failing_since() {
    let mut cluster = cluster(session("hello")).running(10);
    cluster.pass_time(10).container(json!({"waiting": {"reason": "ErrImagePull"}})).settle();
    assert_eq!(seconds_of(&cluster.status().failing_since), Some(20));
    cluster.pass_time(10).container(json!({"waiting": {"reason": "ImagePullBackOff"}})).settle();
    assert_eq!(seconds_of(&cluster.status().failing_since), Some(20), "it fails still");
    cluster.pod_ready().settle();
    assert_eq!(cluster.status().failing_since, None);
}

/// Between two crashes a container runs for a while. That is no recovery.
#[test]
fn a_crash_loop_is_one_failure() {
    let crashed = || json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}});
    let mut cluster = cluster(session("hello").max_failed("20m")).running(10);
    cluster.pass_time(10).container(crashed()).settle();
    let restarted = |cluster: &mut super::cluster::Cluster| {
        cluster.pass_time(40).pod_ready();
        let container = &mut cluster.pod()["status"]["containerStatuses"][0];
        container["restartCount"] = json!(1);
        container["lastState"] = json!({"terminated": {"exitCode": 1, "reason": "Error"}});
        cluster.settle();
    };
    restarted(&mut cluster);
    let status = cluster.status();
    assert_eq!((status.state, seconds_of(&status.failing_since)), (State::Running, Some(20)));
    assert_eq!((status.will_hibernate_at, cluster.seen().requeue_at), (None, Some(at(660))));
    cluster.pass_time(40).container(crashed()).settle();
    let status = cluster.status();
    assert_eq!((status.state, seconds_of(&status.failing_since)), (State::Failed, Some(20)));
    assert_eq!(seconds_of(&status.will_hibernate_at), Some(1220));
    restarted(&mut cluster);
    cluster.pass_time(600).settle();
    assert_eq!((cluster.status().state, cluster.status().failing_since), (State::Running, None));
}

#[rstest]
#[case::interactive(session("hello"))]
#[case::batch(session("hello").batch())]
fn hibernate_and_resume_clear_all(#[case] draft: Draft) {
    let old = ["idleSince", "failingSince", "failedSchedulingSince"];
    let mut cluster = cluster(draft).running(10);
    for field in old {
        cluster.session["status"][field] = json!(at(5).to_string());
    }
    cluster.pass_time(10).edit("hibernated", json!(true)).settle();
    let status = cluster.status();
    assert_eq!((status.state, seconds_of(&status.hibernated_since)), (State::Hibernated, Some(20)));
    assert_eq!(all_since(&status), 1);
    assert_eq!((status.run_id, status.will_hibernate_at, status.idle), (None, None, false));
    cluster.pass_time(10).settle();
    assert_eq!(seconds_of(&cluster.status().hibernated_since), Some(20), "since then");
    for field in old {
        cluster.session["status"][field] = json!(at(5).to_string());
    }
    cluster.edit("hibernated", json!(false)).settle();
    let status = cluster.status();
    assert_eq!((status.state, all_since(&status)), (State::NotReady, 0));
}

fn all_since(status: &AmaltheaSessionStatus) -> usize {
    let all = [
        &status.idle_since,
        &status.failing_since,
        &status.failed_scheduling_since,
        &status.hibernated_since,
    ];
    all.iter().filter(|since| since.is_some()).count()
}

#[rstest]
#[case::below(299, true)]
#[case::at_the_threshold(300, false)]
fn idle_is_what_uses_little(#[case] millis: i128, #[case] idle: bool) {
    let mut cluster = cluster(session("hello").max_idle("1h")).running(10);
    cluster.pass_time(60).uses_cpu(millis).settle();
    let status = cluster.status();
    assert_eq!((status.idle, seconds_of(&status.idle_since)), (idle, idle.then_some(70)));
}

/// Without `culling` there is no threshold, and nothing is idle.
#[test]
fn never_idle_without_culling() {
    let mut cluster = cluster(session("hello")).running(10);
    cluster.pass_time(60).uses_cpu(0).settle();
    assert!(!cluster.status().idle);
}

#[rstest]
#[case(14, false)]
#[case(15, true)]
fn a_fresh_container_is_not_judged(#[case] age: i64, #[case] idle: bool) {
    let mut cluster = cluster(session("hello").max_idle("1h")).running(10);
    cluster.pass_time(age).uses_cpu(0).settle();
    assert_eq!(cluster.status().idle, idle);
    cluster.pass_time(60).settle();
    assert_eq!(cluster.status().idle, idle, "an old measurement says nothing new");
}

/// W19
#[test]
fn an_outage_of_metrics_neither_sets_nor_resets() {
    let mut cluster = cluster(session("hello").max_idle("1h")).running(10);
    cluster.pass_time(60).uses_cpu(0).settle();
    cluster.pass_time(500).settle();
    assert_eq!(seconds_of(&cluster.status().idle_since), Some(70));
    cluster.usage = None;
    cluster.settle();
    assert_eq!(seconds_of(&cluster.status().idle_since), Some(70));
    cluster.uses_cpu(1000).settle();
    assert_eq!((cluster.status().idle, cluster.status().idle_since), (false, None));
}

#[test]
fn what_is_not_running_is_not_idle() {
    let mut cluster = cluster(session("hello").max_idle("1h")).running(10);
    cluster.pass_time(60).uses_cpu(0).settle();
    cluster.pod_status(json!({"phase": "Pending"})).settle();
    assert_eq!((cluster.status().idle, cluster.status().idle_since), (false, None));
}

fn counts(pod: Value) -> (ContainerCounts, ContainerCounts) {
    let draft = session("hello").spec(
        "initContainers",
        json!([{"name": "once", "image": "i"}, {"name": "sidecar", "image": "i", "restartPolicy": "Always"}]),
    );
    let mut cluster = cluster(draft);
    cluster.settle();
    cluster.pod_status(pod);
    let status = cluster.seen().status;
    (status.container_counts, status.init_container_counts)
}

#[test]
fn containers_are_counted() {
    let up = |name: &str| {
        json!({"name": name, "ready": true, "started": true, "image": "", "imageID": "",
        "restartCount": 0, "state": {"running": {}}})
    };
    let done = |reason: &str| json!({"terminated": {"exitCode": 0, "reason": reason}});
    let count = |ready, total| ContainerCounts { ready, total };
    assert_eq!(counts(json!({})), (count(0, 1), count(0, 2)), "the node has reported on none yet");
    // W17: the native sidecar is ready while it is up.
    let pod = json!({
        "initContainerStatuses": [status_of("once", done("Completed")), up("sidecar")],
        "containerStatuses": [up("a"), status_of("b", done("Completed")), status_of("c", json!({"running": {}}))],
    });
    assert_eq!(counts(pod), (count(2, 3), count(2, 2)));
    let pod = json!({
        "initContainerStatuses": [up("once"), status_of("sidecar", json!({"running": {}}))],
        "containerStatuses": [status_of("a", done("Error")), status_of("b", json!({"terminated": {"exitCode": 1, "reason": "Completed"}}))],
    });
    assert_eq!(counts(pod), (count(0, 2), count(0, 2)));
}

/// Before there is a pod, its workload says how many containers it will have.
#[test]
fn containers_of_a_pod_that_is_to_come_are_counted() {
    let container = json!([{"name": "beside", "image": "i"}]);
    for draft in [session("hello"), session("hello").batch()] {
        let mut cluster = cluster(draft.spec("extraContainers", container.clone()));
        cluster.pass();
        cluster.pass();
        assert!(cluster.pods.is_empty());
        let status = cluster.typed().status.clone().unwrap();
        assert_eq!(status.container_counts, ContainerCounts { ready: 0, total: 2 });
        // Zero is written: kubectl shows an absent number as nothing.
        assert_eq!(cluster.session["status"]["containerCounts"], json!({"ready": 0, "total": 2}));
        assert_eq!(cluster.session["status"]["initContainerCounts"], json!({"ready": 0, "total": 0}));
    }
}

#[test]
fn nothing_is_ready_while_the_session_stops() {
    let mut cluster = cluster(session("hello")).running(1);
    assert_eq!(cluster.status().container_counts, ContainerCounts { ready: 1, total: 1 });
    cluster.edit("hibernated", json!(true));
    cluster.pass();
    assert_eq!(cluster.status().container_counts, ContainerCounts { ready: 0, total: 1 });
    cluster.settle();
    assert_eq!(cluster.status().container_counts, ContainerCounts::default());
}

#[rstest]
#[case::none(session("hello"), "None")]
#[case::plain(session("hello").ingress(), "http://sessions.example/team/hello/lab/")]
#[case::query(session("hello").ingress().spec("session/urlPath", json!("/a?x=1")), "http://sessions.example/a?x=1/")]
#[case::tls(session("hello").ingress().spec("ingress/tlsSecret", json!({"name": "tls"})), "https://sessions.example/team/hello/lab/")]
#[case::empty_tls(session("hello").ingress().spec("ingress/tlsSecret", json!({"name": ""})), "http://sessions.example/team/hello/lab/")]
#[case::default_tls(session("hello").ingress().spec("ingress/useDefaultClusterTLSCert", json!(true)), "https://sessions.example/team/hello/lab/")]
#[case::assumed(session("hello").ingress().spec("ingress/assumeHttps", json!(true)), "https://sessions.example/team/hello/lab/")]
#[case::batch(session("hello").batch().ingress(), "http://sessions.example/team/hello/lab/")]
#[case::empty_host(session("hello").spec("ingress/host", json!("")), "None")]
fn urls(#[case] draft: Draft, #[case] url: &str) {
    let mut cluster = cluster(draft);
    cluster.pass();
    assert_eq!(cluster.status().url.as_deref(), Some(url));
    cluster.settings.https_ingress = true;
    assert_eq!(cluster.seen().status.url.unwrap(), url.replace("http://", "https://"));
}

/// W5: a result stays as long as it is told to, and for ever when nothing is told.
#[rstest]
#[case(None, None)]
#[case(Some("0s"), None)]
#[case(Some("1h"), Some(3600))]
fn a_finished_session_stays(#[case] kept: Option<&str>, #[case] seconds: Option<i64>) {
    let mut draft = session("hello").batch();
    if let Some(kept) = kept {
        draft = draft.max_hibernated(kept);
    }
    let mut cluster = cluster(draft).running(10);
    cluster.pass_time(10).pod_exits(0).settle();
    assert_eq!(cluster.child(Kind::Job)["spec"]["ttlSecondsAfterFinished"].as_i64(), seconds);
    assert_eq!(cluster.seen().requeue_at, seconds.map(|seconds| at(20 + seconds)));
    cluster.pass_time(seconds.unwrap_or(1_000_000)).settle();
    assert_eq!(cluster.session.is_null(), seconds.is_some());
}
