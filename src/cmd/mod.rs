//! The commands of the binary, one file each.

pub mod check;
pub mod connect;
pub mod doctor;
pub mod explain;
pub mod generate;
pub mod plan;
pub mod release;
pub mod run;
pub mod sidecar;
mod terminal;
mod topics;

use crate::{
    settings::flags::{Flags, normalise},
    sidecar::cloner::git::ASKPASS,
};
use clap::{CommandFactory, Parser, Subcommand};
use std::{ffi::OsString, path::Path, process::ExitCode};

/// User sessions on Kubernetes, guarded at the door.
#[derive(Debug, Parser)]
#[command(name = "sojourn", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the webhooks and run the reconcilers.
    Run(Box<Flags>),
    /// Check manifests as the cluster would, without a cluster. Exit code 0: nothing is denied; 1: something is;
    /// 2: an input could not be read.
    Check(check::Check),
    /// Show what would be done for the sessions of a manifest, and why; nothing is written. Exit codes as of check.
    Plan(plan::Show),
    /// Examine an installation: configurations, certificate, endpoints, leader, CRDs, rights, and two dry runs. Exit
    /// code 0: nothing fails; 1: something does; 2: the cluster could not be asked.
    Doctor(doctor::Doctor),
    /// Take off what waits for an operator that is gone, so that sessions and namespaces can be deleted; results that
    /// would be lost are recorded. Exit code 0: nothing is held any more; 1: something is; 2: nothing could be done.
    Release(Box<release::Release>),
    /// Say what a code of a finding means, with examples.
    Explain(explain::Explain),
    /// Write the files that are generated from the code: CRDs, webhook configurations, RBAC.
    Generate(generate::Generate),
    /// Run as a container of a session's pod, with the command lines of the original's sidecar image.
    Sidecar(sidecar::Sidecar),
}

/// Runs the command that `args` asks for.
///
/// Under the name `manager`, as the original's image calls it, and when the first argument is a flag of the
/// operator, the command is `run`. Under the name `sidecars`, and when the first argument is a command of the
/// original's sidecar image, whose pods name no program, it is `sidecar`.
pub fn main(args: impl IntoIterator<Item = OsString>) -> anyhow::Result<ExitCode> {
    let args = normalise(&Cli::command(), with_command(args.into_iter().collect()));
    match Cli::parse_from(args).command {
        Command::Run(flags) => run::run(*flags).map(|()| ExitCode::SUCCESS),
        Command::Check(check) => check.run(),
        Command::Plan(plan) => plan.run(),
        Command::Doctor(doctor) => doctor.run(),
        Command::Release(release) => release.run(),
        Command::Explain(explain) => explain.run(),
        Command::Generate(generate) => generate.run().map(|()| ExitCode::SUCCESS),
        Command::Sidecar(sidecar) => sidecar.run(),
    }
}

fn with_command(mut args: Vec<OsString>) -> Vec<OsString> {
    let program = args.first().map(Path::new).and_then(Path::file_name).map(|name| name.to_string_lossy());
    let called = |name: &str| program.as_deref() == Some(name);
    let first = args.get(1).map(|arg| arg.to_string_lossy());
    let flag = |arg: &str| arg.starts_with('-') && !["-h", "--help", "-V", "--version"].contains(&arg);
    let command =
        if called("sidecars") || first.as_deref().is_some_and(|arg| sidecar::COMMANDS.contains(&arg)) {
            Some("sidecar")
        } else if called("manager") || first.as_deref().is_some_and(flag) {
            Some("run")
        } else {
            None
        };
    if called(ASKPASS) {
        // Whatever is asked is one argument, even if it looks like a flag.
        let words = ["sidecar", "cloner", "askpass", "--"].map(OsString::from);
        args.splice(1..1, words);
        return args;
    }
    if let Some(command) = command {
        args.insert(1, command.into());
    }
    args
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(&["/manager", "--leader-elect"], "run")]
    #[case(&["sojourn", "-leader-elect"], "run")]
    #[case(&["/sidecars", "proxy", "serve"], "sidecar")]
    #[case(&["/sidecars", "--help"], "sidecar")]
    #[case(&["/sojourn", "proxy", "serve"], "sidecar")]
    #[case(&["/tmp/x/sojourn-askpass", "-v"], "sidecar")]
    #[case(&["sojourn", "check", "proxy"], "check")]
    #[case(&["sojourn", "--help"], "--help")]
    fn the_name_and_the_first_argument_choose_the_command(#[case] args: &[&str], #[case] expected: &str) {
        let args = with_command(args.iter().map(OsString::from).collect());
        assert_eq!(args[1], expected);
    }
}
