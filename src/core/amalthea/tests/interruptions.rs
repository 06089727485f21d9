//! What ended a session's pod can still be read when the next pod is up, and for as long as the run lasts.

use super::{
    cluster::{Cluster, cluster, live},
    fixtures::*,
};
use crate::core::{object::Kind, workload::Warning};
use rstest::rstest;
use serde_json::{Value, json};
use sojourn_crds::amalthea::State;

/// Reason, message, and when it was.
fn interrupted(cluster: &Cluster) -> Option<(String, String, i64)> {
    let found = cluster.status().conditions.into_iter().find(|condition| condition.kind == "Interrupted")?;
    assert_eq!(found.status, "True");
    let since = found.last_transition_time.unwrap().0.as_second() - CREATED;
    Some((found.reason.unwrap(), found.message.unwrap(), since))
}

fn evicted() -> Value {
    json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."})
}

/// The pod is replaced, and the next one gets ready.
fn comes_back(cluster: &mut Cluster) {
    cluster.pods.clear();
    cluster.pass_time(1).settle();
    cluster.pod_ready().settle();
    assert_eq!((cluster.status().state, cluster.status().error), (State::Running, None));
}

#[test]
fn an_eviction_is_told_until_the_run_is_over() {
    let mut cluster = cluster(session("hello")).running(10);
    assert_eq!(interrupted(&cluster), None);
    cluster.pass_time(10).pod_status(evicted()).settle();
    assert_eq!(cluster.status().state, State::Failed);
    comes_back(&mut cluster);
    let message = "the pod hello-0 failed: The node was low on resource: memory.";
    let told = Some(("Evicted".to_owned(), message.to_owned(), 20));
    assert_eq!(interrupted(&cluster), told);
    cluster.pass_time(5000);
    assert_eq!((cluster.pass(), interrupted(&cluster)), (0, told));

    // A second one is told with its own moment.
    cluster.pod_status(json!({"phase": "Failed", "reason": "OutOfcpu", "message": "no cpu"})).settle();
    comes_back(&mut cluster);
    assert_eq!(interrupted(&cluster).unwrap().2, 5021);

    cluster.edit("hibernated", json!(true)).settle();
    assert_eq!(interrupted(&cluster), None);
    cluster.pass_time(10).edit("hibernated", json!(false)).settle();
    cluster.pod_ready().settle();
    assert_eq!(interrupted(&cluster), None);
}

/// A busy machine has replaced the pod before anybody looks.
#[test]
fn an_eviction_that_nobody_saw_is_told_once() {
    let mut cluster = cluster(session("hello")).running(10);
    let lost = |cluster: &mut Cluster, status: Value| {
        cluster.pass_time(10).pod_status(status);
        let pod = cluster.pods.values().next().unwrap().clone();
        cluster.gone = Some(live(Kind::Pod, &pod));
        cluster.pods.clear();
        cluster.pass_time(1).run_controllers();
        cluster.pod_ready().settle();
        assert_eq!((cluster.status().state, cluster.status().error), (State::Running, None));
    };
    lost(&mut cluster, evicted());
    let message = "the pod hello-0 failed: The node was low on resource: memory.";
    let told = Some(("Evicted".to_owned(), message.to_owned(), 21));
    assert_eq!(interrupted(&cluster), told);

    // What became of the pod that followed is newer, and the pod before has no more to say.
    cluster.pass_time(10).container(json!({"terminated": {"exitCode": 7}})).settle();
    cluster.pod_ready().settle();
    let told = interrupted(&cluster).unwrap();
    assert_eq!((told.0.as_str(), told.2), ("ContainerFailed", 31));
    cluster.pass_time(5000);
    assert_eq!((cluster.pass(), interrupted(&cluster)), (0, Some(told)));

    // It was of another run, which ended otherwise.
    cluster.edit("hibernated", json!(true)).settle();
    cluster.pass_time(10).edit("hibernated", json!(false)).settle();
    cluster.pod_ready().settle();
    assert_eq!(interrupted(&cluster), None);
}

/// The same, of a container that the kubelet started again.
#[rstest]
#[case::crash(true, 7, Some(25))]
#[case::well(true, 0, None)]
#[case::start(false, 7, None)]
fn a_restart_that_nobody_saw_is_told_once(
    #[case] was_up: bool,
    #[case] code: i32,
    #[case] told: Option<i64>,
) {
    let mut cluster = cluster(session("hello")).running(20);
    let ended = if was_up { 22 } else { 12 };
    let end = json!({"terminated": {"exitCode": code, "finishedAt": at(ended).to_string()}});
    let restarted = |cluster: &mut Cluster| {
        cluster.pod_ready().pod()["status"]["containerStatuses"][0]["lastState"] = end.clone();
    };
    cluster.pass_time(5);
    restarted(&mut cluster);
    cluster.settle();
    let text = "the command in container amalthea-session terminated with an error exit code (7); its log may say more: kubectl logs hello-0 -c amalthea-session --previous";
    let expected = told.map(|at| ("ContainerFailed".to_owned(), text.to_owned(), at));
    assert_eq!(interrupted(&cluster), expected);
    cluster.pass_time(5000);
    assert_eq!((cluster.pass(), interrupted(&cluster)), (0, expected));
}

