//! The operator as a process of its own, under its service account, and what it costs.

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use sojourn_cluster::{Cluster, eventually};
use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    process::{self, Usage},
    together,
};

const NAMESPACE: &str = "sojourn-system";
const ACCOUNT: &str = "sojourn";
/// The operator, as the API server knows it.
pub(crate) const USER: &str = "system:serviceaccount:sojourn-system:sojourn";

/// How long an operator may take to be ready or to end.
const PATIENCE: Duration = Duration::from_secs(60);
/// An operator that used no more CPU than this in that time has nothing to do.
const QUIET: (f64, Duration) = (0.05, Duration::from_secs(5));
/// By then one is quiet that has the volumes of 5,000 sessions bound meanwhile.
const UNTIL_QUIET: Duration = Duration::from_secs(900);

/// A running operator. It ends when this is dropped.
pub(crate) struct Operator {
    process: Child,
    command: Command,
    log: PathBuf,
    webhooks: SocketAddr,
    health: SocketAddr,
}

impl Operator {
    /// Starts the operator that lies beside this binary.
    pub(crate) async fn start(cluster: &Cluster) -> anyhow::Result<Self> {
        Self::start_with(cluster, &[], &[]).await
    }

    /// The same with more arguments, and variables in its environment.
    pub(crate) async fn start_with(
        cluster: &Cluster,
        more: &[&str],
        variables: &[(&str, String)],
    ) -> anyhow::Result<Self> {
        let binary = std::env::current_exe()?.with_file_name("sojourn");
        ensure!(binary.is_file(), "{} is missing: build it, or use `make bench`", binary.display());
        let [port, health] = [free_port()?, free_port()?];
        let url = format!("https://127.0.0.1:{port}");
        install(cluster, &url).await?;
        let kubeconfig = cluster.service_account_kubeconfig(NAMESPACE, ACCOUNT).await?;
        let log = cluster.dir().join("logs/operator.log");
        let output = fs::File::create(&log)?;
        let mut command = Command::new(&binary);
        command
            .arg("run")
            .arg(format!("--kubeconfig={}", kubeconfig.display()))
            .arg(format!("--webhook-bind-address=127.0.0.1:{port}"))
            .arg(format!("--webhook-url={url}"))
            // The pods that kwok plays have addresses that nobody has, so no proxy is to be asked there.
            .args(["--leader-elect", "--ask-proxies=false"])
            .arg(format!("--health-probe-bind-address=127.0.0.1:{health}"))
            .args(more)
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .env("POD_NAMESPACE", NAMESPACE)
            .env("POD_NAME", "sojourn-0")
            .env("SERVICE_ACCOUNT", ACCOUNT)
            .env("CLUSTER_SCOPED", "true")
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        let process = command.spawn().with_context(|| format!("cannot start {}", binary.display()))?;
        let [webhooks, health] = [port, health].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let operator = Self { process, command, log, webhooks, health };
        operator.is_published(cluster).await.with_context(|| {
            format!("the operator said: {}", fs::read_to_string(&operator.log).unwrap_or_default())
        })?;
        Ok(operator)
    }

    /// Waits until the webhooks refuse what they should, so that everything before that is at work too.
    async fn is_published(&self, cluster: &Cluster) -> anyhow::Result<()> {
        let mut bad = crate::fixture::small_session("bad");
        bad["spec"]["session"]["storage"]["size"] = "0".into();
        let bad = bad.to_string();
        eventually("the operator's webhooks answer", async || {
            let created =
                sojourn_cluster::kubectl(cluster, &["create", "--dry-run=server", "-f", "-"], Some(&bad));
            created.await.is_ok_and(|output| !output.success() && output.stderr.contains("storage.size"))
        })
        .await?;
        Ok(())
    }

    /// Ends it as a rollout does, and starts it again. Tells how long it took to be ready.
    pub(crate) async fn restart(&mut self) -> anyhow::Result<Duration> {
        kill_process(Pid::from_child(&self.process), Signal::TERM)?;
        let ending = Instant::now();
        while self.process.try_wait()?.is_none() {
            ensure!(ending.elapsed() < PATIENCE, "the operator does not end");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let started = Instant::now();
        self.process = self.command.spawn()?;
        while !is_ready(self.health).await.unwrap_or_default() {
            ensure!(started.elapsed() < PATIENCE, "the operator does not become ready");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(started.elapsed())
    }

    /// Waits until it has nothing to do.
    pub(crate) async fn until_quiet(&self) -> anyhow::Result<()> {
        let (least, time) = QUIET;
        let (from, mut before) = (Instant::now(), self.usage()?.cpu);
        while from.elapsed() < UNTIL_QUIET {
            tokio::time::sleep(time).await;
            let now = self.usage()?.cpu;
            if now - before <= least {
                return Ok(());
            }
            before = now;
        }
        bail!("the operator does not come to rest")
    }

    /// Where its webhooks are served.
    pub(crate) fn webhooks(&self) -> SocketAddr {
        self.webhooks
    }

    /// What the operator has used so far.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        process::usage(self.process.id())
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        // It ends with the cluster anyway; that it has ended already is fine.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Installs the chart without a Deployment: the operator runs beside the cluster, at `url`, with the chart's rights.
async fn install(cluster: &Cluster, url: &str) -> anyhow::Result<()> {
    let home = cluster.dir().join("helm");
    let chart = concat!(env!("CARGO_MANIFEST_DIR"), "/../../charts/sojourn");
    let installed = tokio::process::Command::new(cluster.binary("helm"))
        .args(["install", ACCOUNT, chart, "--namespace", NAMESPACE, "--create-namespace"])
        .args(["--set", "clusterScoped=true,replicas=0", "--set", &format!("webhooks.url={url}")])
        .env("KUBECONFIG", cluster.kubeconfig())
        .env("HELM_CACHE_HOME", home.join("cache"))
        .env("HELM_CONFIG_HOME", home.join("config"))
        .env("HELM_DATA_HOME", home.join("data"))
        .output()
        .await?;
    ensure!(installed.status.success(), "helm: {}", String::from_utf8_lossy(&installed.stderr));
    together::crds_are_served(cluster).await
}

async fn is_ready(health: SocketAddr) -> anyhow::Result<bool> {
    let mut stream = TcpStream::connect(health).await?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: operator\r\nconnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer.starts_with("HTTP/1.1 200 "))
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
