//! A handle to a running cluster: how to reach it, whom to be in it, how to end it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Api, Client, Config};
use rustix::process::Signal;

use crate::assets::Binaries;
use crate::audit::AuditLog;
use crate::kubeconfig::{self, Credential};
use crate::node::namespace::{Network, Passage};
use crate::process::ProcessId;
use crate::supervisor::{self, Supervisor};
use crate::webhook_client::WebhookClient;
use crate::{Error, Options, components, runs, start};

/// Longer than any test run or benchmark.
const TOKEN_SECONDS: i64 = 24 * 3600;
/// Names a running cluster that [`Cluster::shared`] uses instead of starting one.
const SHARED: &str = "SOJOURN_CLUSTER";

/// How often a killed component is started again until it stays.
const RESTARTS: usize = 20;
/// Whether a component can have its port is known after this.
const STAYING: Duration = Duration::from_secs(1);

/// A component that is stopped where it is. Goes on when this is dropped.
#[derive(Debug)]
pub struct Frozen(Vec<ProcessId>);

impl Drop for Frozen {
    fn drop(&mut self) {
        for process in &self.0 {
            process.signal(Signal::CONT);
        }
    }
}

/// A Kubernetes control plane with pretended nodes.
///
/// The handle that [`Cluster::start`] gives owns it: the cluster ends when the handle is dropped or its
/// process ends. The handle of [`Cluster::attach`] only reaches it.
#[derive(Debug)]
pub struct Cluster {
    name: String,
    dir: PathBuf,
    kubeconfig: PathBuf,
    server: String,
    binaries: Binaries,
    supervisor: Option<Supervisor>,
    /// The way to the API server of a cluster with a real node.
    passage: Option<Passage>,
}

impl Cluster {
    /// Starts a cluster and waits until it is ready: a few seconds, or minutes when the binaries have
    /// to be built first.
    ///
    /// # Errors
    /// A build failed, or a component did not come up; the error says where its log is.
    pub async fn start(options: Options) -> Result<Self, Error> {
        start::start(&options).await
    }

    /// Reaches a running cluster by name. Dropping the handle leaves it running.
    ///
    /// # Errors
    /// None of this name is ready.
    pub async fn attach(name: &str) -> Result<Self, Error> {
        start::attach(name).await
    }

    /// The cluster that the environment variable `SOJOURN_CLUSTER` names, else a new one: so that one
    /// cluster can serve all the test binaries of a run. The options are those of a new one only.
    ///
    /// # Errors
    /// As [`Cluster::attach`] and [`Cluster::start`].
    pub async fn shared(options: Options) -> Result<Self, Error> {
        match std::env::var(SHARED) {
            Ok(name) if !name.is_empty() => Self::attach(&name).await,
            _ => Self::start(options).await,
        }
    }

    pub(crate) fn owned(
        name: String,
        dir: PathBuf,
        server: String,
        binaries: Binaries,
        supervisor: Supervisor,
        passage: Option<Passage>,
    ) -> Self {
        let kubeconfig = runs::kubeconfig(&dir);
        Self { name, dir, kubeconfig, server, binaries, supervisor: Some(supervisor), passage }
    }

    pub(crate) fn attached(name: String, dir: PathBuf, server: String, binaries: Binaries) -> Self {
        let kubeconfig = runs::kubeconfig(&dir);
        Self { name, dir, kubeconfig, server, binaries, supervisor: None, passage: None }
    }

    /// Its name, for `sojourn-cluster list` and [`Cluster::attach`].
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its folder: logs under `logs/`, gone when the cluster is.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The administrator's kubeconfig.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The address of the API server.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Where a binary of [`crate::BINARIES`] is.
    #[must_use]
    pub fn binary(&self, name: &str) -> PathBuf {
        self.binaries.path(name)
    }

    /// A new client with all rights. Clients belong to the runtime that they are made in, so each test
    /// makes its own.
    ///
    /// # Errors
    /// The kubeconfig is gone, and with it the cluster.
    pub async fn client(&self) -> Result<Client, Error> {
        client_of(&self.kubeconfig).await
    }

