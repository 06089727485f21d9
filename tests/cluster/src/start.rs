//! From options to a ready cluster. Promises: either everything runs and answers, or nothing is left
//! but the logs.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use kube::Client;

use crate::assets::{self, Binaries};
use crate::cluster::{self, Cluster};
use crate::components::{API_SERVER, ETCD, Plan, Ports, SCHEDULER};
use crate::kubeconfig::{self, Credential};
use crate::node::namespace::Passage;
use crate::node::{self, Node};
use crate::pki::{Authority, Subject};
use crate::supervisor::Supervisor;
use crate::{Error, Options, addons, paths, pki, runs, stages, webhook_client};

/// Generous: a laptop that builds something else at the same time is no reason to give up.
const LIMIT: Duration = Duration::from_secs(120);
const ATTEMPTS: u32 = 3;

/// Everyone who talks to the API server, and in which role. kwok writes as many different things as
/// kubelets do, so it is an administrator.
const CLIENTS: &[Subject] = &[
    Subject { name: "admin", group: Some("system:masters") },
    Subject { name: "system:kube-controller-manager", group: None },
    Subject { name: "system:kube-scheduler", group: None },
    Subject { name: "system:kwok", group: Some("system:masters") },
    Subject { name: "system:kube-proxy", group: None },
];
/// The kubelet shows by its name which node it is.
const KUBELET_SUBJECT: Subject = Subject { name: "system:node:node-0", group: Some("system:nodes") };

/// Starts a cluster.
pub(crate) async fn start(options: &Options) -> Result<Cluster, Error> {
    if options.node {
        node::host::ensure().await?;
    }
    let binaries = assets::ensure(options.node).await?;
    let mut attempt = 1;
    loop {
        match start_once(options, &binaries).await {
            // Between the choice of a port and its use somebody else can take it.
            Err(Error::RunComponent { tail, .. })
                if attempt < ATTEMPTS && tail.contains("address already in use") =>
            {
                attempt += 1;
            }
            result => return result,
        }
    }
}

async fn start_once(options: &Options, binaries: &Binaries) -> Result<Cluster, Error> {
    let (name, dir) = runs::create(options.name.as_deref())?;
    let plan = Plan { dir: &dir, binaries, ports: free_ports()?, options };
    let mut supervisor = Supervisor::start(&dir, options.node)?;
    match bring_up(&plan, &mut supervisor).await {
        Ok((server, passage)) => {
            Ok(Cluster::owned(name, dir.clone(), server, binaries.clone(), supervisor, passage))
        }
        Err(error) => {
            // Tells the supervisor, which ends with this function, to leave the logs.
            let _ = std::fs::write(dir.join("failed"), error.to_string());
            Err(error)
        }
    }
}

/// Returns the address of the API server once everything is ready, and the way to it.
async fn bring_up(plan: &Plan<'_>, supervisor: &mut Supervisor) -> Result<(String, Option<Passage>), Error> {
    runs::write_state(plan.dir, supervisor.id())?;
    let server = format!("https://127.0.0.1:{}", plan.ports.api_server);
    write_files(plan, &server)?;
    let node = match plan.options.node {
        true => Some(Node::begin(plan, supervisor).await?),
        false => None,
    };
    let listens = async |port| match &node {
        Some(node) => node.listens(port),
        None => tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok(),
    };

    supervisor.run(&plan.etcd())?;
    until(supervisor, &[ETCD], "etcd listens", async || listens(plan.ports.etcd).await).await?;
    supervisor.run(&plan.api_server())?;
    if let Some(node) = &node {
        node.fill_registry(plan, supervisor).await?;
    }
    let servers = [ETCD, API_SERVER];
    until(supervisor, &servers, "the API server listens", async || listens(plan.ports.api_server).await)
        .await?;
    let client = cluster::client_of(&plan.kubeconfig("admin")).await?;
    until(supervisor, &servers, "the API server is ready", async || answers(&client).await).await?;

    let beside = match &node {
        Some(node) => node.components(plan),
        None => vec![plan.controller_manager(), plan.kwok()],
    };
    let mut all = vec![ETCD, API_SERVER, SCHEDULER];
    all.extend(beside.iter().map(|component| component.name));
    for component in beside.iter().chain([&plan.scheduler()]) {
        supervisor.run(component)?;
    }
    addons::create(&client, plan.options).await?;
    until(supervisor, &all, "nodes and service accounts are there", async || {
        addons::are_ready(&client, plan.options).await
    })
    .await?;

    // The name under which others look for it appears when it can be used.
    let kubeconfig = runs::kubeconfig(plan.dir);
    std::fs::rename(plan.kubeconfig("admin"), &kubeconfig).map_err(Error::file("write", &kubeconfig))?;
    Ok((server, node.map(Node::into_passage)))
}

