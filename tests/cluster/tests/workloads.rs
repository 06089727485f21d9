//! What runs on the cluster behaves as on an installed one. One cluster serves all tests here, each in
//! its own namespace.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde_json::json;
use sojourn_cluster::{
    Cluster, ContainerUsage, Options, annotations, eventually, kubectl, set_pod_usage, test_namespace,
};
use tokio::sync::OnceCell;

/// User names hold the namespace, and the audit log needs them in advance.
const AUDITED: &str = "audited";

async fn cluster() -> &'static Cluster {
    static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();
    let options = Options {
        nodes: 3,
        audit_users: vec![format!("system:serviceaccount:{AUDITED}:robot")],
        ..Options::default()
    };
    CLUSTER.get_or_init(async || Cluster::start(options).await.unwrap()).await
}

async fn apply(namespace: &str, manifest: &str) {
    let output =
        kubectl(cluster().await, &["apply", "-n", namespace, "-f", "-"], Some(manifest)).await.unwrap();
    assert!(output.success(), "{}", output.stderr);
}

/// A pod with one container, whose restart policy is Never.
fn pod(name: &str, asked: &[(&str, &str)]) -> String {
    let asked: serde_json::Map<_, _> =
        asked.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": name, "annotations": asked },
        "spec": { "restartPolicy": "Never", "containers": [{ "name": "main", "image": "example.org/main:1" }] },
    })
    .to_string()
}

fn job(name: &str, asked: &serde_json::Value) -> String {
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": { "name": name },
        "spec": { "backoffLimit": 0, "template": {
            "metadata": { "annotations": asked },
            "spec": { "restartPolicy": "Never", "containers": [{ "name": "main", "image": "example.org/main:1" }] },
        }},
    })
    .to_string()
}

/// Waits until the pod's status, as JSON, passes.
async fn pod_reaches(pods: &Api<Pod>, name: &str, what: &str, check: impl Fn(&serde_json::Value) -> bool) {
    eventually(&format!("pod {name} {what}"), async || {
        let Ok(Some(pod)) = pods.get_opt(name).await else { return false };
        serde_json::to_value(pod.status).is_ok_and(|status| check(&status))
    })
    .await
    .unwrap();
}

fn is_ready(status: &serde_json::Value) -> bool {
    let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    conditions.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

#[tokio::test]
async fn a_statefulset_with_a_claim_becomes_ready_as_a_kubelet_would_write_it() {
    let client = cluster().await.client().await.unwrap();
    let namespace = test_namespace(&client, "sts").await.unwrap();
    let manifest = json!({
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": { "name": "web" },
        "spec": {
            "serviceName": "web",
            "selector": { "matchLabels": { "app": "web" } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": {
                    "initContainers": [
                        { "name": "once", "image": "example.org/once:1" },
                        { "name": "beside", "image": "example.org/beside:1", "restartPolicy": "Always" },
                    ],
                    "containers": [{ "name": "main", "image": "example.org/main:1",
                        "volumeMounts": [{ "name": "data", "mountPath": "/data" }] }],
                },
            },
            "volumeClaimTemplates": [{
                "metadata": { "name": "data" },
                "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } },
            }],
        },
    });
    apply(&namespace, &manifest.to_string()).await;
    let sets: Api<StatefulSet> = Api::namespaced(client.clone(), &namespace);
    eventually("the StatefulSet has its replica", async || {
        sets.get_status("web").await.unwrap().status.unwrap_or_default().ready_replicas == Some(1)
    })
    .await
    .unwrap();

    let pods: Api<Pod> = Api::namespaced(client, &namespace);
    let status = serde_json::to_value(pods.get("web-0").await.unwrap().status).unwrap();
    let main = &status["containerStatuses"][0];
    assert_eq!((&main["ready"], &main["started"]), (&json!(true), &json!(true)));
    assert!(main["state"]["running"]["startedAt"].is_string(), "{main}");
    let first = &status["initContainerStatuses"];
    assert_eq!(first[0]["state"]["terminated"]["reason"], "Completed");
    assert!(first[1]["state"]["running"]["startedAt"].is_string(), "{first}");
    assert_eq!(status["hostIP"], "127.0.0.1");
}

