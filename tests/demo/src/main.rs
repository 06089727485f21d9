//! `make demo`: Sojourn at work on a local cluster, narrated step by step.
//!
//! Each step says what it is about to show, the command, and what the command printed, and fails the demo when
//! that is not what was told. Everything that was started ends with it, however it ends.

mod node;
mod operator;
mod shell;
mod stage;
mod story;

use clap::Parser;
use shell::Shell;
use std::{io::Write, process::ExitCode};
use tokio::signal::unix::{SignalKind, signal};

/// Shows Sojourn at work on a local cluster.
#[derive(Parser)]
struct Demo {
    /// End when all is shown, instead of staying until Ctrl-C.
    #[arg(long)]
    once: bool,
    /// On a real node, where sessions are processes and the operator runs in its pods. Needs root.
    #[arg(long)]
    node: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Demo::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody to tell changes nothing.
            let _ = writeln!(std::io::stderr(), "\nThe demo failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(demo: &Demo) -> anyhow::Result<()> {
    // Asked for before anything runs, so that a signal during the start ends in order too.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let asked_to_end = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    };
    tokio::pin!(asked_to_end);

    let set = async { if demo.node { node::set().await } else { stage::set().await } };
    let setting = tokio::select! {
        stage = set => stage,
        () = &mut asked_to_end => anyhow::bail!("interrupted"),
    };
    let mut stage = setting?;
    let told = tokio::select! {
        told = story::tell(&stage.shell, demo.node) => told,
        () = &mut asked_to_end => Err(anyhow::anyhow!("interrupted")),
        error = ended(&mut stage.operator) => Err(error),
    };
    if told.is_err() {
        match &stage.operator {
            Some(operator) => operator.show_log(&stage.shell)?,
            None => node::show_log(&stage.shell).await?,
        }
    } else if !demo.once {
        invite(&stage)?;
        tokio::select! {
            () = &mut asked_to_end => {}
            error = ended(&mut stage.operator) => stage.shell.say(&format!("{error:#}"))?,
        }
    }
    stage.shell.say("\nStopping the operator and the cluster.")?;
    stage.clear().await;
    told
}

/// Returns when an operator that runs beside the cluster has ended, which it should not.
async fn ended(operator: &mut Option<operator::Operator>) -> anyhow::Error {
    match operator {
        Some(operator) => operator.ended().await,
        None => std::future::pending().await,
    }
}

fn invite(stage: &stage::Stage) -> anyhow::Result<()> {
    let shell: &Shell = &stage.shell;
    shell.title("Your turn, in another terminal (Ctrl-C here ends it all)")?;
    let tools = shell.tools();
    let mut lines = vec![
        format!("export KUBECONFIG={}", stage.cluster.kubeconfig().display()),
        format!("export PATH=\"$PATH:{}\"", tools.display()),
        "kubectl get ams -w".to_owned(),
        "kubectl edit ams interactive".to_owned(),
    ];
    match &stage.operator {
        Some(operator) => lines.extend([
            format!("curl {}/metrics", operator.pages()),
            format!("tail -f {}", operator.log().display()),
        ]),
        None => lines.extend(node::INVITATION.map(str::to_owned)),
    }
    for line in lines {
        shell.say(&format!("    {line}"))?;
    }
    Ok(())
}
