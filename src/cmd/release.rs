//! `sojourn release`: after the operator is gone, takes off everything that waits for it, and saves what would be lost.
//!
//! It leads while it does so, by the Lease of the operator: an operator would put back what is taken off.

use super::{
    connect,
    run::stop_on_signal,
    terminal::{print, printable},
};
use crate::{
    control::{
        approval_key,
        context::Context,
        lease::{Candidate, LEASE_NAME, LeaseStore, candidate::lease},
        release::{Outcome, Releaser},
    },
    core::release::leader_in_the_way,
    settings::{
        LeaseSettings, Settings,
        flags::{Flags, go_duration},
    },
    telemetry::{log, metrics::Metrics},
};
use anyhow::Context as _;
use clap::Args;
use kube::Client;
use std::{process::ExitCode, time::Duration};
use tokio_util::sync::CancellationToken;

/// Something is not released.
const HELD: u8 = 1;
/// Nothing could be done: the arguments are wrong, the cluster cannot be reached, or an operator leads.
const UNABLE: u8 = 2;

/// Arguments of `sojourn release`. Those of the operator are accepted, so that it serves the same namespaces and records
/// results as the operator would.
#[derive(Args, Debug)]
pub struct Release {
    /// How long to wait until no operator holds the Lease.
    #[arg(long, default_value = "2m", value_parser = go_duration, value_name = "DURATION")]
    wait: Duration,
    /// Context of the kubeconfig; else its current one.
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// The namespace of the operator, where its Lease is. Also: POD_NAMESPACE.
    #[arg(long, short, value_name = "NAME")]
    namespace: Option<String>,
    #[command(flatten)]
    flags: Flags,
}

/// What became of everything.
#[derive(Default)]
struct Summary {
    released: usize,
    recorded: usize,
    failed: Vec<Outcome>,
}

impl Release {
    /// Releases, prints, and says how it went: 0 when nothing is held any more, 1 when something is, 2 when nothing could
    /// be done.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let summary = match runtime.block_on(self.release()) {
            Ok(summary) => summary,
            Err(error) => {
                eprintln!("sojourn: {}", printable(&format!("{error:#}")));
                return Ok(ExitCode::from(UNABLE));
            }
        };
        print(&summary.text())?;
        Ok(ExitCode::from(if summary.failed.is_empty() { 0 } else { HELD }))
    }

    async fn release(self) -> anyhow::Result<Summary> {
        let Self { wait, context, namespace, flags } = self;
        let mut settings = Settings::read(flags, &|name| {
            let given = std::env::var(name).ok();
            match name {
                "POD_NAMESPACE" => namespace.clone().or(given),
                "RELEASE_NAMESPACE" => given.or_else(|| namespace.clone()),
                _ => given,
            }
        })?;
        log::init(&settings.log)?;
        rustls::crypto::ring::default_provider().install_default().ok();
        let config = connect::config(settings.kubeconfig.as_deref(), context.as_deref()).await?;
        let client = Client::try_from(config).context("no client for the API server")?;
        // Secrets whose adoption is on record go with sessions that are being deleted.
        settings.sessions.approval_key =
            approval_key::find(&client, &settings.namespace, &settings.approval_secret).await?;
        let stop = CancellationToken::new();
        tokio::spawn(stop_on_signal(stop.clone()));

        // An operator that does not elect is alone; this one is not, until it is known that nobody leads.
        let election = LeaseSettings { enabled: true, ..settings.lease.clone() };
        let metrics = Metrics::default();
        let candidate = Candidate::start(&election, &client, metrics.lease.clone())?;
        let context = Context {
            client: client.clone(),
            identity: candidate.identity.clone(),
            metrics: metrics.reconcile.clone(),
            leadership: candidate.leadership.clone(),
        };
        let work = async {
            lead(&context, &election, wait).await?;
            let mut summary = Summary::default();
            Releaser::new(&context, &settings).run(&mut |outcome| summary.add(outcome)).await;
            anyhow::Ok(summary)
        };
        let ended = tokio::select! {
            ended = work => ended,
            () = stop.cancelled() => Err(anyhow::anyhow!("interrupted; run it again to go on")),
        };
        candidate.hand_over().await;
        ended
    }
}

/// Waits until this process leads.
async fn lead(context: &Context, election: &LeaseSettings, wait: Duration) -> anyhow::Result<()> {
    let name = format!("{}/{LEASE_NAME}", election.namespace);
    print(&format!("acquiring the Lease {name}; operators that are gone hold it for 15 s at most\n"))?;
    let mut leadership = context.leadership.clone();
    if tokio::time::timeout(wait, leadership.acquired()).await.is_ok() {
        return Ok(());
    }
    let found = lease(election, &context.client).get().await;
    let found = found.with_context(|| format!("the Lease {name} could not be acquired within {wait:?}"))?;
    let holder = found.and_then(|lease| lease.spec?.holder_identity);
    anyhow::bail!(leader_in_the_way(&name, holder.as_deref()))
}

impl Summary {
    /// Counts an object and shows it.
    fn add(&mut self, outcome: Outcome) {
        // Who reads may have gone; the work goes on.
        print(&format!("{}\n", printable(&outcome.to_string()))).ok();
        match &outcome.result {
            Ok(done) => {
                self.released += 1;
                self.recorded += usize::from(done.recorded);
            }
            Err(_) => self.failed.push(outcome),
        }
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{} released, {} results recorded, {} failed\n",
            self.released,
            self.recorded,
            self.failed.len()
        );
        if !self.failed.is_empty() {
            text.push_str("\nStill held; run it again when the reasons are gone:\n");
        }
        for outcome in &self.failed {
            text.push_str(&format!("    {}\n", printable(&outcome.object)));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::release::Done;

    #[test]
    fn what_is_still_held_is_listed() {
        let mut summary = Summary::default();
        let recorded = Done { recorded: true, ..Done::default() };
        for (object, result) in [
            ("Job team/a", Ok(recorded)),
            ("AmaltheaSession team/b", Ok(Done::default())),
            ("Job team/c", Err("no right".to_owned())),
        ] {
            summary.add(Outcome { object: object.to_owned(), result });
        }
        let text = summary.text();
        assert!(text.starts_with("2 released, 1 results recorded, 1 failed\n"), "{text}");
        assert!(text.ends_with("    Job team/c\n"), "{text}");
        assert_eq!(Summary::default().text(), "0 released, 0 results recorded, 0 failed\n");
    }
}
