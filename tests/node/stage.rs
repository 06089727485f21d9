//! A cluster with a real node, one for most of the run, and Sojourn on it as its users install it.

use crate::{
    login,
    support::{Scene, Stage, must},
};
use serde_json::{Value, json};
use sojourn_cluster::{Cluster, Image, NODE_ADDRESS, Options, Output, eventually, kubectl, test_namespace};
use sojourn_crds::amalthea::{AmaltheaSession, State};
use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    time::{Duration, Instant},
};
use tokio::sync::OnceCell;

/// Namespace and release of the operator.
pub(crate) const HOME: &str = "sojourn-system";
pub(crate) const RELEASE: &str = "sojourn";

static STAGE: OnceCell<Stage> = OnceCell::const_new();

/// Sets the stage once, and a scene for this test.
pub(crate) async fn scene(name: &str) -> Scene {
    scene_on(STAGE.get_or_init(set).await, name).await
}

/// A scene on a stage of its own, for what everybody on a node notices.
pub(crate) async fn scene_apart(name: &str) -> Scene {
    // Ends with the process, as the one that is shared does.
    scene_on(Box::leak(Box::new(set().await)), name).await
}

async fn scene_on(stage: &'static Stage, name: &str) -> Scene {
    let client = stage.cluster.client().await.unwrap();
    let namespace = test_namespace(&client, name).await.unwrap();
    Scene { stage, client, namespace }
}

async fn set() -> Stage {
    let cluster = start().await;
    home(&cluster).await;
    install(&cluster).await;
    Stage { cluster }
}

/// Starts a cluster with a real node that has our images.
pub(crate) async fn start() -> Cluster {
    rustls::crypto::ring::default_provider().install_default().ok();
    let program = Path::new(env!("CARGO_BIN_EXE_sojourn"));
    // Under the names that the chart's values have for them.
    let ours = |name: &str, stage: &str| {
        let name = format!("ghcr.io/sojourn-dev/{name}:{}", env!("CARGO_PKG_VERSION"));
        Image::of_dockerfile(&name, include_str!("../../Dockerfile"), stage, program)
    };
    let images =
        vec![ours("sojourn", "operator"), ours("sojourn-sidecars", "sidecars"), login::proxy_image().await];
    let options = Options { node: true, images, metrics: false, ..Options::default() };
    Cluster::start(options).await.unwrap_or_else(|error| panic!("{error}"))
}

/// Makes the operator's namespace, which takes only pods that give up every right.
pub(crate) async fn home(cluster: &Cluster) {
    let as_admin = async |args: &[&str]| must(kubectl(cluster, args, None).await.unwrap());
    as_admin(&["create", "namespace", HOME]).await;
    as_admin(&["label", "namespace", HOME, "pod-security.kubernetes.io/enforce=restricted"]).await;
}

/// Removes the release.
pub(crate) async fn uninstall(cluster: &Cluster) {
    must(helm(cluster, &["uninstall", RELEASE, "--wait"]).await);
}

/// Installs the chart with its own values.
pub(crate) async fn install(cluster: &Cluster) {
    let as_admin = async |args: &[&str]| must(kubectl(cluster, args, None).await.unwrap());
    let chart = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/sojourn");
    must(helm(cluster, &["install", RELEASE, chart, "--set", "clusterScoped=true"]).await);
    let rollout = ["rollout", "status", "deployment", RELEASE, "-n", HOME, "--watch=false"];
    let done = async || as_admin(&rollout).await.contains("successfully rolled out");
    eventually("the Deployment is rolled out", done).await.unwrap();
    eventually("the webhooks are published", async || {
        let path = "jsonpath={.items[*].webhooks[*].clientConfig.caBundle}";
        let kinds = "validatingwebhookconfigurations,mutatingwebhookconfigurations";
        let bundles = as_admin(&["get", kinds, "-o", path]).await;
        let webhooks = as_admin(&["get", kinds, "-o", "jsonpath={.items[*].webhooks[*].name}"]).await;
        bundles.split_whitespace().count() == webhooks.split_whitespace().count()
    })
    .await
    .unwrap();
}

