//! A release through its whole life, with an operator that has the release's rights and no others.

use crate::{CHART, EXAMPLES, helm, must};
use serde_json::Value;
use sojourn_cluster::{Cluster, Options, Output, eventually, kubectl};
use std::process::{Child, Command, Stdio};

/// Nobody runs what is in a pod here: that of a hook has to end by itself.
const ENDS: &str = r"podAnnotations.sojourn\.dev/test-complete-after=0s";
const BUDGET: &str = "userSessionsPodDisruptionBudget.enabled=true";

/// An operator that ends with the test.
struct Operator(Child);

impl Drop for Operator {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// A release on a cluster.
struct Release {
    cluster: Cluster,
    url: String,
    port: u16,
}

impl Release {
    async fn kubectl(&self, args: &[&str]) -> Output {
        kubectl(&self.cluster, &[&["--namespace", "home"], args].concat(), None).await.unwrap()
    }

    fn helm(&self, args: &[&str]) -> Output {
        let args = [args, &["--namespace", "home"]].concat();
        helm(&self.cluster.binary("helm"), Some(self.cluster.kubeconfig()), &args)
    }

    fn install(&self) -> String {
        must(self.helm(&["install", "sojourn", CHART, "--set", &self.url, "--set-string", ENDS]))
    }

    fn upgrade(&self, more: &[&str]) {
        let values = ["upgrade", "sojourn", CHART, "--set", &self.url, "--set-string", ENDS];
        must(self.helm(&[&values, more].concat()));
    }

