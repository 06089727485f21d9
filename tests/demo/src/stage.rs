//! Sets the stage: a cluster, the chart, the operator.

use crate::{operator::Operator, shell::Shell};
use anyhow::{Context, bail};
use serde_json::Value;
use sojourn_cluster::{Cluster, Options};
use sojourn_fake_ide::{FakeIde, Step};
use std::{
    net::TcpListener,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Release and namespace of the chart.
pub(crate) const RELEASE: (&str, &str) = ("sojourn", "sojourn-system");
/// Where the sessions of the demo are.
const NAMESPACE: &str = "demo";
/// How long the operator may take to be ready.
const READY: Duration = Duration::from_secs(60);

/// All that runs.
pub(crate) struct Stage {
    /// When it runs beside the cluster.
    pub(crate) operator: Option<Operator>,
    /// What that operator is connected to, for as long as it runs.
    pub(crate) _ide: Option<FakeIde>,
    pub(crate) shell: Shell,
    pub(crate) cluster: Cluster,
}

/// Starts everything.
pub(crate) async fn set() -> anyhow::Result<Stage> {
    let began = Instant::now();
    let note = |text: &str| println_now(text);
    note("== A Kubernetes control plane on this machine (the first time it is built, which takes minutes)")?;
    // A second to start in, so that there is something to see.
    let options = Options { nodes: 3, pod_start_delay: Duration::from_secs(1), ..Options::default() };
    let cluster = Cluster::start(options).await?;
    let shell = Shell::new(&cluster);
    shell.say(&format!("  {} is ready", cluster.server()))?;

    shell.title("The chart, with the operator outside of the cluster")?;
    let [webhooks, health] = free_ports()?;
    let url = format!("webhooks.url=https://127.0.0.1:{webhooks}");
    let (release, namespace) = RELEASE;
    shell
        .run(
            "helm",
            &[
                "install",
                release,
                "charts/sojourn",
                "--namespace",
                namespace,
                "--create-namespace",
                "--set",
                "clusterScoped=true,replicas=0",
                "--set",
                &url,
            ],
        )
        .await?;

    shell
        .title("The operator, with the chart's arguments and the rights of its service account, no others")?;
    let deployment =
        shell.quietly("kubectl", &["get", "deployment", release, "-n", namespace, "-o", "json"]).await?;
    let deployment: Value = serde_json::from_str(&deployment.text).context("the Deployment is not there")?;
    let kubeconfig = cluster.service_account_kubeconfig(namespace, release).await?;
    let ide = FakeIde::start(sojourn_fake_ide::Options { lively: true, ..Default::default() }).await?;
    // It takes its time too.
    ide.script(|script| script.create.push_back(vec![Step::Wait(Duration::from_secs(2))]));
    let mut operator = Operator::start(&deployment, &ide, &kubeconfig, [webhooks, health], cluster.dir())?;
    let ready = tokio::select! {
        ready = ready(health) => ready,
        error = operator.ended() => Err(error),
    };
    if let Err(error) = ready {
        operator.show_log(&shell)?;
        operator.stop().await;
        return Err(error);
    }
    Stage { operator: Some(operator), _ide: Some(ide), shell, cluster }.begin(began).await
}

impl Stage {
    /// The last that is done before the story.
    pub(crate) async fn begin(self, began: Instant) -> anyhow::Result<Self> {
        self.shell.run("kubectl", &["create", "namespace", NAMESPACE]).await?;
        let context = ["config", "set-context", "--current", "--namespace", NAMESPACE];
        self.shell.run("kubectl", &context).await?;
        self.shell.say(&format!("  ready after {:.1} s", began.elapsed().as_secs_f64()))?;
        Ok(self)
    }

    /// Ends everything, the operator first.
    pub(crate) async fn clear(self) {
        if let Some(operator) = self.operator {
            operator.stop().await;
        }
        self.cluster.stop().await;
    }
}

pub(crate) fn println_now(text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

/// Ports of loopback that nobody has.
fn free_ports() -> anyhow::Result<[u16; 2]> {
    // Held together, so that they differ.
    let held = [TcpListener::bind(("127.0.0.1", 0))?, TcpListener::bind(("127.0.0.1", 0))?];
    Ok([held[0].local_addr()?.port(), held[1].local_addr()?.port()])
}

/// Waits until the operator says that it is ready: what it watches is known, and the API server has the
/// authority of its certificate, so that webhooks can be called.
async fn ready(port: u16) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut last = String::new();
    while began.elapsed() < READY {
        // Nobody listens yet, at first.
        last = ask(port).await.unwrap_or(last);
        if last.starts_with("HTTP/1.1 200") {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bail!("the operator was not ready within {READY:?}; the last it said was: {last}")
}

async fn ask(port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
