//! `sojourn sidecar`: the programs inside a session's pod, with the command lines of the original's sidecar image.

use crate::{
    settings::LogSettings,
    sidecar::{
        cloner::{clone, git, shellclone},
        gitproxy,
        proxy::{self, settings::Settings},
    },
    telemetry::log,
};
use anyhow::Context as _;
use clap::{Args, Subcommand};
use std::{io::Write, process::ExitCode};
use tokio_util::sync::CancellationToken;

/// The commands of a sidecar, by which `sojourn` knows that it is called as one.
pub(super) const COMMANDS: [&str; 4] = ["cloner", "gitproxy", "proxy", "version"];

/// Run as a container of a session's pod.
#[derive(Debug, Args)]
pub struct Sidecar {
    #[command(subcommand)]
    command: Program,
}

#[derive(Debug, Subcommand)]
enum Program {
    /// Let through to the session who may use it.
    #[command(subcommand)]
    Proxy(Proxy),
    /// Bring repositories to the session's volume.
    #[command(subcommand)]
    Cloner(Cloner),
    /// Add credentials to what git asks of the session's repositories.
    #[command(subcommand)]
    Gitproxy(Gitproxy),
    /// Print the version.
    Version,
}

#[derive(Debug, Subcommand)]
enum Gitproxy {
    /// Serve until a signal asks to end (GIT_PROXY_...).
    Proxy,
}

#[derive(Debug, Subcommand)]
enum Proxy {
    /// Serve until a signal asks to end.
    Serve(Box<proxy::settings::Flags>),
}

#[derive(Debug, Subcommand)]
enum Cloner {
    /// Clone one repository.
    Clone(Box<clone::Flags>),
    /// Clone the repositories that the environment names (GIT_CLONE_...).
    Shellclone,
    /// Answer git's and SSH's questions for credentials. They call it themselves.
    #[command(hide = true)]
    Askpass {
        /// What is asked.
        question: String,
    },
}

/// Where a node reads what a container has to say of its end: `terminationMessagePath` of our pods, which is
/// Kubernetes' default.
const TERMINATION_LOG: &str = "/dev/termination-log";

impl Sidecar {
    /// Runs the program until it ends. What it fails for is told to the node too, and comes by the pod to the status
    /// of the session.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        self.command.run().inspect_err(|error| {
            // There is none outside of a pod, and none is made.
            if let Ok(mut log) = std::fs::OpenOptions::new().write(true).truncate(true).open(TERMINATION_LOG)
            {
                // The log has it as well.
                let _ = write!(log, "{error:#}");
            }
        })
    }
}

impl Program {
    fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Proxy(Proxy::Serve(flags)) => serve_proxy(&flags).map(|()| ExitCode::SUCCESS),
            Self::Cloner(Cloner::Clone(flags)) => {
                start_log(flags.verbose)?;
                clone::clone(&flags)?;
                Ok(ExitCode::SUCCESS)
            }
            Self::Cloner(Cloner::Shellclone) => {
                start_log(false)?;
                let settings = shellclone::Settings::read(&|name| std::env::var(name).ok())?;
                on_one_thread(async |_| {
                    shellclone::clone(&settings).await;
                    Ok(())
                })?;
                Ok(ExitCode::SUCCESS)
            }
            Self::Cloner(Cloner::Askpass { question }) => {
                print!("{}", git::answer(&question, &|name| std::env::var(name).ok()));
                Ok(ExitCode::SUCCESS)
            }
            Self::Gitproxy(Gitproxy::Proxy) => {
                start_log(false)?;
                let settings = gitproxy::settings::Settings::read(&|name| std::env::var(name).ok())?;
                on_one_thread(async |stop| Ok(gitproxy::serve(settings, stop).await?))?;
                Ok(ExitCode::SUCCESS)
            }
            Self::Version => {
                println!("sidecars {}", env!("CARGO_PKG_VERSION"));
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

fn serve_proxy(flags: &proxy::settings::Flags) -> anyhow::Result<()> {
    let read = |path| std::fs::read_to_string(path).context("the file that --config names cannot be read");
    let file = flags.config.as_ref().map(read).transpose()?;
    let settings = Settings::read(flags, &|name| std::env::var(name).ok(), file.as_deref())?;
    start_log(settings.verbose)?;
    on_one_thread(async |stop| Ok(proxy::serve(settings, stop).await?))
}

fn start_log(verbose: bool) -> anyhow::Result<()> {
    let filter = if verbose { "info,sojourn=debug" } else { "info" };
    log::init(&LogSettings { filter: filter.to_owned(), json: None })?;
    Ok(())
}

/// Runs `program` until it ends, which SIGTERM asks it for. One thread is what the container's memory allows.
fn on_one_thread(program: impl AsyncFnOnce(CancellationToken) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let stop = CancellationToken::new();
        tokio::spawn(super::run::stop_on_signal(stop.clone()));
        program(stop).await
    })
}
