//! What goes wrong with a session is named in its status.

use crate::{
    objects::{acting, batch, condition, error},
    support::{Scene, must, scene},
};
use serde_json::{Value, json};
use sojourn_cluster::{eventually, kubectl};
use sojourn_crds::amalthea::State;

/// Starts a session, and waits for a state with a text.
async fn says(scene: &Scene, name: &str, spec: Value, state: State, parts: &[&str]) {
    scene.session(name, spec).await;
    scene
        .eventually(name, &format!("is {state:?} and says {parts:?}"), |session| {
            session.status.as_ref().is_some_and(|status| status.state == state)
                && parts.iter().all(|part| error(session).contains(part))
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_no_node_takes_says_why() {
    let scene = scene("unschedulable").await;
    let huge =
        |kind: &str| json!({"sessionType": kind, "session": {"resources": {"requests": {"cpu": "10000"}}}});
    let parts = ["the session cannot be scheduled due to", "Insufficient cpu"];
    let nowhere = json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
        "nodeSelectorTerms": [{"matchExpressions": [{"key": "planet", "operator": "In", "values": ["mars"]}]}],
    }}}});
    tokio::join!(
        says(&scene, "huge", huge("Interactive"), State::NotReady, &parts),
        says(&scene, "huge-batch", huge("NonInteractive"), State::NotReady, &parts),
        says(&scene, "nowhere", nowhere, State::NotReady, &["didn't match Pod's node affinity/selector"]),
    );
    let waiting = scene.get("huge").await.unwrap().status.unwrap();
    assert!(waiting.failed_scheduling_since.is_some());
    scene.tells("huge", "Waiting: the session cannot be scheduled").await;

    must(scene.patch("huge", json!({"spec": {"session": {"resources": {"requests": {"cpu": "1"}}}}})).await);
    let running = scene.reaches("huge", State::Running).await;
    assert_eq!(error(&running), "");
    assert_eq!(running.status.unwrap().failed_scheduling_since, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_without_quota_says_so_and_starts_when_there_is_some() {
    let scene = scene("quota").await;
    let quota = json!({"metadata": {"name": "small"}, "spec": {"hard": {"requests.memory": "1Gi"}}});
    scene.create("resourcequota", quota).await;
    scene.becomes("resourcequota", "small", "counts", |quota| !quota["status"]["hard"].is_null()).await;
    let big =
        |kind: &str| json!({"sessionType": kind, "session": {"resources": {"requests": {"memory": "2Gi"}}}});
    tokio::join!(
        says(&scene, "main", big("Interactive"), State::Failed, &["Quota exceeded"]),
        says(&scene, "job", big("NonInteractive"), State::Failed, &["Quota exceeded"]),
    );
    // What was refused an hour ago says nothing about a session that sleeps.
    must(scene.patch("main", json!({"spec": {"hibernated": true}})).await);
    let asleep = scene.reaches("main", State::Hibernated).await;
    assert_eq!(error(&asleep), "");

    let more = json!({"spec": {"hard": {"requests.memory": "8Gi"}}}).to_string();
    must(scene.kubectl(&["patch", "resourcequota", "small", "--type=merge", "-p", &more]).await);
    must(scene.patch("main", json!({"spec": {"hibernated": false}})).await);
    for name in ["main", "job"] {
        let running = scene.reaches(name, State::Running).await;
        assert_eq!(error(&running), "", "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn containers_that_fail_are_named_with_their_reason() {
    let scene = scene("containers").await;
    let plays = |act: &str| acting(json!({"sojourn.dev/test-pod": act}), json!({}));
    let memory = acting(
        json!({"sojourn.dev/test-pod": "crash-loop", "sojourn.dev/test-exit-reason": "OOMKilled",
               "sojourn.dev/test-exit-code": "137"}),
        json!({}),
    );
    let image = ["failure to retrieve image for container amalthea-session"];
    let crash = ["the command in container amalthea-session is crashing"];
    tokio::join!(
        says(&scene, "image", plays("image-pull-fail"), State::Failed, &image),
        says(&scene, "crash", plays("crash-loop"), State::Failed, &crash),
        says(&scene, "memory", memory, State::Failed, &["ran out of memory (OOMKilled)"]),
    );
    scene.tells("image", &format!("Failed: {}", image[0])).await;
    let status = scene.get("crash").await.unwrap().status.unwrap();
    assert!(status.failing_since.is_some());
    assert_eq!(status.container_counts.total, 1);
    assert_eq!(status.container_counts.ready, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_cannot_be_provisioned_fails_its_session() {
    let scene = scene("claim").await;
    let spec = json!({"session": {"storage": {"className": "no-such-class"}}});
    let parts = ["the PVC \"main\" cannot be provisioned", "no-such-class"];
    says(&scene, "main", spec, State::Failed, &parts).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_evicted_pod_is_no_success() {
    let scene = scene("evicted").await;
    scene.session("main", json!({})).await;
    scene.session("job", batch(json!({}))).await;
    scene.reaches("main", State::Running).await;
    scene.reaches("job", State::Running).await;
    let evicted = json!({
        "phase": "Failed",
        "reason": "Evicted",
        "message": "The node was low on resource: memory.",
        "containerStatuses": null,
        "conditions": null,
    });
    let job_pod = scene.objects("pod").list(&kube::api::ListParams::default().labels("job-name=job")).await;
    let job_pod = job_pod.unwrap().items.remove(0).metadata.name.unwrap();
    let pod = scene.pod_uid("main").await;
    scene.set_status("pod", "main-0", evicted.clone()).await;
    scene.set_status("pod", &job_pod, evicted).await;

    let failed = scene.reaches("job", State::Failed).await;
    assert!(error(&failed).contains("low on resource: memory"), "{}", error(&failed));
    // The pod of an interactive session is made anew, and the session was never a success.
    eventually("main comes back", async || {
        let status = scene.get("main").await.unwrap().status.unwrap();
        assert_ne!(status.state, State::Succeeded);
        let now = scene.pod_uid("main").await;
        status.state == State::Running && !now.is_empty() && now != pod
    })
    .await
    .unwrap();
}

/// Makes a node whose kubelet is never heard of again, and lets it look ready at first.
async fn make_silent_node(scene: &Scene, name: &str) {
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {"place": name}},
        // Pods of other tests stay away.
        "spec": {"taints": [{"key": "silent", "effect": "NoSchedule"}]}});
    must(kubectl(&scene.stage.cluster, &["apply", "-f", "-"], Some(&node.to_string())).await.unwrap());
    let room = json!({"cpu": "8", "memory": "16Gi", "pods": "10"});
    let ready = json!({"status": {"capacity": room, "allocatable": room, "conditions": [
        {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "",
         "lastHeartbeatTime": jiff::Timestamp::now(), "lastTransitionTime": jiff::Timestamp::now()}]}});
    let patch = ["patch", "node", name, "--subresource=status", "-p", &ready.to_string()];
    must(kubectl(&scene.stage.cluster, &patch, None).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_does_not_answer_is_told_until_it_is_removed() {
    let scene = scene("lost").await;
    make_silent_node(&scene, "lost").await;
    let soon = json!([
        {"key": "silent", "operator": "Exists"},
        {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 2},
    ]);
    let spec = json!({"nodeSelector": {"place": "lost"}, "tolerations": soon});
    scene.session("main", spec).await;
    scene.becomes("pod", "main-0", "has its node", |pod| pod["spec"]["nodeName"] == "lost").await;
    // What a kubelet would say.
    let started = jiff::Timestamp::now().to_string();
    let up = json!({"name": "amalthea-session", "ready": true, "started": true, "image": "", "imageID": "",
                    "restartCount": 0, "state": {"running": {"startedAt": started}}});
    let conditions = json!([{"type": "Ready", "status": "True", "lastTransitionTime": started}]);
    let running = json!({"phase": "Running", "conditions": conditions, "containerStatuses": [up]});
    scene.set_status("pod", "main-0", running).await;
    scene.reaches("main", State::Running).await;

    // The node controller waits for most of a minute before it gives a node up.
    let says = async |state: State, part: &str| {
        eventually(part, async || {
            scene.get("main").await.is_some_and(|session| {
                session.status.as_ref().is_some_and(|status| status.state == state)
                    && error(&session).contains(part)
            })
        })
        .await
        .unwrap();
    };
    says(State::NotReady, "the node that the session runs on does not answer").await;
    scene.becomes("pod", "main-0", "is to go", |pod| !pod["metadata"]["deletionTimestamp"].is_null()).await;
    says(State::NotReady, "an administrator has to remove the node").await;
    scene
        .eventually("main", "says what its pod ended for", |session| {
            condition(session, "Interrupted", "True").is_some_and(|text| text.contains("Taint manager"))
        })
        .await;

    // The way out that the text names.
    must(kubectl(&scene.stage.cluster, &["delete", "node", "lost"], None).await.unwrap());
    must(scene.patch("main", json!({"spec": {"nodeSelector": null}})).await);
    let gone = ["delete", "pod", "main-0", "--force", "--grace-period=0", "--wait=false"];
    must(scene.kubectl(&gone).await);
    let running = scene.reaches("main", State::Running).await;
    assert_eq!(error(&running), "");
    assert!(condition(&running, "Interrupted", "True").is_some(), "it can still be read");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_namespace_does_not_allow_is_told_and_holds_nothing_up() {
    let scene = scene("refused").await;
    let quota = json!({"metadata": {"name": "none"}, "spec": {"hard": {"persistentvolumeclaims": "0"}}});
    scene.create("resourcequota", quota).await;
    scene.becomes("resourcequota", "none", "counts", |quota| !quota["status"]["hard"].is_null()).await;
    // The scheduler says of its pod that the claim is not there; why it is not is what helps.
    let parts = ["PersistentVolumeClaim main: ", "exceeded quota: none"];
    says(&scene, "main", json!({}), State::Failed, &parts).await;
    must(scene.patch("main", json!({"spec": {"culling": {"maxFailedDuration": "2s"}}})).await);
    let culled = scene.reaches("main", State::Hibernated).await;
    assert!(condition(&culled, "Reconciled", "False").is_some_and(|text| text.contains("exceeded quota")));
    scene.tells("main", "Hibernating: spec.culling.maxFailedDuration (2s) is over").await;
    scene.delete_session("main").await;

    must(scene.kubectl(&["delete", "resourcequota", "none"]).await);
    let restricted = "pod-security.kubernetes.io/enforce=restricted";
    must(scene.kubectl(&["label", "namespace", &scene.namespace, restricted]).await);
    let parts = ["the pod of the session cannot be created: ", "violates PodSecurity"];
    tokio::join!(
        says(&scene, "secure", json!({}), State::Failed, &parts),
        says(&scene, "secure-batch", batch(json!({})), State::Failed, &parts),
    );
    for name in ["secure", "secure-batch"] {
        must(scene.patch(name, json!({"spec": {"hibernated": true}})).await);
        let asleep = scene.reaches(name, State::Hibernated).await;
        assert_eq!(error(&asleep), "", "{name}");
        scene.delete_session(name).await;
    }
}
