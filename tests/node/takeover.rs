//! A cluster changes hands under sessions that are processes: from the original operator to Sojourn, back, and to
//! Sojourn again. No container is started anew by that. On a node of its own, as everybody notices.

use crate::{
    original::{Original, RUN, SESSIONS},
    stage::{helm, home, install, start, uninstall},
    support::must,
};
use kube::Client;
use serde_json::{Value, json};
use sojourn_cluster::{Cluster, eventually, kubectl};

const ORIGINAL: Original = Original {
    namespace: "left-by-the-original",
    image: "busybox",
    policy: "IfNotPresent",
    command: &["sh", "-c", "trap 'exit 0' TERM; httpd -f -p 8000 -h /workspace & wait"],
    requests: ("10m", "16Mi"),
    // What the chart's default is for the programs in a pod.
    proxy: Some(concat!("ghcr.io/sojourn-dev/sojourn-sidecars:", env!("CARGO_PKG_VERSION"))),
};

/// The CRD as the original's chart leaves it behind, to be adopted by that of Sojourn.
async fn leave_crd(cluster: &Cluster) {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/crds/yaml/amalthea.dev_amaltheasessions.yaml");
    must(kubectl(cluster, &["apply", "--server-side", "-f", file], None).await.unwrap());
    // `kubectl wait` gives up on a definition that has no conditions yet.
    let served = ["get", "amaltheasessions", "--all-namespaces"];
    eventually("the kind is served", async || kubectl(cluster, &served, None).await.unwrap().success())
        .await
        .unwrap();
}

/// Waits until both sessions are taken over, and asks what Sojourn says of them.
async fn taken_over(client: &Client) {
    for (name, batch) in SESSIONS {
        let kind = if batch { "Job" } else { "StatefulSet" };
        eventually(&format!("{name} is taken over"), async || {
            let session = ORIGINAL.api(client, "AmaltheaSession").get(name).await.unwrap();
            let workload = ORIGINAL.api(client, kind).get(name).await.unwrap();
            let stamped =
                workload.metadata.annotations.unwrap_or_default().contains_key("sojourn.dev/applied");
            let conditions = session.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let reconciled = |it: &Value| it["type"] == "Reconciled" && it["status"] == "True";
            stamped && session.data["status"]["state"] == "Running" && conditions.iter().any(reconciled)
        })
        .await
        .unwrap();
        let session = ORIGINAL.api(client, "AmaltheaSession").get(name).await.unwrap();
        assert_eq!(session.data["status"]["runID"], RUN, "the run goes on");
    }
}

/// Pods of both sessions, with the moments at which their containers started.
async fn pods(client: &Client) -> Vec<Option<(String, Value)>> {
    let mut pods = Vec::new();
    for (name, _) in SESSIONS {
        pods.push(ORIGINAL.running_pod(client, name).await);
    }
    pods
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_goes_from_hand_to_hand_and_no_container_starts_anew() {
    let cluster = &start().await;
    leave_crd(cluster).await;
    let config = "--from-literal=config.yaml=authproxy: {token: secret}";
    let client = &ORIGINAL.leave(cluster).await;
    let secret = ["create", "secret", "generic", "login", config, "-n", ORIGINAL.namespace];
    must(kubectl(cluster, &secret, None).await.unwrap());
    eventually("the original's pods run and are ready", async || {
        let set = ORIGINAL.api(client, "StatefulSet").get("left").await.unwrap();
        set.data["status"]["readyReplicas"] == 1 && pods(client).await.iter().all(Option::is_some)
    })
    .await
    .unwrap();
    let before = pods(client).await;

    home(cluster).await;
    install(cluster).await;
    taken_over(client).await;
    assert_eq!(pods(client).await, before, "taken over");

    // Back, as the page for those who migrate says. What the original then writes changes nothing that runs.
    uninstall(cluster).await;
    let left = must(helm(cluster, &["list", "--short"]).await);
    assert_eq!(left, "");
    for (name, batch) in SESSIONS {
        for (found, written) in ORIGINAL.reconcile(client, name, batch).await {
            let kind = &found["kind"];
            let content =
                |object: &Value| json!([object["spec"], object["data"], object["metadata"]["generation"]]);
            assert_eq!(content(&written), content(&found), "{kind} {name}");
            let annotations = &written["metadata"]["annotations"];
            assert!(annotations["sojourn.dev/applied"].is_null(), "nothing of ours is left on {kind} {name}");
        }
    }
    assert_eq!(pods(client).await, before, "given back");
    let job = ORIGINAL.api(client, "Job").get("left-batch").await.unwrap();
    assert_eq!(job.metadata.finalizers.unwrap_or_default(), Vec::<String>::new(), "as the page says");

    // And once more.
    install(cluster).await;
    taken_over(client).await;
    assert_eq!(pods(client).await, before, "taken over again");
    let hibernate = ["patch", "ams", "left", "--type=merge", "-p", r#"{"spec":{"hibernated":true}}"#];
    must(kubectl(cluster, &[&hibernate[..], &["-n", ORIGINAL.namespace]].concat(), None).await.unwrap());
    eventually("it is Sojourn's to hibernate", async || {
        ORIGINAL.api(client, "Pod").get_opt("left-0").await.unwrap().is_none()
    })
    .await
    .unwrap();
}
