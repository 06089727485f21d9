//! The chart, as helm and a real API server see it: what it renders, what it refuses, and a release through its
//! whole life, with an operator that has the release's rights and no others.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed step of a test is a failed test")]

use serde_json::Value;
use sojourn_cluster::{Cluster, Options, Output, eventually, kubectl};
use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/sojourn");
const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/sojourn/examples");
const BUDGET: &str = "userSessionsPodDisruptionBudget.enabled=true";
const WAIT: Duration = Duration::from_secs(30);

/// Runs helm; `kubeconfig` is needed for what asks a cluster.
fn helm(program: &Path, kubeconfig: Option<&Path>, args: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    let output = Command::new(program)
        .args(args)
        .env("KUBECONFIG", kubeconfig.unwrap_or(Path::new("/nonexistent")))
        .env("HELM_CACHE_HOME", home.path())
        .env("HELM_CONFIG_HOME", home.path())
        .env("HELM_DATA_HOME", home.path())
        .output()
        .unwrap();
    Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn must(output: Output) -> String {
    assert!(output.success(), "{}{}", output.stdout, output.stderr);
    output.stdout
}

async fn helm_binary() -> PathBuf {
    let built = sojourn_cluster::build_all().await.unwrap();
    built.into_iter().find(|(name, _)| *name == "helm").unwrap().1
}

async fn template(args: &[&str]) -> Output {
    let common = ["template", "release", CHART, "--namespace", "home", "--kube-version", "1.34.0"];
    helm(&helm_binary().await, None, &[&common, args].concat())
}

/// The rendered objects of a kind.
fn of_kind(rendered: &str, kind: &str) -> Vec<Value> {
    let objects = rendered.split("\n---").filter_map(|text| serde_saphyr::from_str::<Value>(text).ok());
    objects.filter(|object| object["kind"] == kind).collect()
}

#[tokio::test]
async fn lint_finds_nothing() {
    must(helm(&helm_binary().await, None, &["lint", "--strict", CHART]));
}

#[tokio::test]
async fn a_release_for_namespaces_has_rights_in_them_only() {
    let rendered = must(template(&["--set", "namespaces={a,b}"]).await);
    let roles = of_kind(&rendered, "Role");
    let places: Vec<_> = roles.iter().map(|role| role["metadata"]["namespace"].as_str().unwrap()).collect();
    assert_eq!(places, ["home", "a", "b"]);
    let cluster = of_kind(&rendered, "ClusterRole");
    let rules = cluster[0]["rules"].to_string();
    assert!(rules.contains("webhookconfigurations") && !rules.contains("secrets"), "{rules}");
    let guards = of_kind(&rendered, "ValidatingWebhookConfiguration");
    assert!(!guards[0].to_string().contains("idesessions"), "they are in no namespace");
    for webhook in guards[0]["webhooks"].as_array().unwrap() {
        let selector = &webhook["namespaceSelector"]["matchExpressions"][0];
        assert_eq!(selector["values"], serde_json::json!(["a", "b"]));
        assert_eq!(webhook["clientConfig"]["service"]["name"], "release-sojourn-webhook");
        assert!(webhook["clientConfig"]["caBundle"].is_null());
    }
}

#[tokio::test]
async fn values_of_the_original_chart_are_accepted() {
    let values = [
        "--set=controllerManager.replicas=1,controllerManager.manager.image.tag=0.1.0,cloner.image.tag=x",
        "--set=controllerManager.manager.sentry.enabled=true,deploy.csiRclone=false,clusterScoped=true",
        "--set=imageRewriteRules[0].source_prefix=docker.io,imageRewriteRules[0].target_prefix=mirror.example.org",
        "--set=rcloneStorageClass=other,useNoneSameSiteSessionCookie=true,sidecars.image.tag=1.2.3",
    ];
    let rendered = must(template(&values).await);
    let deployment = &of_kind(&rendered, "Deployment")[0];
    assert_eq!(deployment["spec"]["replicas"], 1);
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let env = |name: &str| {
        let all = container["env"].as_array().unwrap();
        all.iter().find(|variable| variable["name"] == name).map(|variable| variable["value"].clone())
    };
    assert_eq!(env("CLUSTER_SCOPED").unwrap(), "true");
    let guards = of_kind(&rendered, "ValidatingWebhookConfiguration");
    assert!(guards[0].to_string().contains("idesessions"));
    assert_eq!(env("RCLONE_STORAGE_CLASS").unwrap(), "other");
    assert_eq!(env("USE_NONE_SAME_SITE_SESSION_COOKIE").unwrap(), "true");
    assert_eq!(env("SIDECARS_IMAGE").unwrap(), "renku/sidecars:1.2.3");
    let rules = env("AMALTHEA_IMAGE_REWRITE_RULES").unwrap();
    assert_eq!(rules, r#"[{"source_prefix":"docker.io","target_prefix":"mirror.example.org"}]"#);
    assert!(of_kind(&rendered, "PodDisruptionBudget").is_empty(), "one replica would hold drains up");
}

/// The original's chart has the labels of its metrics Service among the annotations, and its check of the storage
/// class is never rendered.
#[tokio::test]
async fn labels_and_values_of_the_original_have_their_place() {
    let rendered = must(template(&["--set", "rcloneStorageClass=other"]).await);
    for kind in ["Service", "Deployment", "ServiceAccount"] {
        for object in of_kind(&rendered, kind) {
            let metadata = &object["metadata"];
            assert_eq!(metadata["labels"]["app.kubernetes.io/instance"], "release", "{metadata}");
            let annotations = metadata["annotations"].as_object();
            let stray =
                annotations.into_iter().flatten().find(|(key, _)| key.starts_with("app.kubernetes.io"));
            assert!(stray.is_none(), "{metadata}");
        }
    }
    let image = &of_kind(&rendered, "Deployment")[0]["spec"]["template"]["spec"]["containers"][0]["image"];
    assert_eq!(image.as_str().unwrap().rsplit(':').next(), Some(env!("CARGO_PKG_VERSION")), "{image}");
    let disruption = of_kind(&rendered, "PodDisruptionBudget");
    assert!(disruption.iter().all(|budget| !budget.to_string().contains("user-sessions")), "{disruption:?}");
    let empty = template(&["--set", "rcloneStorageClass="]).await;
    assert!(!empty.success() && empty.stderr.contains("rcloneStorageClass"), "{}", empty.stderr);
}

#[tokio::test]
async fn sidecars_are_of_this_version_unless_an_image_is_named() {
    let own = concat!("ghcr.io/sojourn-dev/sojourn-sidecars:", env!("CARGO_PKG_VERSION"));
    for (values, image) in [
        ("image.repository=mirror.example.org/sojourn", own),
        ("sidecars.image.tag=1.2.3", "renku/sidecars:1.2.3"),
        ("sidecars.image.repository=mirror.example.org/sidecars", "mirror.example.org/sidecars:latest"),
        ("sidecars.image.repository=a/b,sidecars.image.tag=v2", "a/b:v2"),
    ] {
        let rendered = must(template(&["--set", values]).await);
        let variable = serde_json::json!({"name": "SIDECARS_IMAGE", "value": image});
        let deployment = &of_kind(&rendered, "Deployment")[0];
        let env = &deployment["spec"]["template"]["spec"]["containers"][0]["env"];
        assert!(env.as_array().unwrap().contains(&variable), "{values}: {env}");
    }
}

#[tokio::test]
async fn values_without_a_meaning_are_refused() {
    for (value, path) in [
        ("replica=1", "replica"),
        ("replicas=-1", "replicas"),
        ("nonInteractive.onDeadline=Stop", "onDeadline"),
        ("webhooks.url=http://example.org", "url"),
        ("namespaces={A_b}", "namespaces"),
        ("networkPolicy.webhooksFrom[0].cidr=1.2.3.4/32", "networkPolicy"),
        ("priorityClass.value=2000000000", "priorityClass"),
        ("ide.endpointSecret=vscode", "endpointSecret"),
        ("ide.allowedNetworks={10.0.0.1}", "allowedNetworks"),
        ("ide.sessionsPerEndpoint=0", "sessionsPerEndpoint"),
    ] {
        let output = template(&["--set", value]).await;
        assert!(!output.success() && output.stderr.contains(path), "{value}: {}", output.stderr);
    }
}

#[tokio::test]
async fn what_is_said_of_ides_reaches_the_operator() {
    let args = |rendered: &str| {
        let deployment = &of_kind(rendered, "Deployment")[0];
        let args = &deployment["spec"]["template"]["spec"]["containers"][0]["args"];
        let args: Vec<String> = serde_json::from_value(args.clone()).unwrap();
        args.into_iter().filter(|arg| arg.starts_with("--ide-")).collect::<Vec<_>>()
    };
    assert_eq!(args(&must(template(&[]).await)), ["--ide-sessions-per-endpoint=64"]);
    let values = "ide.endpointSecret=ides/vscode,ide.endpointNamespaces={a,b},ide.allowedNetworks={10.0.0.0/8},\
                  ide.allowedSuffixes={example.com},ide.plainText=true,ide.sessionsPerEndpoint=7";
    let expected = [
        "--ide-endpoint-secret=ides/vscode",
        "--ide-endpoint-namespaces=a,b",
        "--ide-allow-network=10.0.0.0/8",
        "--ide-allow-suffix=example.com",
        "--ide-plain-text",
        "--ide-sessions-per-endpoint=7",
    ];
    assert_eq!(args(&must(template(&["--set", values]).await)), expected);
}

#[tokio::test]
async fn what_is_off_by_default_fits_in_when_it_is_on() {
    let plain = must(template(&["--set", "clusterScoped=true"]).await);
    for kind in ["NetworkPolicy", "ServiceMonitor", "PrometheusRule"] {
        assert!(of_kind(&plain, kind).is_empty(), "{kind} is off by default");
    }
    let pod = |rendered: &str| of_kind(rendered, "Deployment")[0]["spec"]["template"]["spec"].clone();
    assert_eq!(pod(&plain)["priorityClassName"], of_kind(&plain, "PriorityClass")[0]["metadata"]["name"]);

    let logs = |rendered: &str| {
        let volumes = pod(rendered)["volumes"].as_array().unwrap().clone();
        volumes.into_iter().find(|volume| volume["name"] == "ide-logs").unwrap()
    };
    assert_eq!(logs(&plain), serde_json::json!({"name": "ide-logs", "emptyDir": {}}));
    let mounted = &pod(&plain)["containers"][0];
    let directory = mounted["volumeMounts"][0]["mountPath"].as_str().unwrap();
    let told = format!("--ide-log-directory={directory}");
    assert!(mounted["args"].as_array().unwrap().contains(&told.into()));
    let readers = of_kind(&plain, "ClusterRole");
    let may_read = |role: &&Value| role["rules"][0]["resources"][0] == "idesessions/log";
    assert_eq!(readers.iter().filter(may_read).count(), 1, "and the operator itself may not");

    let all = "clusterScoped=true,networkPolicy.enabled=true,serviceMonitor.enabled=true,prometheusRule.enabled=true";
    let more = "webhooks.excludedNamespaces={ci},priorityClassName=other,serviceMonitor.labels.team=a";
    let rendered = must(template(&["--set", all, "--set", more]).await);
    let policy = &of_kind(&rendered, "NetworkPolicy")[0];
    let ports = policy["spec"]["ingress"].as_array().unwrap();
    assert_eq!((&ports[0]["ports"][0]["port"], &ports[0]["from"]), (&"webhook".into(), &Value::Null));
    assert_eq!(ports[1]["ports"][0]["port"], "metrics");
    assert_eq!(policy["spec"]["podSelector"], of_kind(&rendered, "Deployment")[0]["spec"]["selector"]);
    assert_eq!(pod(&rendered)["priorityClassName"], "other");
    assert!(of_kind(&rendered, "PriorityClass").is_empty());
    let guards = of_kind(&rendered, "ValidatingWebhookConfiguration");
    let selector = &guards[0]["webhooks"][0]["namespaceSelector"]["matchExpressions"][0];
    assert_eq!(selector["values"], serde_json::json!(["kube-system", "kube-node-lease", "ci"]));

    // Who scrapes finds the Service's port by the name that it has.
    for (args, scheme) in [(&[][..], "http"), (&["--set", "extraArgs={--metrics-secure}"], "https")] {
        let rendered = must(template(&[&["--set", all], args].concat()).await);
        let monitor = &of_kind(&rendered, "ServiceMonitor")[0]["spec"]["endpoints"][0];
        assert_eq!((&monitor["scheme"], &monitor["port"]), (&scheme.into(), &scheme.into()));
        let services = of_kind(&rendered, "Service");
        assert!(services.iter().any(|service| service["spec"]["ports"][0]["name"] == scheme));
        assert_eq!(monitor["tlsConfig"].is_null(), scheme == "http");
    }
}

#[tokio::test]
async fn alerts_are_about_metrics_that_there_are() {
    let rendered = must(template(&["--set", "prometheusRule.enabled=true"]).await);
    let rules = of_kind(&rendered, "PrometheusRule")[0].clone();
    let mut metrics = sojourn::telemetry::metrics::Metrics::default();
    sojourn_webhooks::metrics::Metrics::default().register(&mut metrics.registry);
    let queues = sojourn::telemetry::queues::QueueCollector::default();
    metrics.registry.register_collector(Box::new(queues));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &metrics.registry).unwrap();
    // A family without a series is in the registry, and not in the text.
    text += &format!("{:?}", metrics.registry);
    let is_known = |name: &str| {
        let short = name.strip_prefix("sojourn_webhook_").unwrap_or(name);
        text.contains(&format!("# TYPE {name} ")) || text.contains(&format!("name: {short:?}"))
    };
    let alerts = rules["spec"]["groups"][0]["rules"].as_array().unwrap();
    assert!(alerts.len() > 5);
    for alert in alerts {
        let expression = alert["expr"].as_str().unwrap();
        let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        for word in words.filter(|word| word.starts_with("sojourn_")) {
            let name = ["_total", "_bucket"].iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word);
            assert!(is_known(name), "{word} of {} is not in {text}", alert["alert"]);
        }
    }
}

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
        must(self.helm(&["install", "sojourn", CHART, "--set", &self.url]))
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
        eventually("every webhook has the operator's CA bundle", WAIT, check).await.unwrap();
    }

    async fn runs(&self, session: &str) {
        let check = async || {
            let state = self.kubectl(&["get", "ams", session, "-o", "jsonpath={.status.state}"]).await;
            state.stdout == "Running"
        };
        eventually(&format!("session {session} runs"), WAIT, check).await.unwrap();
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
    must(release.kubectl(&["rollout", "status", "deployment/sojourn", "--timeout=30s"]).await);
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
    must(release.helm(&["upgrade", "sojourn", CHART, "--set", &release.url, "--set", BUDGET]));
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
    eventually("the budget knows its one pod", WAIT, check).await.unwrap();

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
    eventually("the batch session hibernates", WAIT, check).await.unwrap();
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
    must(release.helm(&["upgrade", "sojourn", CHART, "--set", &release.url]));
    let names = must(release.kubectl(&["get", crd, "-o", "jsonpath={.spec.names.shortNames}"]).await);
    assert_eq!(names, r#"["ams","amss"]"#, "the chart's CRD is in place again");
    release.runs("interactive").await;
    release.cluster.stop().await;
}