/// Runs helm for the operator's namespace.
pub(crate) async fn helm(cluster: &Cluster, args: &[&str]) -> Output {
    let home = cluster.dir().join("helm");
    let output = tokio::process::Command::new(cluster.binary("helm"))
        .args(args)
        .args(["--namespace", HOME])
        .env("KUBECONFIG", cluster.kubeconfig())
        .env("HELM_CACHE_HOME", home.join("cache"))
        .env("HELM_CONFIG_HOME", home.join("config"))
        .env("HELM_DATA_HOME", home.join("data"))
        .output()
        .await
        .unwrap();
    Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Whether a session is in a state.
pub(crate) fn is(state: State) -> impl Fn(&AmaltheaSession) -> bool {
    move |session| session.status.as_ref().is_some_and(|status| status.state == state)
}

/// A session of a shell script. Its image has no other user than root, as many have.
pub(crate) fn script(lines: &str, more: Value) -> Value {
    let mut spec = json!({"session": {
        "image": "busybox", "imagePullPolicy": "IfNotPresent", "command": ["sh", "-c", lines],
        "readinessProbe": {"type": "none"},
    }});
    json_patch::merge(&mut spec, &more);
    spec
}

/// A session whose web server is that of this test at `server`, which says what it was asked: in the pod a listener
/// hands every connection on.
pub(crate) fn handed_on(server: SocketAddr, more: Value) -> Value {
    let lines = format!("trap 'exit 0' TERM; nc -ll -p 8000 -e nc {} {} & wait", server.ip(), server.port());
    script(&lines, more)
}

/// The same as a batch job.
pub(crate) fn job(lines: &str, more: Value) -> Value {
    let mut spec = script(lines, more);
    spec["sessionType"] = json!("NonInteractive");
    spec
}

impl Scene {
    /// A listener that pods reach at [`NODE_ADDRESS`].
    pub(crate) fn listener(&self) -> TcpListener {
        let listener = self.stage.cluster.inside(|| TcpListener::bind((NODE_ADDRESS, 0))).unwrap().unwrap();
        listener.set_nonblocking(true).unwrap();
        listener
    }

    /// A connection from the node. A pod whose probe is late on a busy machine is out of its Service for a while.
    pub(crate) fn connect(&self, address: SocketAddr) -> tokio::net::TcpStream {
        let since = Instant::now();
        let connect = || loop {
            match TcpStream::connect_timeout(&address, Duration::from_secs(5)) {
                Err(error)
                    if error.kind() == ErrorKind::ConnectionRefused
                        && since.elapsed() < sojourn_cluster::PATIENCE =>
                {
                    std::thread::sleep(Duration::from_millis(200));
                }
                connected => return connected,
            }
        };
        let stream = self.stage.cluster.inside(connect).unwrap().unwrap();
        stream.set_nonblocking(true).unwrap();
        tokio::net::TcpStream::from_std(stream).unwrap()
    }

    /// The address of the session's Service.
    pub(crate) async fn service(&self, session: &str) -> SocketAddr {
        let service = self.json("service", session).await;
        format!("{}:80", service["spec"]["clusterIP"].as_str().unwrap()).parse().unwrap()
    }

    /// The answer of a session at a path, asked for at its Service as other pods do. Nothing when nobody
    /// answers.
    pub(crate) async fn answer(&self, session: &str, path: &str) -> String {
        let address = self.service(session).await;
        let request = format!("GET {path} HTTP/1.0\r\nHost: {session}\r\n\r\n");
        let ask = move || -> std::io::Result<String> {
            let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            stream.write_all(request.as_bytes())?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        self.stage.cluster.inside(ask).unwrap().unwrap_or_default()
    }

    /// How often each container of a session was started again.
    pub(crate) async fn restarts(&self, session: &str) -> String {
        let path = "jsonpath={.status.containerStatuses[*].restartCount}";
        must(self.kubectl(&["get", "pod", &format!("{session}-0"), "-o", path]).await)
    }

    /// Waits until a session answers with a text: a Service leads to a pod a moment after it is ready.
    pub(crate) async fn answers(&self, session: &str, path: &str, text: &str) {
        let what = format!("{session} answers {text:?}");
        let answered = eventually(&what, async || {
            self.answer(session, path).await.ends_with(&format!("\r\n\r\n{text}"))
        });
        answered.await.unwrap();
    }
}
