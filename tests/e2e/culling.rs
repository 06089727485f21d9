//! Sessions are hibernated and deleted when their time is over, and not before.

use crate::{
    objects::{acting, timed},
    support::{Scene, must, scene},
};
use serde_json::json;
use sojourn_cluster::{ContainerUsage, set_pod_usage};
use sojourn_crds::amalthea::{AmaltheaSession, State};
use std::time::Duration;

/// A patch that changes the longest age. Tests first look at a session whose time is far from over, and then
/// shorten it: nothing that they want to see is over before they see it.
fn max_age(age: &str) -> serde_json::Value {
    json!({"spec": {"culling": {"maxAge": age}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn age_counts_from_the_start_of_the_run() {
    let scene = scene("cull-age").await;
    scene.session("old", timed(json!({"maxAge": "1h"}))).await;
    let running = scene.reaches("old", State::Running).await;
    let created = running.metadata.creation_timestamp.clone().unwrap().0;
    let due = |session: AmaltheaSession| session.status.unwrap().will_hibernate_at.unwrap().0;
    assert_eq!(due(running).duration_since(created).as_secs(), 3600);
    must(scene.patch("old", max_age("2s")).await);
    let hibernated = scene.reaches("old", State::Hibernated).await.status.unwrap();
    let age = hibernated.hibernated_since.unwrap().0.duration_since(created);
    assert!(age.as_secs() >= 2, "hibernated at the age of {age}");
    assert_eq!(hibernated.will_hibernate_at, None);
    scene.tells("old", "Hibernating: spec.culling.maxAge (2s) is over").await;

    // The time of a new run does not count from the creation of the session.
    let resume = json!({"spec": {"hibernated": false, "culling": {"maxAge": "1h"}}});
    let before = jiff::Timestamp::now();
    must(scene.patch("old", resume).await);
    let left = due(scene.reaches("old", State::Running).await).duration_since(before);
    assert!(left.as_secs() >= 3599, "a resumed session has its time again: {left}");
    must(scene.patch("old", max_age("2s")).await);
    scene.reaches("old", State::Hibernated).await;

    let described = must(scene.kubectl(&["describe", "ams", "old"]).await);
    assert!(described.contains("spec.culling.maxAge (2s) is over"), "{described}");
    assert!(described.contains("Resumed"), "{described}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_does_not_start_or_fails_for_long_is_hibernated() {
    let scene = scene("cull-trouble").await;
    let slow =
        acting(json!({"sojourn.dev/test-pod": "not-ready"}), timed(json!({"maxStartingDuration": "3s"})));
    scene.session("slow", slow).await;
    let crash =
        acting(json!({"sojourn.dev/test-pod": "crash-loop"}), timed(json!({"maxFailedDuration": "1h"})));
    scene.session("crash", crash).await;

    let failing = scene.reaches("crash", State::Failed).await.status.unwrap();
    let since = failing.failing_since.unwrap().0;
    assert_eq!(failing.will_hibernate_at.unwrap().0.duration_since(since).as_secs(), 3600);
    must(scene.patch("crash", json!({"spec": {"culling": {"maxFailedDuration": "2s"}}})).await);
    let hibernated = scene.reaches("crash", State::Hibernated).await.status.unwrap();
    assert_eq!((hibernated.failing_since, hibernated.error), (None, None));
    scene.tells("crash", "Hibernating: spec.culling.maxFailedDuration (2s) is over").await;

    scene.reaches("slow", State::Hibernated).await;
    scene.tells("slow", "Hibernating: spec.culling.maxStartingDuration (3s) is over").await;
    scene.gone("pod", "slow-0").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_hibernated_for_long_is_deleted_with_all_that_is_its() {
    let scene = scene("cull-hibernated").await;
    scene.session("asleep", timed(json!({"maxHibernatedDuration": "1h"}))).await;
    scene.reaches("asleep", State::Running).await;
    must(scene.patch("asleep", json!({"spec": {"hibernated": true}})).await);
    scene.reaches("asleep", State::Hibernated).await;
    must(scene.patch("asleep", json!({"spec": {"culling": {"maxHibernatedDuration": "3s"}}})).await);
    scene.session_gone("asleep").await;
    for kind in ["statefulset", "service", "pvc"] {
        scene.gone(kind, "asleep").await;
    }
    scene.gone("secret", "asleep---internal").await;
    scene.tells("asleep", "Deleting: spec.culling.maxHibernatedDuration (3s) is over").await;
}

/// W39: the original writes whole sessions, and so what it made of the fields that it read.
#[tokio::test(flavor = "multi_thread")]
async fn the_operator_writes_only_the_fields_that_it_changes() {
    let scene = scene("cull-fields").await;
    let mut spec = timed(json!({"maxAge": "1h"}));
    spec["imagePullSecrets"] = json!([{"name": "pull", "adopt": true}]);
    scene.session("main", spec).await;
    scene.reaches("main", State::Running).await;
    must(scene.patch("main", max_age("2s")).await);
    let before = scene.get("main").await.unwrap();
    let after = scene.reaches("main", State::Hibernated).await;
    let spec = |session: &AmaltheaSession| serde_json::to_value(&session.spec).unwrap();
    let mut expected = spec(&before);
    expected["hibernated"] = json!(true);
    assert_eq!(spec(&after), expected, "no field came or went");
    let fields = must(scene.kubectl(&["get", "ams", "main", "--show-managed-fields", "-o", "json"]).await);
    let object: serde_json::Value = serde_json::from_str(&fields).unwrap();
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    let others = entries.iter().filter(|entry| !entry["manager"].as_str().unwrap().starts_with("kubectl"));
    let fields = others.filter(|entry| entry["subresource"].is_null()).map(|entry| &entry["fieldsV1"]);
    let fields: Vec<_> = fields.collect();
    assert_eq!(fields.len(), 1, "{entries:#?}");
    assert_eq!(fields[0]["f:spec"], json!({"f:hibernated": {}}));
    assert_eq!(fields[0]["f:metadata"].as_object().unwrap().keys().collect::<Vec<_>>(), ["f:finalizers"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_of_server_side_apply_names_the_operator() {
    let scene = scene("cull-conflict").await;
    let spec = timed(json!({"maxAge": "1h"}));
    scene.session("main", spec.clone()).await;
    scene.reaches("main", State::Running).await;
    must(scene.patch("main", max_age("2s")).await);
    scene.reaches("main", State::Hibernated).await;

    let mut manifest = crate::support::session("main", spec);
    manifest["spec"]["hibernated"] = json!(false);
    let args = ["-n", scene.namespace.as_str(), "apply", "--server-side", "-f", "-"];
    let applied =
        sojourn_cluster::kubectl(&scene.stage.cluster, &args, Some(&manifest.to_string())).await.unwrap();
    assert!(!applied.success(), "{}", applied.stdout);
    assert!(applied.stderr.contains("with \"sojourn\" using"), "{}", applied.stderr);
    assert!(applied.stderr.contains(".spec.hibernated"), "{}", applied.stderr);
    assert!(!applied.stderr.contains("unknown"), "{}", applied.stderr);

    let fields = must(scene.kubectl(&["get", "ams", "main", "--show-managed-fields", "-o", "json"]).await);
    let object: serde_json::Value = serde_json::from_str(&fields).unwrap();
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    let of_status = entries.iter().filter(|entry| entry["subresource"] == "status");
    let managers: Vec<_> = of_status.map(|entry| entry["manager"].as_str().unwrap()).collect();
    assert_eq!(managers, ["sojourn"]);
}

/// Says what the session's pod uses.
async fn uses(scene: &Scene, session: &str, cpu: &str) {
    let usage = ContainerUsage { container: "amalthea-session", cpu, memory: "64Mi" };
    // A pod that was just hibernated away uses nothing any more.
    set_pod_usage(&scene.client, &scene.namespace, &format!("{session}-0"), &[usage]).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_session_is_hibernated_and_a_used_one_is_not() {
    let scene = scene("cull-idle").await;
    let idle = timed(json!({"maxIdleDuration": "1h"}));
    for name in ["idle", "busy", "touched"] {
        scene.session(name, idle.clone()).await;
    }
    // Without `culling` there is no threshold, and nobody asks.
    scene.session("free", json!({"session": {"readinessProbe": {"type": "none"}}})).await;
    for name in ["idle", "busy", "touched", "free"] {
        scene.reaches(name, State::Running).await;
    }
    let later = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(600);
    let touch = json!({"spec": {"culling": {"lastInteraction": later.to_string()}}});
    must(scene.patch("touched", touch).await);
    // Measurements go on while the story does, as those of the metrics server do.
    let measured = async {
        loop {
            for (name, cpu) in [("idle", "5m"), ("busy", "900m"), ("touched", "5m"), ("free", "1m")] {
                uses(&scene, name, cpu).await;
            }
            tokio::time::sleep(Duration::from_millis(700)).await;
        }
    };
    let story = async {
        let seen = scene.eventually("idle", "is idle", |s| s.status.as_ref().is_some_and(|s| s.idle)).await;
        let status = seen.status.unwrap();
        let began = scene.json("pod", "idle-0").await["status"]["startTime"].as_str().unwrap().parse();
        let settled = status.idle_since.as_ref().unwrap().0.duration_since(began.unwrap());
        assert!(settled.as_secs() >= 14, "a pod that just started is not idle yet: {settled}");
        let left = status.will_hibernate_at.unwrap().0.duration_since(status.idle_since.unwrap().0);
        assert_eq!(left.as_secs(), 3600);
        must(scene.patch("idle", json!({"spec": {"culling": {"maxIdleDuration": "4s"}}})).await);
        scene.reaches("idle", State::Hibernated).await;
        scene.tells("idle", "Hibernating: spec.culling.maxIdleDuration (4s) is over").await;

        let idle = |s: &AmaltheaSession| s.status.as_ref().is_some_and(|s| s.idle);
        let touched = scene.eventually("touched", "is idle", idle).await.status.unwrap();
        assert_eq!(touched.state, State::Running);
        let due = touched.will_hibernate_at.unwrap().0;
        assert!(
            (3599..=3600).contains(&due.duration_since(later).as_secs()),
            "the idle clock starts at the last interaction"
        );
        for name in ["busy", "free"] {
            let status = scene.get(name).await.unwrap().status.unwrap();
            assert_eq!(
                (status.state, status.idle, status.idle_since),
                (State::Running, false, None),
                "{name}"
            );
        }
    };
    tokio::select! {
        () = measured => unreachable!("measurements have no end"),
        () = story => {}
    }
}
