//! The reconciler of sessions: observe, validate, plan, apply, status, report.

use super::{
    apply, errors,
    errors::CallError,
    index::{Index, Key},
    queue::Queue,
};
use crate::core::{
    amalthea::{
        self, Applied, Context, ErrorClass, Plan, World, notes, plan, plan::release_orphan, status, validate,
    },
    live::Kind,
    manifest::Write,
    settings::SessionSettings,
};
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};
use tokio::{sync::watch, time::Instant};

/// Everything that the reconciler works with.
pub struct Operator {
    /// The API server.
    pub client: Client,
    /// What the cluster holds.
    pub index: RwLock<Index>,
    /// What has to be looked at.
    pub queue: Queue,
    /// The choices of whoever installed the operator.
    pub settings: SessionSettings,
    /// How old a measurement of CPU use may be to count.
    pub usage_valid: Duration,
    /// Name of this replica, for Events.
    pub identity: String,
    /// Where passes and writes are counted.
    pub counters: std::sync::Arc<dyn Counters>,
    passes: Mutex<HashMap<Key, Pass>>,
}

/// Where passes and writes are counted.
pub trait Counters: Send + Sync {
    /// A pass ended after `took`, well or with an error of `class`.
    fn pass(&self, took: Duration, class: Option<ErrorClass>);
    /// A child was written.
    fn write(&self, kind: Kind, verb: &'static str);
}

/// What is remembered of a session between passes. Losing it costs at most a write that could have waited.
#[derive(Default)]
pub(super) struct Pass {
    pub(super) failures: u32,
    pub(super) status_written: Option<Instant>,
}

/// When to look at a session again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// After that time, or only when something happens.
    At(Option<Duration>),
    /// After an error.
    Retry(ErrorClass),
}

impl Next {
    pub(super) fn no_later_than(self, limit: Duration) -> Self {
        match self {
            Next::At(at) => Next::At(Some(at.map_or(limit, |at| at.min(limit)))),
            retry => retry,
        }
    }
}

impl Operator {
    /// An operator that knows nothing of the cluster yet.
    pub fn new(
        client: Client,
        settings: SessionSettings,
        usage_valid: Duration,
        identity: String,
        counters: std::sync::Arc<dyn Counters>,
    ) -> Self {
        Self {
            client,
            index: RwLock::default(),
            queue: Queue::default(),
            settings,
            usage_valid,
            identity,
            counters,
            passes: Mutex::default(),
        }
    }

    /// Works off the queue while `leading` is true, one session at a time. Ends when the sender of
    /// `leading` is gone.
    pub async fn work(&self, mut leading: watch::Receiver<bool>) {
        loop {
            if leading.wait_for(|leading| *leading).await.is_err() {
                return;
            }
            tokio::select! {
                biased;
                // A pass that is cut off between two calls leaves a state that the next leader goes on from.
                lost = leading.wait_for(|leading| !*leading) => if lost.is_err() { return },
                () = self.work_one() => {}
            }
        }
    }

    async fn work_one(&self) {
        let key = self.queue.next().await;
        let taken = Taken { queue: &self.queue, key: &key };
        let started = Instant::now();
        let next = self.reconcile(&key, Timestamp::now()).await.unwrap_or_else(|error| {
            tracing::debug!(session = %key, %error, "pass failed");
            Next::Retry(error.class())
        });
        self.counters.pass(started.elapsed(), if let Next::Retry(class) = next { Some(class) } else { None });
        self.schedule(&key, next);
        drop(taken);
    }

    /// One pass over one session.
    async fn reconcile(&self, key: &Key, now: Timestamp) -> Result<Next, CallError> {
        let Some(world) = self.observe(key) else { return self.clean_up(key).await };
        let context = self.context(now);
        let Some(checked) = validate(&world.session, self.obstacles(&world)) else {
            return self.report_unworkable(key, &world, &context).await;
        };
        let plan = plan(&checked, &world, &context);
        if let Some(run) = &plan.begin_run {
            return self.begin_run(&world, run, &plan).await;
        }
        let applied = apply::apply(self, &world.session, &plan).await;
        let report = status(&checked, &world, &applied, &context);
        let mut notes = notes::of_plan(&plan);
        notes.extend(notes::of_report(&world.session, &report));
        // An apply may have moved the session's own version (its finalizer); report on what is known now.
        let session = self.index().session(key).filter(|now| now.uid() == world.session.uid());
        let Some(session) = session else { return Ok(Next::At(None)) };
        let next = self.report(key, &session, &report, notes, now).await?;
        Ok(worst(&applied).map_or(next, Next::Retry))
    }

    fn observe(&self, key: &Key) -> Option<World> {
        self.index().observe(key)
    }

    fn context(&self, now: Timestamp) -> Context<'_> {
        Context {
            now,
            entropy: rand::random(),
            settings: &self.settings,
            usage_valid: self.usage_valid.try_into().unwrap_or(jiff::SignedDuration::MAX),
        }
    }

    /// What the admission rules say against a session that got past them.
    fn obstacles(&self, _world: &World) -> Vec<String> {
        Vec::new()
    }

    /// The session is gone. Its children go by their owner references, but for Jobs that our finalizer holds.
    async fn clean_up(&self, key: &Key) -> Result<Next, CallError> {
        self.passes().remove(key);
        let leftovers = self.index().leftovers(key);
        for release in leftovers.iter().filter_map(|job| release_orphan(job)) {
            self.release(&release).await?;
        }
        Ok(Next::At(None))
    }

    /// Writes a new run down. Everything else follows when the write comes back.
    async fn begin_run(&self, world: &World, run: &str, plan: &Plan) -> Result<Next, CallError> {
        self.write_status(&world.session, serde_json::json!({"runID": run})).await?;
        for note in notes::of_plan(plan) {
            self.publish(&world.session, &note).await;
        }
        Ok(Next::At(Some(Duration::ZERO)))
    }

    async fn report_unworkable(
        &self,
        key: &Key,
        world: &World,
        context: &Context<'_>,
    ) -> Result<Next, CallError> {
        let report = amalthea::status::unworkable(&world.session, context.now);
        let notes = notes::of_report(&world.session, &report);
        self.report(key, &world.session, &report, notes, context.now).await
    }

    fn schedule(&self, key: &Key, next: Next) {
        let delay = {
            let mut passes = self.passes();
            match next {
                Next::At(at) => {
                    if let Some(pass) = passes.get_mut(key) {
                        pass.failures = 0;
                    }
                    at
                }
                Next::Retry(class) => {
                    let pass = passes.entry(key.clone()).or_default();
                    pass.failures = pass.failures.saturating_add(1);
                    Some(errors::backoff(class, pass.failures, rand::random()))
                }
            }
        };
        if let Some(delay) = delay {
            self.queue.add_after(key.clone(), delay);
        }
    }

    pub(super) fn metrics_write(&self, kind: Kind, write: &Write) {
        self.counters.write(kind, if matches!(write, Write::Create { .. }) { "create" } else { "apply" });
    }

    /// The index, for reading. Never held across an await.
    pub fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The index, for writing. Never held across an await.
    pub fn index_mut(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn passes(&self) -> MutexGuard<'_, HashMap<Key, Pass>> {
        self.passes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session that a worker has; given back whatever becomes of the worker.
struct Taken<'a> {
    queue: &'a Queue,
    key: &'a Key,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.queue.done(self.key);
    }
}

/// The error that decides when to try again: the one that comes back soonest.
fn worst(applied: &Applied) -> Option<ErrorClass> {
    applied.errors.iter().map(|error| error.class).min()
}
