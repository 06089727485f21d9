//! What a session may have around its own container, and what becomes of the pod when that changes.

use crate::{
    objects::{condition, error},
    stage::{scene, script},
    support::{Scene, must},
};
use serde_json::{Value, json};
use sojourn_cluster::eventually;
use sojourn_crds::amalthea::{AmaltheaSession, State};

/// Ends as most programs do that are told to.
const WAITS: &str = "trap 'exit 143' TERM; sleep 100000 & wait";

fn runs(session: &AmaltheaSession) -> bool {
    session.status.as_ref().is_some_and(|status| status.state == State::Running)
}

fn container(name: &str, lines: &str, more: Value) -> Value {
    let mut container = json!({
        "name": name, "image": "busybox", "imagePullPolicy": "IfNotPresent", "command": ["sh", "-c", lines],
    });
    json_patch::merge(&mut container, &more);
    container
}

async fn in_session(scene: &Scene, lines: &str) -> String {
    must(scene.kubectl(&["exec", "main-0", "-c", "amalthea-session", "--", "sh", "-c", lines]).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn containers_volumes_and_data_are_where_the_spec_has_them() {
    let scene = scene("around").await;
    // Stands in for the rclone CSI driver.
    let class = json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
        "metadata": {"name": "csi-rclone-secret-annotation"}, "provisioner": "kubernetes.io/host-path",
    });
    must(scene.apply(&class).await);
    must(scene.kubectl(&["create", "secret", "generic", "bucket", "--from-literal=remote=s3"]).await);
    let files = json!({"volumeMounts": [{"name": "amalthea-volume", "mountPath": "/workspace"}]});
    let shared = json!({"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]});
    let mut beside = shared.clone();
    beside["restartPolicy"] = json!("Always");
    let more = json!({
        "session": {"shmSize": "8Mi", "extraVolumeMounts": [{"name": "shared", "mountPath": "/shared"}]},
        "initContainers": [
            container("fetch", "echo fetched >/workspace/file.txt", files),
            container("beside", &format!("echo beside >/shared/beside; {WAITS}"), beside),
        ],
        "extraContainers": [container("mate", &format!("echo mate >/shared/mate; {WAITS}"), shared)],
        "extraVolumes": [{"name": "shared", "emptyDir": {}}],
        "dataSources": [
            {"mountPath": "/data/kept", "accessMode": "ReadWriteMany", "secretRef": {"name": "bucket", "adopt": true}},
            {"mountPath": "/data/read", "secretRef": {"name": "bucket"}},
        ],
        "template": {"metadata": {"labels": {"team": "blue"}, "annotations": {"note": "hello"}}},
    });
    scene.session("main", script(WAITS, more)).await;
    let running = scene.eventually("main", "runs", runs).await;
    assert_eq!(error(&running), "");
    let status = running.status.unwrap();
    let counts = (status.container_counts, status.init_container_counts);
    assert_eq!((counts.0.ready, counts.0.total, counts.1.ready, counts.1.total), (2, 2, 2, 2));

    eventually("both neighbours have written", async || {
        in_session(&scene, "ls /shared").await == "beside\nmate\n"
    })
    .await
    .unwrap();
    let seen = in_session(&scene, "cat /workspace/file.txt; df -k /dev/shm | tail -n 1").await;
    assert!(seen.starts_with("fetched\n") && seen.contains(" 8192 "), "{seen}");
    in_session(&scene, "echo kept >/data/kept/file").await;
    let refused = ["exec", "main-0", "-c", "amalthea-session", "--", "touch", "/data/read/file"];
    assert!(scene.kubectl(&refused).await.stderr.contains("Read-only file system"));
    for kind in ["pod", "service", "statefulset", "pvc"] {
        let metadata =
            scene.json(kind, if kind == "pod" { "main-0" } else { "main" }).await["metadata"].clone();
        assert_eq!(
            (&metadata["labels"]["team"], &metadata["annotations"]["note"]),
            (&json!("blue"), &json!("hello"))
        );
    }
    let claim = scene.json("pvc", "amalthea-main-ds-1").await;
    assert_eq!(claim["metadata"]["annotations"]["csi-rclone.dev/secretName"], "bucket");

    // What the spec drops goes, and what it adopted goes with it.
    must(
        scene
            .kubectl(&[
                "patch",
                "ams",
                "main",
                "--type=json",
                "--patch",
                r#"[{"op": "remove", "path": "/spec/dataSources/1"}]"#,
            ])
            .await,
    );
    scene.gone("pvc", "amalthea-main-ds-1").await;
    must(scene.kubectl(&["delete", "ams", "main"]).await);
    for (kind, name) in [("secret", "bucket"), ("pvc", "amalthea-main-ds-0"), ("pod", "main-0")] {
        scene.gone(kind, name).await;
    }
}

/// Waits until another pod than `before` runs, and returns its UID.
async fn replaced(scene: &Scene, before: &str) -> String {
    let uid = async || {
        let path = "jsonpath={.metadata.uid}";
        scene.kubectl(&["get", "pod", "main-0", "--ignore-not-found", "-o", path]).await.stdout
    };
    eventually("another pod is there", async || {
        let uid = uid().await;
        !uid.is_empty() && uid != before
    })
    .await
    .unwrap();
    let running = scene.eventually("main", "runs again", runs).await;
    // It was told to end, which is no failure of its own.
    assert_eq!((error(&running), condition(&running, "Interrupted", "True")), ("", None));
    uid().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_and_an_edit_replace_the_pod_once_and_interrupt_nothing() {
    let scene = scene("replaced").await;
    scene.session("main", script(WAITS, json!({}))).await;
    scene.eventually("main", "runs", runs).await;
    let first = must(scene.kubectl(&["get", "pod", "main-0", "-o", "jsonpath={.metadata.uid}"]).await);
    let run = scene.get("main").await.unwrap().status.unwrap().run_id;

    must(scene.kubectl(&["rollout", "restart", "statefulset", "main"]).await);
    let second = replaced(&scene, &first).await;
    must(scene.kubectl(&["create", "serviceaccount", "other"]).await);
    let edit = json!({"spec": {"serviceAccountName": "other", "imagePullSecrets": [{"name": "mine"}],
        "session": {"runAsGroup": 2000, "env": [{"name": "CHANGED", "value": "yes"}]}}});
    must(scene.patch("main", edit).await);
    let third = replaced(&scene, &second).await;
    assert_eq!(in_session(&scene, "id -g; echo $CHANGED").await, "2000\nyes\n");
    let pod = scene.json("pod", "main-0").await;
    assert_eq!(pod["metadata"]["uid"], third.as_str());
    assert_eq!(pod["spec"]["serviceAccountName"], "other");
    assert_eq!(pod["spec"]["imagePullSecrets"], json!([{"name": "mine"}]));
    // The restart still counts, and it is the same run.
    assert!(pod["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"].is_string());
    let set = scene.json("statefulset", "main").await;
    assert_eq!(set["status"]["currentRevision"], set["status"]["updateRevision"]);
    assert_eq!(scene.get("main").await.unwrap().status.unwrap().run_id, run);
}
