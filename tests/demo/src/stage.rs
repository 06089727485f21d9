//! Sets the stage: a cluster, the chart, the operator.

use crate::{operator::Operator, shell::Shell};
use anyhow::{Context, bail};
use serde_json::Value;
use sojourn_cluster::{Cluster, Options};
use std::time::{Duration, Instant};

/// Release and namespace of the chart.
const RELEASE: (&str, &str) = ("sojourn", "sojourn-system");
/// Where the sessions of the demo are.
const NAMESPACE: &str = "demo";
/// How long the operator may take to be ready.
const READY: Duration = Duration::from_secs(30);

/// All that runs.
pub(crate) struct Stage {
    pub(crate) operator: Operator,
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
    let port = free_port()?;
    let url = format!("webhooks.url=https://127.0.0.1:{port}");
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
    let mut operator = Operator::start(&deployment, &kubeconfig, port, cluster.dir())?;
    let ready = tokio::select! {
        ready = published(&shell) => ready,
        error = operator.ended() => Err(error),
    };
    if let Err(error) = ready {
        operator.show_log(&shell)?;
        operator.stop().await;
        return Err(error);
    }
    shell.run("kubectl", &["create", "namespace", NAMESPACE]).await?;
    let context = ["config", "set-context", "--current", "--namespace", NAMESPACE];
    shell.run("kubectl", &context).await?;
    shell.say(&format!("  ready after {:.1} s", began.elapsed().as_secs_f64()))?;
    Ok(Stage { operator, shell, cluster })
}

impl Stage {
    /// Ends everything, the operator first.
    pub(crate) async fn clear(self) {
        self.operator.stop().await;
        self.cluster.stop().await;
    }
}

fn println_now(text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

/// A port of loopback that nobody has.
fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// Waits until the API server has the operator's certificate authority, so that it can call the webhooks.
async fn published(shell: &Shell) -> anyhow::Result<()> {
    let kinds = "validatingwebhookconfigurations,mutatingwebhookconfigurations";
    let began = Instant::now();
    while began.elapsed() < READY {
        let found = shell.quietly("kubectl", &["get", kinds, "-o", "json"]).await?;
        let found: Value = serde_json::from_str(&found.text).unwrap_or_default();
        let items = found["items"].as_array().cloned().unwrap_or_default();
        let webhooks: Vec<&Value> =
            items.iter().flat_map(|item| item["webhooks"].as_array().into_iter().flatten()).collect();
        if items.len() == 2 && webhooks.iter().all(|webhook| webhook["clientConfig"]["caBundle"].is_string())
        {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!("the operator did not publish its certificate authority within {READY:?}")
}
