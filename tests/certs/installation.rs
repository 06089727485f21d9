//! One cluster for all tests, and for each test a namespace with a release of the chart and replicas of its own.

use crate::balancer::balance;
use clap::Parser;
use jiff::SignedDuration;
use k8s_openapi::api::{
    admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration},
    core::v1::Secret,
};
use kube::{
    Api, Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};
use sojourn::{
    control::certificates::Clock,
    settings::{Settings, flags::Flags},
    telemetry::log::{self, LogHandle},
};
use sojourn_certs::{Bundle, SecretData, Stored};
use sojourn_cluster::{Cluster, Options, Output, eventually, kubectl, test_namespace};
use std::path::PathBuf;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::OnceCell,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

/// Name of the authority's Secret in each namespace.
pub(crate) const SECRET: &str = "sojourn-webhook";

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/sojourn");

static STAGE: OnceCell<(Cluster, LogHandle)> = OnceCell::const_new();

async fn stage() -> &'static (Cluster, LogHandle) {
    STAGE
        .get_or_init(async || {
            rustls::crypto::ring::default_provider().install_default().ok();
            let cluster =
                Cluster::start(Options { webhook_client: true, ..Options::default() }).await.unwrap();
            for (_, crd) in sojourn_crds::all_crds() {
                let args = ["apply", "--server-side", "-f", "-"];
                must(kubectl(&cluster, &args, Some(&crd.to_string())).await.unwrap());
            }
            eventually("the CRD is served", async || {
                kubectl(&cluster, &["get", "ams", "-A"], None).await.is_ok_and(|output| output.success())
            })
            .await
            .unwrap();
            (cluster, log::init(&settings("log", None, &["--log-filter=warn"]).log).unwrap())
        })
        .await
}

/// The objects that the chart renders with these values, for release `release` in namespace `home`. `Err` is what
/// helm says.
pub(crate) async fn render(values: &[&str]) -> Result<Vec<Value>, String> {
    let (cluster, _) = stage().await;
    let home = cluster.dir().join("render");
    let output = tokio::process::Command::new(cluster.binary("helm"))
        .args(["template", "release", CHART, "--namespace", "home", "--kube-version", "1.34.0"])
        .args(values.iter().map(|value| format!("--set={value}")))
        .env("HELM_CACHE_HOME", home.join("cache"))
        .env("HELM_CONFIG_HOME", home.join("config"))
        .env("HELM_DATA_HOME", home.join("data"))
        .output()
        .await
        .unwrap();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let rendered = String::from_utf8(output.stdout).unwrap();
    Ok(rendered.split("\n---").filter_map(|text| serde_saphyr::from_str::<Value>(text).ok()).collect())
}

/// Output of a command that must have succeeded.
pub(crate) fn must(output: Output) -> String {
    assert!(output.success(), "{}{}", output.stdout, output.stderr);
    output.stdout
}

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    flags: Flags,
}

fn settings(namespace: &str, account: Option<&str>, flags: &[&str]) -> Settings {
    let arguments = Arguments::parse_from(["sojourn"].iter().chain(flags));
    let env = |name: &str| {
        Some(match name {
            "POD_NAMESPACE" | "RELEASE_NAMESPACE" => namespace.to_owned(),
            "SERVICE_ACCOUNT" => account?.to_owned(),
            _ => return None,
        })
    };
    Settings::read(arguments.flags, &env).unwrap()
}

/// A namespace with a release, and what it needs for replicas to run beside the cluster.
pub(crate) struct Installation {
    pub(crate) cluster: &'static Cluster,
    pub(crate) client: Client,
    pub(crate) namespace: String,
    /// Ports of the replicas: those that run and those that may.
    pub(crate) ports: Vec<u16>,
    /// The service account that replicas are told to be.
    pub(crate) account: Option<&'static str>,
    url: String,
    kubeconfig: PathBuf,
}

