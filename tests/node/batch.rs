//! Batch sessions whose containers end, well or not.

use crate::{
    objects::{condition, error},
    stage::{job, scene},
    support::must,
};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    api::{EvictParams, ListParams},
};
use serde_json::json;
use sojourn_cluster::eventually;
use sojourn_crds::amalthea::State;

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_session_ends_as_its_container_does() {
    let scene = scene("ends").await;
    scene.session("well", job("echo 42 | tee /workspace/result", json!({}))).await;
    scene.session("badly", job("echo no such column >/dev/termination-log; exit 3", json!({}))).await;
    scene.session("silently", job("exit 3", json!({}))).await;

    let well = scene
        .eventually("well", "ends", |session| {
            state(session) != State::NotReady && state(session) != State::Running
        })
        .await;
    assert_eq!((state(&well), error(&well)), (State::Succeeded, ""));
    assert_eq!(must(scene.kubectl(&["logs", "job/well"]).await), "42\n");
    let badly = scene.eventually("badly", "fails", |session| state(session) == State::Failed).await;
    assert_eq!(error(&badly), "the container amalthea-session terminated with an error no such column");
    let silently = scene.eventually("silently", "fails", |session| state(session) == State::Failed).await;
    assert!(error(&silently).contains("error exit code (3)"), "{}", error(&silently));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_session_ends_at_its_deadline() {
    let scene = scene("deadline").await;
    let spec = job("trap 'exit 0' TERM; sleep 1000 & wait", json!({"culling": {"maxAge": "60s"}}));
    scene.session("late", spec).await;
    scene.eventually("late", "runs", |session| state(session) == State::Running).await;
    let late = scene.eventually("late", "fails", |session| state(session) == State::Failed).await;
    assert!(error(&late).starts_with("DeadlineExceeded"), "{}", error(&late));
    eventually("the pod is gone", async || {
        must(scene.kubectl(&["get", "pods", "-o", "name"]).await).is_empty()
    })
    .await
    .unwrap();
}

/// As `kubectl drain` does it.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_session_that_is_evicted_says_so() {
    let scene = scene("drained").await;
    let lines = "trap 'exit 143' TERM; sleep 1000 & wait";
    scene.session("main", job(lines, json!({}))).await;
    scene.eventually("main", "runs", |session| state(session) == State::Running).await;
    let of_session = ListParams::default().labels("app.kubernetes.io/instance=main");
    let pod = scene.objects("pod").list(&of_session).await.unwrap().items.remove(0).metadata.name.unwrap();
    let pods: Api<Pod> = Api::namespaced(scene.client.clone(), &scene.namespace);
    pods.evict(&pod, &EvictParams::default()).await.unwrap();
    let failed =
        scene.eventually("main", "is over", |session| condition(session, "Finished", "True").is_some());
    let failed = failed.await;
    assert_eq!(state(&failed), State::Failed);
    assert!(error(&failed).contains("Eviction API: evicting"), "{}", error(&failed));
    assert!(condition(&failed, "Interrupted", "True").is_some());
    let described = must(scene.kubectl(&["describe", "ams", "main"]).await);
    assert!(described.contains("EvictionByEvictionAPI"), "{described}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_on_beside_a_batch_session_is_ended_after_it() {
    let scene = scene("beside").await;
    // As the proxy of a service mesh, which does not know that the session has ended.
    let proxy = json!({"extraContainers": [{
        "name": "proxy", "image": "busybox", "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait"],
    }], "culling": {"maxAge": "1h"}});
    scene.session("well", job("echo done", proxy.clone())).await;
    scene.session("badly", job("echo no such column >/dev/termination-log; exit 3", proxy)).await;
    let (well, badly) = tokio::join!(
        scene.eventually("well", "succeeds", |session| state(session) == State::Succeeded),
        scene.eventually("badly", "fails", |session| state(session) == State::Failed),
    );
    assert_eq!(error(&well), "");
    assert_eq!(error(&badly), "the container amalthea-session terminated with an error no such column");
    for name in ["well", "badly"] {
        scene.gone("job", name).await;
    }
    eventually("the pods are gone", async || {
        must(scene.kubectl(&["get", "pods", "-o", "name"]).await).is_empty()
    })
    .await
    .unwrap();
    for (name, before) in [("well", well), ("badly", badly)] {
        let after = scene.get(name).await.unwrap();
        assert_eq!((state(&after), error(&after)), (state(&before), error(&before)));
        assert!(condition(&after, "Finished", "True").is_some());
    }
}

fn state(session: &sojourn_crds::amalthea::AmaltheaSession) -> State {
    session.status.as_ref().map(|status| status.state).unwrap_or_default()
}