#[tokio::test]
async fn a_job_runs_until_told_otherwise_and_ends_as_told() {
    let client = cluster().await.client().await.unwrap();
    let namespace = test_namespace(&client, "job").await.unwrap();
    let after = annotations::COMPLETE_AFTER;
    apply(&namespace, &job("stays", &json!({}))).await;
    apply(&namespace, &job("succeeds", &json!({ (after): "500ms" }))).await;
    let failing =
        json!({ (after): "500ms", (annotations::EXIT_CODE): "3", (annotations::EXIT_REASON): "OOMKilled" });
    apply(&namespace, &job("fails", &failing)).await;

    let jobs: Api<Job> = Api::namespaced(client.clone(), &namespace);
    for (name, condition) in [("succeeds", "Complete"), ("fails", "Failed")] {
        eventually(&format!("job {name} is {condition}"), async || {
            let status = jobs.get_status(name).await.unwrap().status.unwrap_or_default();
            status.conditions.iter().flatten().any(|it| it.type_ == condition && it.status == "True")
        })
        .await
        .unwrap();
    }
    let pods: Api<Pod> = Api::namespaced(client, &namespace);
    let failed = pods.list(&ListParams::default().labels("job-name=fails")).await.unwrap();
    let status = serde_json::to_value(&failed.items[0].status).unwrap();
    assert_eq!(status["phase"], "Failed");
    let end = &status["containerStatuses"][0]["state"]["terminated"];
    assert_eq!((&end["exitCode"], &end["reason"]), (&json!(3), &json!("OOMKilled")));

    let stays = jobs.get_status("stays").await.unwrap().status.unwrap();
    assert_eq!((stays.active, stays.ready, stays.succeeded), (Some(1), Some(1), None));

    // Suspending deletes the pod and is no failure, although the backoff limit is 0.
    let suspend = Patch::Merge(json!({ "spec": { "suspend": true } }));
    jobs.patch("stays", &PatchParams::default(), &suspend).await.unwrap();
    eventually("the suspended job has no pod", async || {
        let status = jobs.get_status("stays").await.unwrap().status.unwrap();
        status.active.is_none() && status.failed.is_none() && status.terminating == Some(0)
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_pod_misbehaves_as_annotated_and_recovers_when_the_annotation_goes() {
    let client = cluster().await.client().await.unwrap();
    let namespace = test_namespace(&client, "acts").await.unwrap();
    let acts =
        [annotations::PENDING, annotations::NOT_READY, annotations::CRASH_LOOP, annotations::IMAGE_PULL_FAIL];
    for act in acts {
        apply(&namespace, &pod(act, &[(annotations::ACT, act)])).await;
    }
    apply(&namespace, &pod("slow", &[(annotations::START_DELAY, "2s")])).await;
    let pods: Api<Pod> = Api::namespaced(client, &namespace);
    let waits = |status: &serde_json::Value, phase: &str, reason: &str| {
        status["phase"] == phase && status["containerStatuses"][0]["state"]["waiting"]["reason"] == reason
    };
    pod_reaches(&pods, "slow", "is starting", |it| waits(it, "Pending", "ContainerCreating")).await;
    pod_reaches(&pods, acts[0], "is pending", |it| waits(it, "Pending", "ContainerCreating")).await;
    pod_reaches(&pods, acts[1], "runs unready", |it| it["phase"] == "Running" && !is_ready(it)).await;
    pod_reaches(&pods, acts[2], "crashes", |it| {
        waits(it, "Running", "CrashLoopBackOff") && it["containerStatuses"][0]["restartCount"] == 1
    })
    .await;
    pod_reaches(&pods, acts[3], "finds no image", |it| waits(it, "Pending", "ImagePullBackOff")).await;
    pod_reaches(&pods, "slow", "is ready in the end", is_ready).await;

    let forget = Patch::Merge(json!({ "metadata": { "annotations": { (annotations::ACT): null } } }));
    for act in acts {
        pods.patch(act, &PatchParams::default(), &forget).await.unwrap();
        pod_reaches(&pods, act, "recovers", is_ready).await;
    }
    pods.delete("slow", &DeleteParams::default()).await.unwrap();
    eventually("the deleted pod is gone", async || pods.get_opt("slow").await.unwrap().is_none())
        .await
        .unwrap();
}

#[tokio::test]
async fn usage_of_pods_is_what_tests_say() {
    let client = cluster().await.client().await.unwrap();
    let namespace = test_namespace(&client, "usage").await.unwrap();
    apply(&namespace, &pod("busy", &[])).await;
    let usage = ContainerUsage { container: "main", cpu: "250m", memory: "64Mi" };
    set_pod_usage(&client, &namespace, "busy", &[usage]).await.unwrap();
    eventually("kubectl top shows it", async || {
        let output =
            kubectl(cluster().await, &["top", "pod", "-n", &namespace, "--no-headers"], None).await.unwrap();
        output.stdout.split_whitespace().eq(["busy", "250m", "64Mi"])
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_service_account_has_its_rights_only_and_its_requests_are_counted() {
    let cluster = cluster().await;
    for args in [
        &["create", "namespace", AUDITED][..],
        &["-n", AUDITED, "create", "serviceaccount", "robot"],
        &["-n", AUDITED, "create", "role", "reader", "--verb=get,list", "--resource=configmaps"],
        &[
            "-n",
            AUDITED,
            "create",
            "rolebinding",
            "reader",
            "--role=reader",
            "--serviceaccount=audited:robot",
        ],
    ] {
        let output = kubectl(cluster, args, None).await.unwrap();
        assert!(output.success(), "{}", output.stderr);
    }
    let path = cluster.service_account_kubeconfig(AUDITED, "robot").await.unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert!(cluster.service_account_kubeconfig(AUDITED, "nobody").await.is_err());

    let kubeconfig = Kubeconfig::read_from(&path).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let robot = Client::try_from(config).unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(robot.clone(), AUDITED);
    let pods: Api<Pod> = Api::namespaced(robot, AUDITED);

    let log = cluster.audit().unwrap();
    let before = log.cursor().unwrap();
    // The authorizer learns of a new binding by a watch of its own.
    eventually("the role counts", async || maps.list(&ListParams::default()).await.is_ok()).await.unwrap();
    let begin = log.cursor().unwrap();
    assert!(begin > before, "a list was seen and not logged");

    for _ in 0..3 {
        maps.get("kube-root-ca.crt").await.unwrap();
    }
    let refused = pods.list(&ListParams::default()).await.unwrap_err();
    assert!(matches!(&refused, kube::Error::Api(status) if status.code == 403), "{refused}");

    eventually("four requests are logged", async || log.since(begin).unwrap().0.len() >= 4).await.unwrap();
    let (entries, end) = log.since(begin).unwrap();
    let told: Vec<_> = entries
        .iter()
        .map(|it| (it.verb.as_str(), it.resource.as_str(), it.name.as_str(), it.code))
        .collect();
    let get = ("get", "configmaps", "kube-root-ca.crt", 200);
    assert_eq!(told, [get, get, get, ("list", "pods", "", 403)]);
    assert!(
        entries.iter().all(|it| it.user == "system:serviceaccount:audited:robot" && it.namespace == AUDITED)
    );
    assert_eq!(log.since(end).unwrap().0, []);
}
