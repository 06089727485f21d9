//! Small helpers that every test on a cluster needs.

use std::process::Stdio;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use tokio::io::AsyncWriteExt;

use crate::{Cluster, Error};

/// How long anything is waited for before it counts as missing. What comes in time costs nothing of it, and
/// a machine that is busy with other things, or a controller that looks again after its 15 seconds only, is
/// no failure.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// What a command printed and how it ended.
#[derive(Debug, Clone)]
pub struct Output {
    /// Exit code; -1 when a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// True for exit code 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.code == 0
    }
}

/// Runs kubectl as the administrator of the cluster. Put `--kubeconfig` into `args` to be somebody
/// else: the last one counts.
///
/// # Errors
/// kubectl could not be run. That it refuses is no error but an [`Output`].
pub async fn kubectl(cluster: &Cluster, args: &[&str], stdin: Option<&str>) -> Result<Output, Error> {
    let fail = |source| Error::Spawn { program: "kubectl".into(), source };
    let mut child = tokio::process::Command::new(cluster.binary("kubectl"))
        .env("KUBECONFIG", cluster.kubeconfig())
        // Its discovery cache would be shared by clusters that come to use the same port.
        .env("KUBECACHEDIR", cluster.dir().join("kubectl-cache"))
        .args(args)
        .stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(fail)?;
    if let (Some(text), Some(mut pipe)) = (stdin, child.stdin.take()) {
        pipe.write_all(text.as_bytes()).await.map_err(fail)?;
    }
    let output = child.wait_with_output().await.map_err(fail)?;
    Ok(Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Makes a namespace of its own for a test, and waits until pods can be created in it.
///
/// # Errors
/// The API server refused, or the service account controller does not work.
pub async fn test_namespace(client: &Client, prefix: &str) -> Result<String, Error> {
    let name = format!("{prefix}-{:08x}", rand::random::<u32>());
    let namespace = Namespace {
        metadata: ObjectMeta { name: Some(name.clone()), ..Default::default() },
        ..Default::default()
    };
    let namespaces: Api<Namespace> = Api::all(client.clone());
    namespaces
        .create(&PostParams::default(), &namespace)
        .await
        .map_err(Error::api(format!("create namespace {name}")))?;
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), &name);
    eventually(&format!("namespace {name} has its service account"), async || {
        matches!(accounts.get_opt("default").await, Ok(Some(_)))
    })
    .await?;
    Ok(name)
}

/// Waits until `check` holds.
///
/// # Errors
/// It did not within [`PATIENCE`]; the error names `what`.
pub async fn eventually(what: &str, check: impl AsyncFn() -> bool) -> Result<(), Error> {
    let deadline = Instant::now() + PATIENCE;
    while !check().await {
        if Instant::now() > deadline {
            return Err(Error::Wait { what: what.to_owned(), seconds: PATIENCE.as_secs() });
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}
