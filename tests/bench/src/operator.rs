//! The operator as a process of its own, under its service account, and what it costs.

use anyhow::{Context, ensure};
use sojourn_cluster::{Cluster, eventually};
use std::{
    fs,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::together::run_kubectl;

const NAMESPACE: &str = "sojourn-system";
const ACCOUNT: &str = "sojourn";
/// The operator, as the API server knows it.
pub(crate) const USER: &str = "system:serviceaccount:sojourn-system:sojourn";

/// A running operator. It ends when this is dropped.
pub(crate) struct Operator {
    process: Child,
    log: PathBuf,
}

/// What a process uses.
#[derive(Clone, Copy)]
pub(crate) struct Usage {
    /// CPU seconds since its start.
    pub(crate) cpu: f64,
    /// Resident memory in MiB.
    pub(crate) resident: f64,
    /// The most resident memory so far, in MiB.
    pub(crate) peak: f64,
}

impl Operator {
    /// Starts the operator that lies beside this binary.
    pub(crate) async fn start(cluster: &Cluster) -> anyhow::Result<Self> {
        let binary = std::env::current_exe()?.with_file_name("sojourn");
        ensure!(binary.is_file(), "{} is missing: build it, or use `make bench`", binary.display());
        grant(cluster).await?;
        let kubeconfig = cluster.service_account_kubeconfig(NAMESPACE, ACCOUNT).await?;
        let port = free_port()?;
        let log = cluster.dir().join("logs/operator.log");
        let output = fs::File::create(&log)?;
        let process = Command::new(&binary)
            .arg("run")
            .arg(format!("--kubeconfig={}", kubeconfig.display()))
            .arg(format!("--webhook-bind-address=127.0.0.1:{port}"))
            .arg(format!("--webhook-url=https://127.0.0.1:{port}"))
            .args(["--install-webhooks", "--leader-elect", "--health-probe-bind-address=0"])
            .env("POD_NAMESPACE", NAMESPACE)
            .env("SERVICE_ACCOUNT", ACCOUNT)
            .env("CLUSTER_SCOPED", "true")
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let operator = Self { process, log };
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
        eventually("the operator's webhooks answer", Duration::from_secs(30), async || {
            let created =
                sojourn_cluster::kubectl(cluster, &["create", "--dry-run=server", "-f", "-"], Some(&bad));
            created.await.is_ok_and(|output| !output.success() && output.stderr.contains("storage.size"))
        })
        .await?;
        Ok(())
    }

    /// What the operator has used so far.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        let of = |file: &str| {
            let path = format!("/proc/{}/{file}", self.process.id());
            fs::read_to_string(&path).with_context(|| format!("cannot read {path}: has the operator ended?"))
        };
        let stat = of("stat")?;
        // The second field is a name in parentheses, which may hold spaces.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
        let cpu = ticks(11).zip(ticks(12)).context("/proc tells no CPU time")?;
        let status = of("status")?;
        let memory = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
            let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<f64>().ok());
            kib.map(|kib| kib / 1024.0).with_context(|| format!("/proc tells no {key}"))
        };
        Ok(Usage {
            cpu: (cpu.0 + cpu.1) / rustix::param::clock_ticks_per_second() as f64,
            resident: memory("VmRSS")?,
            peak: memory("VmHWM")?,
        })
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        // It ends with the cluster anyway; that it has ended already is fine.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// The rights that the operator works with.
async fn grant(cluster: &Cluster) -> anyhow::Result<()> {
    run_kubectl(cluster, &["create", "namespace", NAMESPACE], None).await?;
    run_kubectl(cluster, &["create", "serviceaccount", ACCOUNT, "-n", NAMESPACE], None).await?;
    let subject = format!("--serviceaccount={NAMESPACE}:{ACCOUNT}");
    let binding =
        ["create", "clusterrolebinding", "sojourn", "--clusterrole=cluster-admin", subject.as_str()];
    run_kubectl(cluster, &binding, None).await
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