    /// A kubeconfig for an existing service account, with a token of a day and its rights only.
    ///
    /// # Errors
    /// There is no such service account.
    pub async fn service_account_kubeconfig(&self, namespace: &str, name: &str) -> Result<PathBuf, Error> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client().await?, namespace);
        let request = TokenRequest {
            spec: TokenRequestSpec { expiration_seconds: Some(TOKEN_SECONDS), ..Default::default() },
            ..Default::default()
        };
        let answer = accounts
            .create_token_request(name, &PostParams::default(), &request)
            .await
            .map_err(Error::api(format!("get a token for service account {namespace}/{name}")))?;
        let token = answer.status.map(|status| status.token).unwrap_or_default();
        let path = self.dir.join(format!("{namespace}.{name}.kubeconfig"));
        let ca = start::authority_pem(&self.dir)?;
        let user = format!("system:serviceaccount:{namespace}:{name}");
        kubeconfig::write(&path, &self.server, &ca, &user, &Credential::Token(&token))?;
        Ok(path)
    }

    /// The audit log of the users in [`Options::audit_users`].
    ///
    /// # Errors
    /// The cluster was started without any.
    pub fn audit(&self) -> Result<AuditLog, Error> {
        let path = components::audit_log_path(&self.dir);
        if path.is_file() { Ok(AuditLog::new(path)) } else { Err(Error::ReadAudit) }
    }

    /// As whom the API server calls webhooks.
    ///
    /// # Errors
    /// The cluster was started without [`Options::webhook_client`].
    pub fn webhook_client(&self) -> Result<WebhookClient, Error> {
        WebhookClient::read(&self.dir)
    }

    /// The process of a component, such as `kube-apiserver`: under /proc it tells what it uses.
    ///
    /// # Errors
    /// It does not run.
    pub fn process_id(&self, component: &str) -> Result<u32, Error> {
        let process = self.component(component)?;
        u32::try_from(process.pid).map_err(|_| Error::FindComponent { name: component.to_owned() })
    }

    /// Does something in the network of the cluster's real node: sockets that are opened there reach
    /// pods and Services, and can be reached by pods at [`crate::NODE_ADDRESS`], whoever uses them after.
    ///
    /// # Errors
    /// The cluster has no real node, or has ended.
    pub fn inside<T: Send>(&self, act: impl FnOnce() -> T + Send) -> Result<T, Error> {
        let lost = || Error::FindCluster { name: self.name.clone() };
        Network::of(runs::supervisor(&self.dir).ok_or_else(lost)?).inside(act)
    }

    /// Stops a component, such as `etcd`, where it is, until the answer is dropped: for tests of what hangs.
    ///
    /// # Errors
    /// It does not run.
    pub fn freeze(&self, component: &str) -> Result<Frozen, Error> {
        let process = self.component(component)?;
        // A component on the node is the child of the program that entered the node for it.
        let frozen = Frozen([vec![process], process.children()].concat());
        for process in &frozen.0 {
            process.signal(Signal::STOP);
        }
        Ok(frozen)
    }

    /// Kills a component, such as `kube-apiserver`, if it runs, and starts it again, if this handle owns the cluster.
    /// Does not wait until it answers.
    ///
    /// # Errors
    /// It does not end, or not stay.
    pub async fn crash(&self, component: &str) -> Result<(), Error> {
        let lost = || Error::FindComponent { name: component.to_owned() };
        let supervisor = self.supervisor.as_ref().ok_or_else(lost)?;
        if let Ok(process) = self.component(component) {
            process.signal(Signal::KILL);
        }
        for _ in 0..RESTARTS {
            supervisor.start_again(component)?;
            tokio::time::sleep(STAYING).await;
            // Its threads end one after the other, and the last of them frees its port.
            if self.component(component).is_ok() {
                return Ok(());
            }
        }
        Err(lost())
    }

    fn component(&self, name: &str) -> Result<ProcessId, Error> {
        let running = supervisor::process(&self.dir, name).filter(ProcessId::is_alive);
        running.ok_or_else(|| Error::FindComponent { name: name.to_owned() })
    }

    /// Ends the cluster, if this handle owns it, and waits until nothing is left.
    pub async fn stop(mut self) {
        if let Some(supervisor) = self.supervisor.take() {
            // Dropping waits; that it panics is not to be expected and would change nothing here.
            let passage = self.passage.take();
            let _ = tokio::task::spawn_blocking(move || drop((passage, supervisor))).await;
        }
    }
}

/// A client from a kubeconfig file.
pub(crate) async fn client_of(path: &Path) -> Result<Client, Error> {
    let refuse = |source| Error::ReadKubeconfig { path: path.to_path_buf(), source };
    let kubeconfig = Kubeconfig::read_from(path).map_err(refuse)?;
    let config =
        Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.map_err(refuse)?;
    Client::try_from(config).map_err(Error::api("make a client"))
}

/// The address in a kubeconfig file.
pub(crate) fn server_of(path: &Path) -> Result<String, Error> {
    let refuse = |source| Error::ReadKubeconfig { path: path.to_path_buf(), source };
    let kubeconfig = Kubeconfig::read_from(path).map_err(refuse)?;
    kubeconfig
        .clusters
        .into_iter()
        .find_map(|named| named.cluster?.server)
        .ok_or_else(|| refuse(KubeconfigError::MissingClusterUrl))
}
