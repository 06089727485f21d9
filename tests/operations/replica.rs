//! One operator, as the chart's Deployment would run it in a pod.

use sojourn_cluster::PATIENCE;
use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// An operator that ends with the test.
pub(crate) struct Replica {
    pub(crate) child: Child,
    pub(crate) webhooks: u16,
    pub(crate) health: u16,
    pub(crate) log: PathBuf,
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Replica {
    /// Starts one for all namespaces, called at `url`, with the rights of `kubeconfig` and `variables` in its
    /// environment. It logs to a file of its name.
    pub(crate) fn start(
        name: &str,
        kubeconfig: &Path,
        url: &str,
        folder: &Path,
        more: &[&str],
        variables: &[(&str, String)],
    ) -> Self {
        let (webhooks, health) = (free_port(), free_port());
        let log = folder.join(format!("{name}.log"));
        let file = File::create(&log).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_sojourn"))
            .args(["run", "--leader-elect", "--metrics-secure=false"])
            .args(["--webhook-configuration=sojourn", "--webhook-secret=sojourn-webhook"])
            .args([
                format!("--webhook-bind-address=127.0.0.1:{webhooks}"),
                format!("--health-probe-bind-address=127.0.0.1:{health}"),
                format!("--metrics-bind-address=127.0.0.1:{health}"),
                format!("--webhook-url={url}"),
            ])
            .args(more)
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .env_clear()
            .envs([
                ("POD_NAME", name),
                ("POD_NAMESPACE", "sojourn-system"),
                ("SERVICE_ACCOUNT", "sojourn"),
                ("CLUSTER_SCOPED", "true"),
            ])
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        Self { child, webhooks, health, log }
    }

    /// Asks it to end, as a kubelet does.
    pub(crate) fn terminate(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    /// Waits until it has ended, and says whether it did so by itself and well.
    pub(crate) async fn ended(&mut self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.success();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        false
    }
}

/// The answer of a page at a port of loopback: status and body. `None` when nobody answers.
pub(crate) async fn page(port: u16, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await.ok()?;
    let status = text.split(' ').nth(1)?.parse().ok()?;
    let body = text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
    Some((status, body))
}
