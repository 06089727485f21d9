//! Leader election by a Lease: one replica writes.
//!
//! The decisions are in [`elector`]; here are the requests, each with a deadline, and the [`Leadership`] that writers
//! check. Leadership ends before the Lease can expire, whatever the requests do. Losing the Lease ends leadership and
//! not the process, which becomes a candidate again.

pub mod candidate;
pub mod elector;
#[cfg(test)]
mod simulation;

pub use candidate::Candidate;

use crate::telemetry::metrics::LeaseMetrics;
use arc_swap::ArcSwapOption;
use elector::{Elector, Step, Timing};
use futures::{Stream, StreamExt};
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::{
    Api,
    api::PostParams,
    runtime::{WatchStreamExt, watcher},
};
use std::{
    future::Future,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

/// The Lease of the original, so that both exclude each other while one replaces the other.
pub const LEASE_NAME: &str = "d2dc1fe0.amalthea.dev";

/// Time for the last write, which releases the Lease.
const RELEASE: Duration = Duration::from_secs(1);

/// A request for the Lease that failed.
#[derive(Debug, thiserror::Error)]
pub enum ReachLeaseError {
    /// Another writer changed the Lease first.
    #[error("somebody else wrote the Lease first")]
    Conflict,
    /// The API server responded with an error, or cannot be reached.
    #[error("the Lease could not be read or written")]
    Request(#[source] Box<kube::Error>),
}

/// Storage of the Lease, with optimistic concurrency.
pub trait LeaseStore: Send + Sync + 'static {
    /// The Lease, if there is one.
    fn get(&self) -> impl Future<Output = Result<Option<Lease>, ReachLeaseError>> + Send;
    /// Creates the Lease.
    fn create(&self, lease: Lease) -> impl Future<Output = Result<Lease, ReachLeaseError>> + Send;
    /// Replaces the version that `lease` names.
    fn replace(&self, lease: Lease) -> impl Future<Output = Result<Lease, ReachLeaseError>> + Send;
    /// The holder of the Lease, each time that it changes; `None` when the Lease is released or deleted.
    /// Notifications may be late or missing; they only make a candidate read the Lease earlier.
    fn holders(&self) -> impl Stream<Item = Option<String>> + Send + 'static;
}

/// The Lease at the API server.
#[derive(Clone, Debug)]
pub struct ApiLease {
    api: Api<Lease>,
    name: String,
}

impl ApiLease {
    /// The Lease `name` in the namespace of `api`.
    pub fn new(api: Api<Lease>, name: &str) -> Self {
        Self { api, name: name.to_owned() }
    }
}

impl From<kube::Error> for ReachLeaseError {
    fn from(error: kube::Error) -> Self {
        match &error {
            kube::Error::Api(status) if status.code == 409 => Self::Conflict,
            _ => Self::Request(Box::new(error)),
        }
    }
}

impl LeaseStore for ApiLease {
    async fn get(&self) -> Result<Option<Lease>, ReachLeaseError> {
        Ok(self.api.get_opt(&self.name).await?)
    }
    async fn create(&self, lease: Lease) -> Result<Lease, ReachLeaseError> {
        Ok(self.api.create(&PostParams::default(), &lease).await?)
    }
    async fn replace(&self, lease: Lease) -> Result<Lease, ReachLeaseError> {
        Ok(self.api.replace(&self.name, &PostParams::default(), &lease).await?)
    }
    fn holders(&self) -> impl Stream<Item = Option<String>> + Send + 'static {
        let named = watcher::Config::default().fields(&format!("metadata.name={}", self.name));
        watcher(self.api.clone(), named).default_backoff().filter_map(|event| {
            std::future::ready(match event {
                Ok(watcher::Event::Apply(lease) | watcher::Event::InitApply(lease)) => {
                    let holder = lease.spec.and_then(|spec| spec.holder_identity);
                    Some(holder.filter(|holder| !holder.is_empty()))
                }
                Ok(watcher::Event::Delete(_)) => Some(None),
                Ok(_) => None,
                Err(error) => {
                    debug!(
                        error = super::errors::watch_error_message(&error),
                        "the watch of the Lease was interrupted"
                    );
                    None
                }
            })
        })
    }
}

/// Whether this replica is the leader and may write.
#[derive(Clone, Debug)]
pub struct Leadership {
    leads: watch::Receiver<bool>,
    /// When the leadership ends, of an election; `None` without election.
    until: Option<Arc<ArcSwapOption<Instant>>>,
}

impl Leadership {
    /// A leadership that is always held, for a replica without election.
    pub fn always() -> Self {
        let (_, leads) = watch::channel(true);
        Self { leads, until: None }
    }

    /// A leadership that depends on this one: held while this one is held and the returned sender holds `true`.
    pub fn behind(&self) -> (watch::Sender<bool>, Self) {
        let (readiness_tx, leads) = watch::channel(false);
        (readiness_tx, Self { leads, until: self.until.clone() })
    }

    /// Whether this replica is the leader at this moment. The promise of one leader is about this at the start of each
    /// write; it holds even when the process was suspended and the election has not noticed yet.
    pub fn is_leader(&self) -> bool {
        let in_time = |until: &Arc<ArcSwapOption<Instant>>| {
            until.load().as_deref().is_some_and(|until| Instant::now() < *until)
        };
        *self.leads.borrow() && self.until.as_ref().is_none_or(in_time)
    }

    /// Waits until this replica is the leader.
    pub async fn acquired(&mut self) {
        self.becomes(true).await;
    }

    /// Waits until this replica is not the leader.
    pub async fn lost(&mut self) {
        self.becomes(false).await;
    }

    async fn becomes(&mut self, leads: bool) {
        if self.leads.wait_for(|now| *now == leads).await.is_err() && *self.leads.borrow() != leads {
            // The election has ended: the state stays as it is.
            std::future::pending().await
        }
    }
}