fn write_files(plan: &Plan<'_>, server: &str) -> Result<(), Error> {
    let authority = Authority::new()?;
    pki::write(&pki::dir(plan.dir), &authority)?;
    for subject in CLIENTS {
        let identity = authority.client(subject)?;
        let path = plan.kubeconfig(subject.name.trim_start_matches("system:"));
        let credential = Credential::Certificate(&identity);
        kubeconfig::write(&path, server, authority.pem(), subject.name, &credential)?;
    }
    if plan.options.node {
        let identity = authority.client(&KUBELET_SUBJECT)?;
        let credential = Credential::Certificate(&identity);
        let path = plan.kubeconfig(node::KUBELET);
        kubeconfig::write(&path, server, authority.pem(), KUBELET_SUBJECT.name, &credential)?;
    }
    if plan.options.webhook_client {
        webhook_client::write(plan.dir)?;
    }
    if !plan.options.audit_users.is_empty() {
        paths::write_private(&plan.audit_policy_path(), &plan.audit_policy())?;
        // Readers may come before the first entry.
        paths::write_private(&plan.audit_log_path(), "")?;
    }
    paths::write_private(&plan.stages_path(), &stages::config(plan.options.pod_start_delay))
}

/// Waits until `check` holds. A component that ends meanwhile ends the wait with its log.
pub(crate) async fn until(
    supervisor: &Supervisor,
    components: &[&'static str],
    what: &str,
    check: impl AsyncFn() -> bool,
) -> Result<(), Error> {
    let deadline = Instant::now() + LIMIT;
    while !check().await {
        if let Some(component) = components.iter().copied().find(|name| !supervisor.is_running(name)) {
            let log = supervisor.log(component);
            return Err(Error::RunComponent { component, tail: paths::tail(&log), log });
        }
        if Instant::now() > deadline {
            return Err(Error::Wait { what: what.to_owned(), seconds: LIMIT.as_secs() });
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

async fn answers(client: &Client) -> bool {
    // A list without parameters is a plain GET of the path.
    match kube::core::Request::new("/readyz").list(&kube::api::ListParams::default()) {
        Ok(request) => client.request_text(request).await.is_ok_and(|body| body == "ok"),
        Err(_) => false,
    }
}

/// Chosen at random below the range from which the kernel takes the ports of outgoing connections, so
/// that those cannot be in the way, and tried.
fn free_ports() -> Result<Ports, Error> {
    // Held until all are chosen, so that they differ.
    let mut held: Vec<(TcpListener, u16)> = Vec::new();
    for _ in 0..1000 {
        let port = rand::random_range(20_000..32_000);
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            held.push((listener, port));
        }
        if let [(_, etcd), (_, etcd_peer), (_, api_server)] = held[..] {
            return Ok(Ports { etcd, etcd_peer, api_server });
        }
    }
    Err(Error::FindPort)
}

/// A running cluster of this name, for [`Cluster::attach`].
pub(crate) async fn attach(name: &str) -> Result<Cluster, Error> {
    let lost = || Error::FindCluster { name: name.to_owned() };
    let running = runs::list()?.into_iter().find(|running| running.name == name).ok_or_else(lost)?;
    let server = cluster::server_of(&running.kubeconfig.ok_or_else(lost)?)?;
    Ok(Cluster::attached(running.name, running.dir, server, assets::ensure(false).await?))
}

/// Where the files of the authority of the cluster in `dir` are read again.
pub(crate) fn authority_pem(dir: &Path) -> Result<String, Error> {
    let path = pki::dir(dir).join(pki::CA);
    std::fs::read_to_string(&path).map_err(Error::file("read", &path))
}