/// A replica at work.
pub(crate) struct Replica {
    health: u16,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Installation {
    /// A release with room for so many replicas; none runs yet.
    pub(crate) async fn new(name: &str, replicas: usize) -> Self {
        let (cluster, _) = stage().await;
        let client = cluster.client().await.unwrap();
        let namespace = test_namespace(&client, name).await.unwrap();
        let ports: Vec<_> = (0..replicas).map(|_| free_port()).collect();
        let url = format!("https://127.0.0.1:{}", balance(ports.clone()).await);
        let account = Some("sojourn");
        let mut this = Self { cluster, client, namespace, ports, account, url, kubeconfig: PathBuf::new() };
        this.helm("install", &[]).await;
        this.kubeconfig = cluster.service_account_kubeconfig(&this.namespace, "sojourn").await.unwrap();
        this
    }

    /// Installs or upgrades the release.
    pub(crate) async fn helm(&self, verb: &str, args: &[&str]) {
        let home = self.cluster.dir().join(&self.namespace);
        let url = format!("webhooks.url={}", self.url);
        let output = tokio::process::Command::new(self.cluster.binary("helm"))
            .args([verb, "sojourn", CHART, "--namespace", &self.namespace])
            .args(["--set", "replicas=0,deployCrd=false", "--set", &url])
            .args(args)
            .env("KUBECONFIG", self.cluster.kubeconfig())
            .env("HELM_CACHE_HOME", home.join("cache"))
            .env("HELM_CONFIG_HOME", home.join("config"))
            .env("HELM_DATA_HOME", home.join("data"))
            .output()
            .await
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Name of both webhook configurations.
    pub(crate) fn configuration(&self) -> String {
        format!("sojourn-{}", self.namespace)
    }

    /// Starts the replica of that number, under the rights of the release and no others.
    pub(crate) async fn start(&self, number: usize, ahead: SignedDuration, flags: &[&str]) -> Replica {
        let (_, log) = stage().await;
        let health = free_port();
        let bind = format!("--webhook-bind-address=127.0.0.1:{}", self.ports[number]);
        let url = format!("--webhook-url={}", self.url);
        let configuration = format!("--webhook-configuration={}", self.configuration());
        let probes = format!("--health-probe-bind-address=127.0.0.1:{health}");
        let metrics = format!("--metrics-bind-address=127.0.0.1:{health}");
        let common = ["--leader-elect", "--shutdown-delay=0s", "--metrics-secure=false"];
        let timing = ["--webhook-bundle-propagation=1s", "--webhook-secret=sojourn-webhook"];
        let own = [bind.as_str(), &url, &configuration, &probes, &metrics];
        let flags = [&common[..], &timing[..], &own[..], flags].concat();
        let mut settings = settings(&self.namespace, self.account, &flags);
        settings.lease.host = format!("replica-{number}");
        let kubeconfig = Kubeconfig::read_from(&self.kubeconfig).unwrap();
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        let client = Client::try_from(config).unwrap();
        let stop = CancellationToken::new();
        let serving =
            sojourn::cmd::run::serve_with_clock(settings, client, log.clone(), stop.clone(), Clock { ahead });
        let task = tokio::spawn(async move { serving.await.unwrap() });
        Replica { health, stop, task }
    }

    /// Starts all replicas and waits until they are ready.
    pub(crate) async fn start_all(&self, ahead: &[SignedDuration]) -> Vec<Replica> {
        let mut replicas = Vec::new();
        for (number, ahead) in ahead.iter().enumerate() {
            replicas.push(self.start(number, *ahead, &[]).await);
        }
        for replica in &replicas {
            replica.becomes_ready().await;
        }
        replicas
    }

    pub(crate) async fn kubectl(&self, args: &[&str]) -> Output {
        kubectl(self.cluster, &[&["--namespace", &self.namespace], args].concat(), None).await.unwrap()
    }

    pub(crate) fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// What the Secret of the authority says.
    pub(crate) async fn stored(&self) -> Option<Stored> {
        let secret = self.secrets().get_opt(SECRET).await.unwrap()?;
        Some(Stored::read(&SecretData {
            labels: secret.metadata.labels.unwrap_or_default(),
            annotations: secret.metadata.annotations.unwrap_or_default(),
            data: secret.data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.0)).collect(),
        }))
    }

    /// What each webhook publishes now; unreadable counts as nothing.
    pub(crate) async fn published(&self) -> Vec<Bundle> {
        let name = self.configuration();
        let validating: Api<ValidatingWebhookConfiguration> = Api::all(self.client.clone());
        let mutating: Api<MutatingWebhookConfiguration> = Api::all(self.client.clone());
        let validating = validating.get(&name).await.unwrap().webhooks.unwrap_or_default();
        let mutating = mutating.get(&name).await.unwrap().webhooks.unwrap_or_default();
        let bundles = validating.into_iter().map(|webhook| webhook.client_config.ca_bundle);
        bundles
            .chain(mutating.into_iter().map(|webhook| webhook.client_config.ca_bundle))
            .map(|pem| Bundle::parse(&pem.unwrap_or_default().0).unwrap_or_default())
            .collect()
    }

    /// Waits until one authority is known to all and nothing else is published.
    pub(crate) async fn settles(&self) {
        eventually("one authority is known to all", async || {
            let Some(stored) = self.stored().await else { return false };
            let published = self.published().await;
            stored.is_settled() && published.iter().all(|bundle| bundle.same_as(&stored.bundle))
        })
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    }

    /// A session that is asked for but not kept. `Err` is what a person would see.
    pub(crate) async fn admit(&self, spec: Value) -> Result<(), String> {
        let session = json!({
            "apiVersion": "amalthea.dev/v1alpha1",
            "kind": "AmaltheaSession",
            "metadata": {"generateName": "try-", "namespace": self.namespace},
            "spec": spec,
        });
        let path = format!("/apis/amalthea.dev/v1alpha1/namespaces/{}/amaltheasessions", self.namespace);
        let request = http::Request::post(format!("{path}?dryRun=All"))
            .header("content-type", "application/json")
            .body(session.to_string().into_bytes())
            .unwrap();
        self.client.request::<Value>(request).await.map(drop).map_err(|error| error.to_string())
    }
}

impl Replica {
    /// What a page of the admin port says, whatever its status.
    pub(crate) async fn page(&self, path: &str) -> String {
        let Ok(mut stream) = tokio::net::TcpStream::connect(("127.0.0.1", self.health)).await else {
            return String::new();
        };
        let request = format!("GET {path} HTTP/1.1\r\nHost: replica\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    pub(crate) async fn is_ready(&self) -> bool {
        self.page("/readyz").await.starts_with("HTTP/1.1 200")
    }

    pub(crate) async fn becomes_ready(&self) {
        let waited = eventually("the replica is ready", async || self.is_ready().await).await;
        if let Err(error) = waited {
            panic!("{error}: {}", self.page("/readyz?verbose").await);
        }
    }

    /// Waits until a page says something.
    pub(crate) async fn says(&self, path: &str, text: &str) {
        let waited = eventually("the page says so", async || self.page(path).await.contains(text)).await;
        if waited.is_err() {
            panic!("{path} never says {text:?}: {}", self.page(path).await);
        }
    }

    /// Ends it as SIGTERM does.
    pub(crate) async fn ends(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}