/// The election, as one candidate takes part in it.
#[derive(Debug)]
pub struct Election<S> {
    store: S,
    elector: Elector,
    metrics: LeaseMetrics,
    leads: watch::Sender<bool>,
    until: Arc<ArcSwapOption<Instant>>,
}

impl<S: LeaseStore> Election<S> {
    /// A candidate of this identity, which must be unique among all processes that ever take part, with its leadership.
    pub fn new(
        store: S,
        identity: String,
        timing: Timing,
        metrics: LeaseMetrics,
    ) -> Result<(Self, Leadership), elector::CheckTimingError> {
        let (leads, receiver) = watch::channel(false);
        let until = Arc::new(ArcSwapOption::empty());
        let leadership = Leadership { leads: receiver, until: Some(until.clone()) };
        let elector = Elector::new(identity, LEASE_NAME.to_owned(), timing.check()?);
        Ok((Self { store, elector, metrics, leads, until }, leadership))
    }

    /// Takes part until `stop`, then ends the leadership and releases the Lease. Stop it when the writers have ended:
    /// the next leader may start at once.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut holders = pin!(self.store.holders());
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                // A wait is cut short, nothing else: a request under way is not dropped for a hint.
                () = self.step(holders.as_mut()) => {}
            }
        }
        self.publish(None);
        // The write that `stop` interrupted may have succeeded: look, if what we know is refused.
        let released = tokio::time::timeout(RELEASE, async {
            for _ in 0..2 {
                let Some(lease) = self.elector.release(Timestamp::now()) else { return };
                match self.store.replace(lease).await {
                    Ok(_) => return info!("the Lease is handed over"),
                    Err(error) => debug!(%error, "the Lease was not handed over"),
                }
                if let Ok(lease) = self.store.get().await {
                    self.elector.observed(lease, Instant::now().into_std());
                }
            }
        });
        if released.await.is_err() {
            warn!("no time to hand the Lease over; others wait until it expires");
        }
    }

    async fn step(&mut self, mut holders: Pin<&mut (impl Stream<Item = Option<String>> + Send)>) {
        let start = Instant::now();
        match self.elector.next(start.into_std()) {
            Step::Wait(time) => {
                // Candidates that start together should not ask together for ever.
                let jitter =
                    if self.elector.leads_until().is_some() { 1.0 } else { rand::random_range(1.0..1.2) };
                let over = tokio::time::sleep(time.mul_f64(jitter));
                let news = async {
                    while let Some(holder) = holders.next().await {
                        if self.elector.calls_for_read(holder.as_deref()) {
                            return;
                        }
                    }
                    std::future::pending().await
                };
                tokio::select! {
                    () = over => {}
                    () = news => self.elector.invalidate(),
                }
            }
            Step::StepDown(why) => {
                warn!(?why, "no longer the leader");
                self.publish(None);
                self.elector.stepped_down();
            }
            Step::Observe => {
                let result = self.in_time(start, self.store.get()).await;
                match result {
                    Some(Ok(lease)) => self.elector.observed(lease, Instant::now().into_std()),
                    other => self.failed(other.map(Result::err)).await,
                }
            }
            Step::Create => {
                let lease = self.elector.record(Timestamp::now());
                let result = self.in_time(start, self.store.create(lease)).await;
                self.wrote(result, start).await;
            }
            Step::Acquire | Step::Renew => {
                let lease = self.elector.record(Timestamp::now());
                let result = self.in_time(start, self.store.replace(lease)).await;
                self.wrote(result, start).await;
            }
        }
    }

    /// The response to a request, unless it exceeds the deadline.
    async fn in_time<T>(
        &self,
        start: Instant,
        request: impl Future<Output = Result<T, ReachLeaseError>>,
    ) -> Option<Result<T, ReachLeaseError>> {
        tokio::time::timeout(self.elector.request_timeout(start.into_std()), request).await.ok()
    }

    async fn wrote(&mut self, result: Option<Result<Lease, ReachLeaseError>>, sent: Instant) {
        match result {
            Some(Ok(lease)) => {
                self.metrics.renewals.observe(sent.elapsed().as_secs_f64());
                self.elector.wrote(lease, sent.into_std(), Instant::now().into_std());
                self.publish(self.elector.leads_until().map(Instant::from_std));
            }
            other => self.failed(other.map(Result::err)).await,
        }
    }

    /// A request failed (`Some`) or took too long.
    async fn failed(&mut self, error: Option<Option<ReachLeaseError>>) {
        self.metrics.failures.inc();
        self.elector.failed();
        match error.flatten() {
            // Another writer was first: read at once.
            Some(ReachLeaseError::Conflict) => return debug!("somebody else wrote the Lease first"),
            Some(ReachLeaseError::Request(source)) => {
                warn!(
                    error = crate::control::errors::error_message(&source),
                    "the Lease could not be reached"
                );
            }
            None => warn!("the Lease could not be reached in time"),
        }
        let now = Instant::now();
        let pause = Duration::from_millis(rand::random_range(500..1000));
        // A leader wakes to close the leadership in time.
        let until =
            self.elector.leads_until().map_or(now + pause, |until| Instant::from_std(until).min(now + pause));
        tokio::time::sleep_until(until).await;
    }

    fn publish(&self, until: Option<Instant>) {
        let leads = until.is_some();
        self.until.store(until.map(Arc::new));
        let changed = self.leads.send_if_modified(|now| std::mem::replace(now, leads) != leads);
        if changed {
            self.metrics.is_leader.set(i64::from(leads));
            self.metrics.transitions.inc();
            info!(leads, "leadership");
        }
    }
}

#[cfg(test)]
mod tests;