    /// Starts an operator for the release's namespace, beside the cluster.
    async fn operator(&self) -> Operator {
        let kubeconfig = self.cluster.service_account_kubeconfig("home", "sojourn").await.unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_sojourn"))
            .args(["run", "--leader-elect", "--health-probe-bind-address=0", "--shutdown-delay=0s"])
            .args(["--webhook-configuration=sojourn-home", "--webhook-secret=sojourn-webhook"])
            .arg(format!("--webhook-bind-address=127.0.0.1:{}", self.port))
            .arg(format!("--webhook-url=https://127.0.0.1:{}", self.port))
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .envs([("RELEASE_NAMESPACE", "home"), ("POD_NAMESPACE", "home"), ("SERVICE_ACCOUNT", "sojourn")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Operator(child)
    }

    /// How many webhooks have no CA bundle.
    async fn without_bundle(&self) -> usize {
        let kinds = "validatingwebhookconfigurations,mutatingwebhookconfigurations";
        let found: Value =
            serde_json::from_str(&must(self.kubectl(&["get", kinds, "-o", "json"]).await)).unwrap();
        let items = found["items"].as_array().unwrap();
        assert_eq!(items.len(), 2);
        let webhooks = items.iter().flat_map(|item| item["webhooks"].as_array().unwrap());
        webhooks.filter(|webhook| webhook["clientConfig"]["caBundle"].is_null()).count()
    }

    async fn bundles_are_written(&self) {
        let check = async || self.without_bundle().await == 0;
        eventually("every webhook has the operator's CA bundle", check).await.unwrap();
    }

    async fn runs(&self, session: &str) {
        let check = async || {
            let state = self.kubectl(&["get", "ams", session, "-o", "jsonpath={.status.state}"]).await;
            state.stdout == "Running"
        };
        eventually(&format!("session {session} runs"), check).await.unwrap();
    }

    async fn may(&self, question: &[&str]) -> bool {
        let me = ["auth", "can-i", "--as", "system:serviceaccount:home:sojourn"];
        self.kubectl(&[&me, question].concat()).await.stdout.trim() == "yes"
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_lives_and_leaves_sessions_behind() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("webhooks.url=https://127.0.0.1:{port}");
    let cluster = Cluster::start(Options { nodes: 3, ..Options::default() }).await.unwrap();
    let release = Release { cluster, url, port };

    // The namespace takes only pods that give up everything, and the Deployment's come.
    must(release.kubectl(&["create", "namespace", "home"]).await);
    let restricted = "pod-security.kubernetes.io/enforce=restricted";
    must(release.kubectl(&["label", "namespace", "home", restricted]).await);
    release.install();
    let rollout = async || {
        let status = release.kubectl(&["rollout", "status", "deployment/sojourn", "--watch=false"]).await;
        must(status).contains("successfully rolled out")
    };
    eventually("the Deployment is rolled out", rollout).await.unwrap();
    must(release.kubectl(&["label", "namespace", "home", "pod-security.kubernetes.io/enforce-"]).await);

    // The rights of one namespace are enough for an operator of that namespace.
    let operator = release.operator().await;
    release.bundles_are_written().await;
    for example in ["interactive", "batch"] {
        must(release.kubectl(&["apply", "-f", &format!("{EXAMPLES}/{example}.yaml")]).await);
        release.runs(example).await;
    }
    must(release.kubectl(&["apply", "-f", &format!("{EXAMPLES}/notebook.yaml")]).await);
    assert!(release.may(&["patch", "secrets"]).await);
    assert!(release.may(&["get", "secrets/sojourn-webhook"]).await);
    for denied in [
        &["get", "secrets"][..],
        &["get", "secrets/other"],
        &["list", "secrets", "--namespace=default"],
        &["create", "pods"],
        &["patch", "validatingwebhookconfigurations/other"],
        &["list", "ams", "--all-namespaces"],
    ] {
        assert!(!release.may(denied).await, "{denied:?}");
    }

    // An upgrade of the chart leaves the bundles, or they are written again.
    release.upgrade(&["--set", BUDGET]);
    release.bundles_are_written().await;
    let refused = release.kubectl(&["apply", "-f", &format!("{EXAMPLES}/bad-duration.yaml")]).await;
    assert!(!refused.success() && refused.stderr.contains("spec.culling.maxAge"), "{}", refused.stderr);
    let refused = release.kubectl(&["apply", "-f", &format!("{EXAMPLES}/bad-notebook.yaml")]).await;
    assert!(!refused.success() && refused.stderr.contains("spec.workspaceID"), "{}", refused.stderr);

    // A bundle that somebody blanks is written again.
    let blank = r#"[{"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"}]"#;
    for kind in ["validatingwebhookconfiguration", "mutatingwebhookconfiguration"] {
        must(release.kubectl(&["patch", kind, "sojourn-home", "--type=json", "-p", blank]).await);
    }
    release.bundles_are_written().await;

    // The budget counts the pod of the interactive session, and that of a Job does not break it.
    let check = async || {
        let path = "jsonpath={.status.expectedPods} {.status.currentHealthy}";
        release.kubectl(&["get", "pdb", "sojourn-user-sessions", "-o", path]).await.stdout == "1 1"
    };
    eventually("the budget knows its one pod", check).await.unwrap();

    // Sessions outlive the release, can be changed without it, and are found again by the next one.
    drop(operator);
    must(release.helm(&["uninstall", "sojourn", "--wait"]));
    let patch = ["patch", "ams", "batch", "--type=merge", "-p", r#"{"spec":{"hibernated":true}}"#];
    must(release.kubectl(&patch).await);
    let notes = release.install();
    assert!(!notes.contains("was here before"), "{notes}");
    let _operator = release.operator().await;
    let check = async || {
        let suspended = release.kubectl(&["get", "job", "batch", "-o", "jsonpath={.spec.suspend}"]).await;
        suspended.stdout == "true"
    };
    eventually("the batch session hibernates", check).await.unwrap();
    release.runs("interactive").await;

    // A CRD of somebody else's is left as it is, and said so.
    must(release.helm(&["uninstall", "sojourn", "--wait"]));
    let crd = "customresourcedefinition/amaltheasessions.amalthea.dev";
    must(release.kubectl(&["annotate", "--overwrite", crd, "meta.helm.sh/release-name=other"]).await);
    let notes = release.install();
    assert!(notes.contains("release other owns it"), "{notes}");
    let old = r#"[{"op": "replace", "path": "/spec/names/shortNames", "value": ["old"]}]"#;
    must(release.kubectl(&["patch", crd, "--type=json", "-p", old]).await);
    must(release.kubectl(&["annotate", "--overwrite", crd, "meta.helm.sh/release-name=sojourn"]).await);
    release.upgrade(&[]);
    let names = must(release.kubectl(&["get", crd, "-o", "jsonpath={.spec.names.shortNames}"]).await);
    assert_eq!(names, r#"["ams","amss"]"#, "the chart's CRD is in place again");
    release.runs("interactive").await;
    release.cluster.stop().await;
}
