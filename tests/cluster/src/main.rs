//! `sojourn-cluster`: a Kubernetes control plane on this machine, for as long as you need it.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand};
use sojourn_cluster::{Cluster, Image, Options};
use tokio::signal::unix::{SignalKind, signal};

/// The name of a cluster that is not given one.
const DEFAULT_NAME: &str = "default";

#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Build the binaries, where that is still to be done, and say where they are
    Build {
        /// What a real node needs too
        #[arg(long)]
        node: bool,
    },
    /// Start a cluster and stay until Ctrl-C, or until the process that called ends
    Up(Up),
    /// Stop a cluster
    Down {
        /// Which one
        #[arg(long, default_value = DEFAULT_NAME)]
        name: String,
    },
    /// Show the clusters that run
    List,
}

#[derive(Args)]
struct Up {
    /// Number of pretended nodes
    #[arg(long, default_value_t = 10)]
    nodes: u32,
    /// One real node, with kubelet and containerd, in place of pretended ones (needs root)
    #[arg(long)]
    node: bool,
    /// An image for pods of a real node: one program, with the libraries that it needs
    #[arg(long = "image", value_name = "NAME=PROGRAM", value_parser = parse_image, requires = "node")]
    images: Vec<Image>,
    /// How long pods take to start, such as 500ms, 1s or 1m30s
    #[arg(long, default_value = "0s", value_parser = parse_duration)]
    pod_start_delay: Duration,
    /// A Kubernetes feature gate, such as MutatingAdmissionPolicy=true
    #[arg(long = "feature-gate", value_name = "GATE=BOOL", value_parser = parse_gate)]
    feature_gates: Vec<(String, bool)>,
    /// A user whose requests go to the audit log
    #[arg(long = "audit-user", value_name = "USER")]
    audit_users: Vec<String>,
    /// Raise the limits of the controllers, for benchmarks
    #[arg(long)]
    fast_controllers: bool,
    /// A further flag for kube-apiserver
    #[arg(long = "api-server-arg", value_name = "FLAG", allow_hyphen_values = true)]
    api_server_args: Vec<String>,
    /// Name of the cluster
    #[arg(long, default_value = DEFAULT_NAME)]
    name: String,
    /// Return when it is ready and leave it running until `down`
    #[arg(long)]
    detach: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The sentence with its causes, without a backtrace. Nobody to tell changes nothing.
            let _ = writeln!(std::io::stderr(), "sojourn-cluster: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(action: Action) -> anyhow::Result<()> {
    match action {
        Action::Build { node } => {
            let built = match node {
                true => sojourn_cluster::build_all_with_node().await?,
                false => sojourn_cluster::build_all().await?,
            };
            for (name, path) in built {
                say(&format!("{name}\t{}", path.display()))?;
            }
            Ok(())
        }
        Action::Up(up) if up.detach => detach(&up).await,
        Action::Up(up) => stay(up).await,
        Action::Down { name } => Ok(sojourn_cluster::stop_named(&name)?),
        Action::List => {
            for cluster in sojourn_cluster::list()? {
                let kubeconfig =
                    cluster.kubeconfig.map_or("(starting)".into(), |path| path.display().to_string());
                say(&format!("{}\t{}\t{kubeconfig}", cluster.name, cluster.owner))?;
            }
            Ok(())
        }
    }
}

async fn stay(up: Up) -> anyhow::Result<()> {
    let options = Options {
        nodes: up.nodes,
        node: up.node,
        images: up.images,
        pod_start_delay: up.pod_start_delay,
        feature_gates: up.feature_gates,
        audit_users: up.audit_users,
        fast_controllers: up.fast_controllers,
        api_server_args: up.api_server_args,
        name: Some(up.name),
        ..Options::default()
    };
    // Asked for before anything runs, so that a signal during the start ends in order too.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let ended = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
            () = orphaned() => {}
        }
    };
    tokio::pin!(ended);
    let cluster = tokio::select! {
        cluster = Cluster::start(options) => cluster?,
        () = &mut ended => return Ok(()),
    };
    say(&format!("export KUBECONFIG={}", cluster.kubeconfig().display()))?;
    ended.await;
    cluster.stop().await;
    Ok(())
}

/// Returns when the process that called this one has ended: a script that was killed leaves nothing.
async fn orphaned() {
    // Says so that it is left to itself on purpose.
    if std::env::var_os(DETACHED).is_some() {
        return std::future::pending().await;
    }
    let parent = std::os::unix::process::parent_id();
    while std::os::unix::process::parent_id() == parent {
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

const DETACHED: &str = "SOJOURN_CLUSTER_DETACHED";

/// Starts this same command in the background and waits until the cluster is ready.
async fn detach(up: &Up) -> anyhow::Result<()> {
    let arguments = std::env::args_os().skip(1).filter(|argument| argument != "--detach");
    let mut child = Command::new(std::env::current_exe()?)
        .args(arguments)
        .env(DETACHED, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .context("could not start the background process")?;
    loop {
        if let Some(status) = child.try_wait()? {
            let mut text = String::new();
            if let Some(mut stderr) = child.stderr.take() {
                std::io::Read::read_to_string(&mut stderr, &mut text)?;
            }
            bail!("the cluster did not start ({status})\n{text}");
        }
        let pid = i32::try_from(child.id())?;
        let ready = sojourn_cluster::list()?.into_iter().find(|it| it.name == up.name && it.owner == pid);
        if let Some(kubeconfig) = ready.and_then(|it| it.kubeconfig) {
            return say(&format!("export KUBECONFIG={}", kubeconfig.display()));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Prints a line; a closed pipe is an error and not a panic.
fn say(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

fn parse_gate(text: &str) -> Result<(String, bool), String> {
    let (gate, value) = text.split_once('=').ok_or("expected GATE=true or GATE=false")?;
    Ok((gate.to_owned(), value.parse().map_err(|_| format!("`{value}` is neither true nor false"))?))
}

fn parse_image(text: &str) -> Result<Image, String> {
    let (name, program) = text.split_once('=').ok_or("expected the name of the image, `=` and a program")?;
    let program = std::fs::canonicalize(program).map_err(|error| format!("{program}: {error}"))?;
    let file = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let path = format!("/{file}");
    Ok(Image::new(name).file(&path, &program).setting("Entrypoint", serde_json::json!([path])))
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration = text.parse().map_err(|error| format!("{error}"))?;
    Duration::try_from(span).map_err(|_| "a delay cannot be negative".into())
}
