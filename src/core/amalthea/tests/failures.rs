//! What is said of a session that fails.

use super::{cluster::cluster, controllers::status_of, fixtures::*};
use crate::core::{object::Kind, workload::Warning};
use rstest::rstest;
use serde_json::{Value, json};
use sojourn_crds::{amalthea::State, text::is_control};

fn error_of(pod: Value) -> Option<String> {
    let mut cluster = cluster(session("hello"));
    cluster.settle();
    cluster.pod_status(pod);
    let status = cluster.seen().status;
    assert_eq!(status.state == State::Failed, status.error.is_some());
    status.error
}

#[rstest]
#[case::creating(json!({"waiting": {"reason": "ContainerCreating"}}), None)]
#[case::initializing(json!({"waiting": {"reason": "PodInitializing"}}), None)]
#[case::running(json!({"running": {}}), None)]
#[case::ended_well(json!({"terminated": {"exitCode": 0}}), None)]
#[case::image(json!({"waiting": {"reason": "ErrImagePull", "message": "not found"}}),
    Some("failure to retrieve image for container c: not found"))]
#[case::image_back_off(json!({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off"}}),
    Some("failure to retrieve image for container c: Back-off"))]
#[case::crash(json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off \"10s\""}}),
    Some("the command in container c is crashing, this is the best reason for the crash we could extract: \"back-off \\\"10s\\\"\"; its log may say more: kubectl logs hello-0 -c c --previous"))]
#[case::other(json!({"waiting": {"reason": "CreateContainerConfigError", "message": "secret not found"}}),
    Some("the container c is failing because secret not found"))]
#[case::other_without_words(json!({"waiting": {"reason": "InvalidImageName"}}),
    Some("the container c is failing because InvalidImageName"))]
#[case::exit_message(json!({"terminated": {"exitCode": 3, "message": "told so"}}),
    Some("the container c terminated with an error told so"))]
#[case::full_disk(json!({"terminated": {"exitCode": 3, "message": "write: No space left on device\n"}}),
    Some("the container c terminated with an error write: No space left on device; you are running out of disk space"))]
#[case::exit(json!({"terminated": {"exitCode": 3}}),
    Some("the command in container c terminated with an error exit code (3); its log may say more: kubectl logs hello-0 -c c"))]
#[case::killed(json!({"terminated": {"exitCode": 137, "reason": "Error"}}),
    Some("the command in container c terminated with an error exit code (137), this could be because you are running out of memory; its log may say more: kubectl logs hello-0 -c c"))]
#[case::memory(json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}),
    Some("the container c ran out of memory (OOMKilled); ask for more memory in its resources"))]
fn containers(
    #[case] state: Value,
    #[case] error: Option<&str>,
    #[values("initContainerStatuses", "containerStatuses")] list: &str,
) {
    let pod = json!({"phase": "Pending", list: [status_of("c", state)]});
    assert_eq!(error_of(pod).as_deref(), error);
}

/// W42: a crash for want of memory is named, although the container only says that it waits.
#[test]
fn a_crash_for_want_of_memory() {
    let mut status =
        status_of("c", json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}));
    status["lastState"] = json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}});
    let error = error_of(json!({"phase": "Running", "containerStatuses": [status]})).unwrap();
    assert!(error.contains("ran out of memory"), "{error}");
}

/// W42: how a command ended is told, and not that it is started again later.
#[rstest]
#[case::badly(json!({"exitCode": 7}), "exit code 7", true)]
#[case::killed(json!({"exitCode": 137, "reason": "Error"}), "exit code 137, as when it runs out of memory", true)]
#[case::well(json!({"exitCode": 0, "reason": "Completed"}), "it ended by itself (exit code 0), but must run for as long as the session", true)]
#[case::with_words(json!({"exitCode": 7, "message": "no disk\n"}), "no disk", false)]
#[case::full_disk(json!({"exitCode": 7, "message": "ENOSPC: no space left on device"}), "ENOSPC: no space left on device", false)]
fn a_crash_tells_how_the_command_ended(#[case] last: Value, #[case] best: &str, #[case] hint: bool) {
    let waiting = json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting"}});
    let mut status = status_of("c", waiting);
    status["lastState"] = json!({"terminated": last});
    let error = error_of(json!({"phase": "Running", "containerStatuses": [status]})).unwrap();
    let hint = if hint { "; its log may say more: kubectl logs hello-0 -c c --previous" } else { "" };
    assert!(error.ends_with(&format!("could extract: {best:?}{hint}")), "{error}");
    assert_eq!(error.contains("out of disk space"), best.contains("no space left"), "{error}");
}

#[test]
fn a_pod_that_its_node_evicted_tells_why() {
    let killed = status_of("c", json!({"terminated": {"exitCode": 137}}));
    let why = "Pod ephemeral local storage usage exceeds the total limit of containers 5Mi. ";
    let pod = json!({"phase": "Failed", "reason": "Evicted", "message": why, "containerStatuses": [killed]});
    let error = error_of(pod).unwrap();
    assert_eq!(error, format!("the pod hello-0 failed: {}", why.trim_end()));
}

#[test]
fn a_volume_that_cannot_be_mounted_is_waited_for() {
    let mut cluster = cluster(session("hello"));
    cluster.settle();
    cluster.pod_status(json!({"phase": "Pending"}));
    cluster.warnings = vec![Warning {
        kind: Kind::Pod,
        name: "hello-0".into(),
        reason: "FailedMount".into(),
        message: "MountVolume.SetUp failed for volume \"keys\" : secret \"lost\" not found".into(),
        at: at(1),
    }];
    let status = cluster.seen().status;
    assert_eq!(status.state, State::NotReady);
    let error = status.error.unwrap();
    assert!(error.starts_with("the session waits for a volume: ") && error.contains("\"lost\""), "{error}");
    cluster.pod_status(json!({"phase": "Running"}));
    assert_eq!(cluster.seen().status.error, None, "the warning outlives what it warned of");
}

