//! One cluster and one operator for the whole run, and a namespace for each test.

use clap::Parser;
use kube::{
    Api, Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};
use sojourn::settings::{Settings, flags::Flags};
use sojourn_cluster::{Cluster, Options, Output, eventually, kubectl, test_namespace};
use sojourn_crds::amalthea::{AmaltheaSession, State};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

/// Namespace and name of the operator's service account.
pub(crate) const OPERATOR: (&str, &str) = ("sojourn-system", "sojourn");
/// The operator, as the API server knows it.
pub(crate) const OPERATOR_USER: &str = "system:serviceaccount:sojourn-system:sojourn";

/// The cluster of this run, with the chart's objects and an operator at work.
pub(crate) struct Stage {
    pub(crate) cluster: Cluster,
}

static STAGE: OnceCell<Stage> = OnceCell::const_new();

/// A test's own namespace on the stage.
pub(crate) struct Scene {
    pub(crate) stage: &'static Stage,
    pub(crate) client: Client,
    pub(crate) namespace: String,
}

/// Sets the stage once, and a scene for this test.
pub(crate) async fn scene(name: &str) -> Scene {
    let mut scene = scene_in("default").await;
    scene.namespace = test_namespace(&scene.client, name).await.unwrap();
    scene
}

/// Sets the stage once, and a scene in a namespace that is there already.
pub(crate) async fn scene_in(namespace: &str) -> Scene {
    let stage = STAGE.get_or_init(set_stage).await;
    let client = stage.cluster.client().await.unwrap();
    Scene { stage, client, namespace: namespace.to_owned() }
}

async fn set_stage() -> Stage {
    rustls::crypto::ring::default_provider().install_default().ok();
    let options = Options { audit_users: vec![OPERATOR_USER.into()], ..Options::default() };
    let cluster = Cluster::shared(options).await.unwrap();
    let port = free_port();
    install(&cluster, &format!("https://127.0.0.1:{port}")).await;
    crate::before(&cluster).await;
    let operator = cluster.service_account_kubeconfig(OPERATOR.0, OPERATOR.1).await.unwrap();
    start_operator(&operator, port, crate::FLAGS).await;
    let client = cluster.client().await.unwrap();
    eventually("the webhooks are published", async || webhooks_published(&client).await).await.unwrap();
    Stage { cluster }
}

/// Installs the chart without a Deployment: the operator runs beside the cluster, at `url`, under the rights
/// that the chart gives it and no others.
pub(crate) async fn install(cluster: &Cluster, url: &str) {
    let home = cluster.dir().join("helm");
    let chart = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/sojourn");
    let url = format!("webhooks.url={url}");
    let installed = tokio::process::Command::new(cluster.binary("helm"))
        .args(["install", OPERATOR.1, chart, "--namespace", OPERATOR.0, "--create-namespace"])
        .args(["--set", "clusterScoped=true,replicas=0", "--set", &url])
        .env("KUBECONFIG", cluster.kubeconfig())
        .env("HELM_CACHE_HOME", home.join("cache"))
        .env("HELM_CONFIG_HOME", home.join("config"))
        .env("HELM_DATA_HOME", home.join("data"))
        .output()
        .await
        .unwrap();
    assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
    eventually("the CRD is served", async || {
        kubectl(cluster, &["get", "ams", "-A"], None).await.is_ok_and(|output| output.success())
    })
    .await
    .unwrap();
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

/// Settings of an operator beside the cluster, from its flags and more variables in its environment.
pub(crate) fn settings(flags: &[&str], variables: &[(&str, String)]) -> Settings {
    let arguments = Arguments::parse_from(["sojourn"].iter().chain(flags));
    let env = |name: &str| {
        Some(match name {
            "POD_NAMESPACE" => OPERATOR.0.to_owned(),
            "POD_NAME" => "sojourn-0".to_owned(),
            "SERVICE_ACCOUNT" => OPERATOR.1.to_owned(),
            "CLUSTER_SCOPED" => "true".to_owned(),
            _ => return variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone()),
        })
    };
    Settings::read(arguments.flags, &env).unwrap()
}

/// Starts an operator with webhooks on a port of its own, on a thread that outlives the test that asked.
async fn start_operator(kubeconfig: &std::path::Path, port: u16, flags: &[&str]) {
    // The pods that kwok plays have addresses that nobody has, so no proxy is to be asked there.
    const NO_PROXIES: &str = "--ask-proxies=false";
    let bind = format!("--webhook-bind-address=127.0.0.1:{port}");
    let url = format!("--webhook-url=https://127.0.0.1:{port}");
    let common = [bind.as_str(), url.as_str(), "--health-probe-bind-address=0", "--leader-elect", NO_PROXIES];
    let settings = settings(&[&common, flags].concat(), &crate::variables());
    let config = client_config(kubeconfig).await;
    std::thread::spawn(move || {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let client = Client::try_from(config).unwrap();
            let log = log_of_the_run(&settings);
            sojourn::cmd::run::serve(settings, client, log, CancellationToken::new()).await.unwrap();
        });
    });
}

