//! `sojourn doctor`: whether an installation is one that a cluster can rely on, and what to do where it is not.
//!
//! [`ask`] reads, [`judge`] decides without asking anybody, and this file prints. Nothing is changed: the two
//! sessions that are created are created by dry run.

mod ask;
mod certificate;
mod facts;
mod judge;

use super::{
    connect::Cluster,
    terminal::{print, printable},
};
use anyhow::Context as _;
use clap::{Args, ValueEnum};
use facts::Facts;
use judge::{Health, Level};
use serde_json::json;
use std::process::ExitCode;

/// Something fails, or `--strict` and something is warned about.
const ILL: u8 = 1;
/// The cluster could not be asked.
const UNREACHABLE: u8 = 2;

/// Arguments of `sojourn doctor`.
#[derive(Args, Debug)]
pub struct Doctor {
    #[command(flatten)]
    cluster: Cluster,
    /// Name of the webhook configurations, where there are several installations; by default all are looked at.
    #[arg(long, value_name = "NAME")]
    webhook_configuration: Option<String>,
    /// Where two sessions are created by dry run; it must be a namespace that is guarded. By default the first that an
    /// installation names, or `default`.
    #[arg(long, value_name = "NAME")]
    trial_namespace: Option<String>,
    /// Fail on warnings too.
    #[arg(long)]
    strict: bool,
    /// How the result is written.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Output,
}

/// How the result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// One check a line, with the way out below it.
    Text,
    /// An object with all checks.
    Json,
}

impl Doctor {
    /// Examines, prints, and says how it went: 0 when nothing fails, 1 when something does, 2 when the cluster could
    /// not be asked.
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let facts = match runtime.block_on(self.examine()) {
            Ok(facts) => facts,
            Err(error) => {
                eprintln!("sojourn: {}", printable(&format!("{error:#}")));
                return Ok(ExitCode::from(UNREACHABLE));
            }
        };
        let checks = judge::judge(&facts);
        let emergency = emergency(&facts);
        match self.output {
            Output::Text => print(&text(&checks, &emergency))?,
            Output::Json => print(&(serde_json::to_string_pretty(&object(&checks, &emergency))? + "\n"))?,
        }
        let worst = checks.iter().map(|check| check.level).max().unwrap_or(Level::Ok);
        let ill = worst == Level::Fail || (self.strict && worst == Level::Warn);
        Ok(ExitCode::from(if ill { ILL } else { 0 }))
    }

    async fn examine(&self) -> anyhow::Result<Facts> {
        let (client, _) = self.cluster.connect().await?;
        let asked = ask::Questions {
            client,
            configuration: self.webhook_configuration.as_deref(),
            trial_namespace: self.trial_namespace.as_deref(),
        };
        asked.ask().await.context("the cluster cannot be asked")
    }
}

/// The commands that let the cluster go on without webhooks.
fn emergency(facts: &Facts) -> Vec<String> {
    facts
        .installations
        .iter()
        .map(|installation| {
            format!(
                "kubectl delete validatingwebhookconfiguration,mutatingwebhookconfiguration {}",
                installation.name
            )
        })
        .collect()
}

fn text(checks: &[Health], emergency: &[String]) -> String {
    let mut out = String::new();
    for check in checks {
        let line = format!("{:<4}  {}: {}", check.level.as_str(), check.name, check.message);
        out.push_str(&printable(&line));
        out.push('\n');
        if let Some(way_out) = &check.way_out {
            out.push_str(&format!("      {}\n", printable(way_out)));
        }
    }
    let count = |level| checks.iter().filter(|check| check.level == level).count();
    out.push_str(&format!(
        "{} ok, {} to look at, {} failed\n",
        count(Level::Ok),
        count(Level::Warn),
        count(Level::Fail)
    ));
    if !emergency.is_empty() {
        out.push_str("\nShould the webhooks hold the cluster up, this lets it go on without them:\n");
        for command in emergency {
            out.push_str(&format!("    {}\n", printable(command)));
        }
        out.push_str(
            "What gets in meanwhile is judged when it is reconciled. helm upgrade brings them back.\n",
        );
    }
    out
}

fn object(checks: &[Health], emergency: &[String]) -> serde_json::Value {
    let check = |check: &Health| {
        json!({
            "name": check.name,
            "level": check.level.as_str(),
            "message": check.message,
            "wayOut": check.way_out,
        })
    };
    json!({"checks": checks.iter().map(check).collect::<Vec<_>>(), "emergency": emergency})
}