/// A node that is drained deletes the pod, which is well until then.
#[test]
fn a_pod_that_makes_room_says_for_whom() {
    let mut cluster = cluster(session("hello")).running(10);
    let drained = json!({"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting"});
    cluster.pod()["status"]["conditions"].as_array_mut().unwrap().push(drained);
    cluster.pod()["metadata"]["deletionTimestamp"] = json!(at(20).to_string());
    cluster.pass_time(10).pass();
    comes_back(&mut cluster);
    let (reason, message, _) = interrupted(&cluster).unwrap();
    assert_eq!(reason, "EvictionByEvictionAPI");
    assert_eq!(message, "the pod hello-0 was ended: Eviction API: evicting");
}

/// Most programs end with an exit code that is not 0 when they are told to, and the node then says `Failed`.
#[test]
fn a_pod_that_is_replaced_has_not_failed() {
    let mut cluster = cluster(session("hello")).running(10);
    cluster.pass_time(10).container(json!({"terminated": {"exitCode": 143}}));
    cluster.pod()["status"]["phase"] = json!("Failed");
    cluster.pod()["metadata"]["deletionTimestamp"] = json!(at(20).to_string());
    cluster.pass();
    assert_eq!(interrupted(&cluster), None);
    comes_back(&mut cluster);
    assert_eq!(interrupted(&cluster), None);
}

/// What never ran was not interrupted.
#[rstest]
#[case::crash(true, json!({"terminated": {"exitCode": 7}}), true)]
#[case::start(false, json!({"waiting": {"reason": "ErrImagePull", "message": "no"}}), false)]
fn what_was_up_and_fell_is_told(#[case] ran: bool, #[case] state: Value, #[case] told: bool) {
    let mut cluster = cluster(session("hello"));
    cluster.settle();
    if ran {
        cluster = cluster.running(10);
    }
    cluster.container(state).settle();
    assert_eq!(cluster.status().state, State::Failed);
    cluster.pod_ready().settle();
    assert_eq!(
        interrupted(&cluster).map(|(reason, ..)| reason).as_deref(),
        told.then_some("ContainerFailed")
    );
}

/// A drain takes the pod along, and its Job then says only that it may not try again.
#[rstest]
#[case::seen(true)]
#[case::seen_after_it_was_gone(false)]
fn a_batch_session_keeps_what_ended_its_pod(#[case] seen: bool) {
    let mut cluster = cluster(session("hello").batch()).running(10);
    cluster.pass_time(10);
    let drained = json!({"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting"});
    cluster.pod()["status"]["conditions"].as_array_mut().unwrap().push(drained);
    cluster.pod()["metadata"]["deletionTimestamp"] = json!(at(20).to_string());
    if seen {
        cluster.pass();
        assert_eq!(interrupted(&cluster).unwrap().0, "EvictionByEvictionAPI");
    } else {
        cluster.gone = Some(live(Kind::Pod, cluster.pods.values().next().unwrap()));
    }
    cluster.pass_time(5).pod_exits(1);
    cluster.pods.clear();
    cluster.settle();
    let message = "the pod hello-x was ended: Eviction API: evicting";
    let status = cluster.status();
    assert_eq!((status.state, status.error.as_deref()), (State::Failed, Some(message)));
    let finished = status.conditions.iter().find(|condition| condition.kind == "Finished").unwrap();
    assert_eq!(finished.reason.as_deref(), Some("EvictionByEvictionAPI"));
    cluster.pass_time(5000).settle();
    assert_eq!(cluster.status(), status);
}

#[test]
fn a_batch_session_whose_own_command_failed_was_not_interrupted() {
    let mut cluster = cluster(session("hello").batch()).running(10);
    cluster.pod_exits(1);
    cluster.settle();
    assert_eq!(interrupted(&cluster), None);
}

/// Nobody can say that a pod has ended whose node does not answer.
#[rstest]
#[case::left_alone(false)]
#[case::given_up_on(true)]
fn a_node_that_is_lost_is_told(#[case] deleting: bool) {
    let mut cluster = cluster(session("hello")).running(10);
    let ready = |status: &str, since: i64| json!([{"type": "Ready", "status": status, "lastTransitionTime": at(since).to_string()}]);
    cluster.pass_time(50).pod()["status"]["conditions"] = ready("False", 60);
    if deleting {
        cluster.pod()["metadata"]["deletionTimestamp"] = json!(at(60).to_string());
    }
    let (reason, message) = ("NodeNotReady".into(), "Node is not ready".into());
    cluster.warnings = vec![Warning { kind: Kind::Pod, name: "hello-0".into(), reason, message, at: at(60) }];
    cluster.pass();
    let status = cluster.status();
    assert_eq!(status.state, State::NotReady);
    let error = status.error.unwrap();
    assert!(error.starts_with("the node that the session runs on does not answer"), "{error}");
    if !deleting {
        // It comes back; what was said of it is no news when the pod is not ready for another reason.
        cluster.pass_time(10).pod_ready().settle();
        assert_eq!((cluster.status().state, cluster.status().error), (State::Running, None));
        cluster.pass_time(10).pod()["status"]["conditions"] = ready("False", 80);
        cluster.pass();
        assert_eq!((cluster.status().state, cluster.status().error), (State::NotReady, None));
    }
}