/// The log goes to standard error, where a failed test shows it.
fn log_of_the_run(settings: &Settings) -> sojourn::telemetry::log::LogHandle {
    sojourn::telemetry::log::init(&settings.log).unwrap()
}

pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// How to reach the cluster with the rights of a kubeconfig.
pub(crate) async fn client_config(kubeconfig: &std::path::Path) -> Config {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap()
}

pub(crate) async fn webhooks_published(client: &Client) -> bool {
    use k8s_openapi::api::admissionregistration::v1::{
        MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
    };
    let validating: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
    let mutating: Api<MutatingWebhookConfiguration> = Api::all(client.clone());
    let validating = validating.list(&Default::default()).await.unwrap().items;
    let mutating = mutating.list(&Default::default()).await.unwrap().items;
    let mut bundles = validating
        .into_iter()
        .flat_map(|c| c.webhooks.unwrap_or_default())
        .map(|w| w.client_config.ca_bundle)
        .chain(
            mutating
                .into_iter()
                .flat_map(|c| c.webhooks.unwrap_or_default())
                .map(|w| w.client_config.ca_bundle),
        )
        .peekable();
    bundles.peek().is_some() && bundles.all(|bundle| bundle.is_some_and(|bundle| !bundle.0.is_empty()))
}

impl Scene {
    /// Runs kubectl in the scene's namespace.
    pub(crate) async fn kubectl(&self, args: &[&str]) -> Output {
        let args = [&["-n", self.namespace.as_str()], args].concat();
        kubectl(&self.stage.cluster, &args, None).await.unwrap()
    }

    /// Applies a manifest in the scene's namespace.
    pub(crate) async fn apply(&self, manifest: &Value) -> Output {
        let args = ["-n", self.namespace.as_str(), "apply", "-f", "-"];
        kubectl(&self.stage.cluster, &args, Some(&manifest.to_string())).await.unwrap()
    }

    /// Applies a session that must be admitted.
    pub(crate) async fn session(&self, name: &str, spec: Value) {
        must(self.apply(&session(name, spec)).await);
    }

    /// Changes fields of a session.
    pub(crate) async fn patch(&self, name: &str, patch: Value) -> Output {
        self.kubectl(&["patch", "ams", name, "--type=merge", "-p", &patch.to_string()]).await
    }

    /// The session as it is now.
    pub(crate) async fn get(&self, name: &str) -> Option<AmaltheaSession> {
        self.api().get_opt(name).await.unwrap()
    }

    pub(crate) fn api(&self) -> Api<AmaltheaSession> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Any object as JSON; `null` when it is not there.
    pub(crate) async fn json(&self, resource: &str, name: &str) -> Value {
        let object = self.objects(resource).get_opt(name).await.unwrap();
        object.map(|object| serde_json::to_value(object).unwrap()).unwrap_or_default()
    }

    /// Waits until the session is in a state.
    pub(crate) async fn reaches(&self, name: &str, state: State) -> AmaltheaSession {
        self.eventually(name, &format!("{state:?}"), |session| {
            session.status.as_ref().is_some_and(|status| status.state == state)
        })
        .await
    }

    /// Waits until something holds for a session.
    pub(crate) async fn eventually(
        &self,
        name: &str,
        what: &str,
        holds: impl Fn(&AmaltheaSession) -> bool,
    ) -> AmaltheaSession {
        let reached = eventually(&format!("{name}: {what}"), async || {
            self.get(name).await.is_some_and(|session| holds(&session))
        })
        .await;
        let session = self.get(name).await;
        if let Err(error) = reached {
            let pods = self.kubectl(&["get", "pods,events", "-o", "yaml"]).await.stdout;
            panic!("{error}; it is {}\n{pods}", serde_json::to_string_pretty(&session).unwrap());
        }
        session.unwrap()
    }

    /// Waits until an object is gone.
    pub(crate) async fn gone(&self, resource: &str, name: &str) {
        // The garbage collector learns of a new kind half a minute after its definition was made.
        eventually(&format!("{resource} {name} is gone"), async || self.json(resource, name).await.is_null())
            .await
            .unwrap();
    }
}

/// A session whose image is never run: pods here only say that they do.
pub(crate) fn session(name: &str, spec: Value) -> Value {
    let mut manifest = json!({
        "apiVersion": "amalthea.dev/v1alpha1",
        "kind": "AmaltheaSession",
        "metadata": {"name": name},
        "spec": {"session": {"image": "debian:12"}},
    });
    json_patch::merge(&mut manifest["spec"], &spec);
    manifest
}