#[test]
fn a_container_that_is_up_again_is_no_failure() {
    let mut status = status_of("c", json!({"terminated": {"exitCode": 1}}));
    status["ready"] = json!(true);
    status["started"] = json!(true);
    assert_eq!(error_of(json!({"phase": "Running", "containerStatuses": [status]})), None);
}

#[test]
fn init_containers_come_first() {
    let state = |code: i32| json!({"terminated": {"exitCode": code, "message": code.to_string()}});
    let pod = json!({"phase": "Pending", "initContainerStatuses": [status_of("i", state(1))],
        "containerStatuses": [status_of("c", state(2))]});
    assert_eq!(error_of(pod).unwrap(), "the container i terminated with an error 1");
}

#[rstest]
#[case(json!({"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler", "message": "preempted"}), Some("preempted"))]
#[case(json!({"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}), Some("PreemptionByScheduler"))]
#[case(json!({"type": "DisruptionTarget", "status": "False", "reason": "x"}), None)]
fn disruption(#[case] condition: Value, #[case] error: Option<&str>) {
    assert_eq!(error_of(json!({"phase": "Running", "conditions": [condition]})).as_deref(), error);
}

#[rstest]
#[case::infeasible(json!({"allocatedResourceStatuses": {"storage": "NodeResizeInfeasible"}}),
    Some("the PVC \"hello\" failed with status \"NodeResizeInfeasible\" for resource storage"))]
#[case::controller(json!({"allocatedResourceStatuses": {"storage": "ControllerResizeInfeasible"}}),
    Some("the PVC \"hello\" failed with status \"ControllerResizeInfeasible\" for resource storage"))]
#[case::in_progress(json!({"allocatedResourceStatuses": {"storage": "NodeResizePending"}}), None)]
#[case::resizing(json!({"conditions": [{"type": "Resizing", "status": "False", "message": "no room"}]}), Some("no room"))]
#[case::file_system(json!({"conditions": [{"type": "FileSystemResizePending", "status": "False", "message": "no room"}]}), Some("no room"))]
#[case::resizes(json!({"conditions": [{"type": "Resizing", "status": "True", "message": "going on"}]}), None)]
#[case::bound(json!({"phase": "Bound", "allocatedResourceStatuses": {"storage": "NodeResizeInfeasible"}}), None)]
fn claims(#[case] status: Value, #[case] error: Option<&str>) {
    let mut cluster = cluster(session("hello"));
    cluster.settle();
    cluster.child_mut(Kind::PersistentVolumeClaim)["status"] = status;
    assert_eq!(cluster.seen().status.error.as_deref(), error);
    cluster.child_mut(Kind::PersistentVolumeClaim)["metadata"]["deletionTimestamp"] =
        json!(at(1).to_string());
    assert_eq!(cluster.seen().status.error, None, "it is on its way out");
}

#[test]
fn a_claim_that_nobody_provisions() {
    let mut cluster = cluster(session("hello"));
    cluster.settle();
    cluster.warnings = vec![Warning {
        kind: Kind::PersistentVolumeClaim,
        name: "hello".into(),
        reason: "ProvisioningFailed".into(),
        message: "storageclass \"fast\" not found".into(),
        at: cluster.now,
    }];
    let error = cluster.seen().status.error.unwrap();
    assert_eq!(error, "the PVC \"hello\" cannot be provisioned: storageclass \"fast\" not found");
}

#[rstest]
#[case(Kind::Service)]
#[case(Kind::Ingress)]
fn load_balancers(#[case] kind: Kind) {
    let mut cluster = cluster(session("hello").ingress());
    cluster.settle();
    let ports = json!([{"port": 80, "protocol": "TCP", "error": "NoAddress"}]);
    cluster.child_mut(kind)["status"] =
        json!({"loadBalancer": {"ingress": [{"ip": "10.0.0.1", "ports": ports}]}});
    assert_eq!(cluster.seen().status.error.as_deref(), Some("NoAddress"));
}

/// Somebody else's objects of the same names say nothing about this session.
#[test]
fn what_belongs_to_others_does_not_count() {
    let mut cluster = cluster(session("hello"));
    cluster.settle();
    let claim = cluster.child_mut(Kind::PersistentVolumeClaim);
    claim["status"] = json!({"allocatedResourceStatuses": {"storage": "NodeResizeInfeasible"}});
    claim["metadata"]["ownerReferences"][0]["uid"] = json!("another");
    let error = cluster.seen().status.error;
    assert!(error.is_none_or(|error| !error.contains("NodeResizeInfeasible")));
}

/// Whoever runs in a container writes its termination message.
#[test]
fn a_termination_message_does_nothing_to_a_terminal() {
    let mut cluster = cluster(session("hello"));
    cluster.settle();
    let said = "no \u{1b}[2J\u{1b}[31mdisk\u{202e}\r\nReady \u{9b}2K\nuse a larger one";
    let state = json!({"terminated": {"exitCode": 3, "message": said}});
    cluster.pod_status(json!({"phase": "Failed", "containerStatuses": [status_of("c", state)]}));
    let status = cluster.seen().status;
    let error = status.error.unwrap();
    assert!(
        error.ends_with("no \\u{1b}[2J\\u{1b}[31mdisk\\u{202e}\\r\nReady \\u{9b}2K\nuse a larger one"),
        "{error}"
    );
    let said = status.conditions.iter().filter_map(|condition| condition.message.as_deref());
    for text in said.chain([error.as_str()]) {
        assert!(!text.chars().any(|c| is_control(c) && c != '\n'), "{text:?}");
    }
}
