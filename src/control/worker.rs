//! The loop around a reconcile, the same for every kind: one object at a time, while this replica leads.

use super::{context::Context, errors, errors::CallError, key::Key, queue::Queue};
use crate::{
    core::error::ErrorClass,
    telemetry::metrics::{self, Outcome},
};
use k8s_openapi::jiff::Timestamp;
use parking_lot::Mutex;
use std::{collections::HashMap, future::Future, sync::Arc, time::Duration};
use tokio::task::JoinSet;
use tracing::{Instrument, debug_span};

/// Moments are of the wall clock, waits are not: somebody may set that clock, or the machine may sleep meanwhile. So no
/// moment is waited for in one go. A look that comes too early makes no call.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// A kind's reconciler.
pub trait Reconcile: Send + Sync + 'static {
    /// The kind, as metrics call it.
    const KIND: metrics::Kind;

    /// The process that it works in.
    fn context(&self) -> &Context;

    /// What has to be looked at.
    fn workqueue(&self) -> &Workqueue;

    /// Everything that there is something to decide about.
    fn keys(&self) -> Vec<Key>;

    /// One pass over one object.
    fn reconcile(&self, key: &Key, now: Timestamp) -> impl Future<Output = Result<Action, CallError>> + Send;
}

/// When to look at an object again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// After that time, or only when something happens.
    RequeueAfter(Option<Duration>),
    /// After an error, or after that time if it is shorter: what is due does not wait for what fails.
    Retry(ErrorClass, Option<Duration>),
}

impl Action {
    /// The same, but after `limit` at the latest.
    pub fn no_later_than(self, limit: Duration) -> Self {
        let limited = |at: Option<Duration>| Some(at.map_or(limit, |at| at.min(limit)));
        match self {
            Action::RequeueAfter(at) => Action::RequeueAfter(limited(at)),
            Action::Retry(class, at) => Action::Retry(class, limited(at)),
        }
    }

    /// The same, when something failed beside.
    pub fn after_error(self, class: ErrorClass) -> Self {
        match self {
            Action::RequeueAfter(at) | Action::Retry(_, at) => Action::Retry(class, at),
        }
    }

    /// Just after `at`, so that the moment has passed when the object is looked at.
    pub fn requeue_at(at: Option<Timestamp>, now: Timestamp) -> Self {
        let until = |at: Timestamp| at.duration_since(now).try_into().unwrap_or(Duration::ZERO);
        Action::RequeueAfter(at.map(|at| until(at).saturating_add(Duration::from_millis(1))))
    }
}

/// What has to be looked at, and how often each failed in a row.
#[derive(Default)]
pub struct Workqueue {
    /// What has to be looked at, and when.
    pub queue: Queue,
    failures: Mutex<HashMap<Key, u32>>,
}

impl Workqueue {
    /// Looks at `key` again when the outcome of a pass says so.
    fn schedule(&self, key: &Key, next: Action) {
        let delay = match next {
            Action::RequeueAfter(at) => {
                self.failures.lock().remove(key);
                at
            }
            Action::Retry(class, at) => {
                let mut failures = self.failures.lock();
                let count = failures.entry(key.clone()).or_default();
                *count = count.saturating_add(1);
                let wait = errors::backoff(class, *count, rand::random());
                Some(at.map_or(wait, |at| at.min(wait)))
            }
        };
        if let Some(delay) = delay {
            self.queue.add_after(key.clone(), delay.min(LONGEST_WAIT));
        }
    }
}

/// Starts `workers` loops, as tasks that run until they are aborted with the set.
pub fn start<R: Reconcile>(reconciler: &Arc<R>, workers: u16, tasks: &mut JoinSet<()>) {
    for _ in 0..workers {
        let reconciler = reconciler.clone();
        tasks.spawn(async move { work(&*reconciler).await });
    }
    let reconciler = reconciler.clone();
    tasks.spawn(async move { look_at_all_when_leading(&*reconciler).await });
}

/// Works off the queue while this replica leads.
pub async fn work(reconciler: &impl Reconcile) {
    let mut leadership = reconciler.context().leadership.clone();
    let mut lost = leadership.clone();
    loop {
        leadership.acquired().await;
        tokio::select! {
            biased;
            // A pass that is cut off between two calls leaves a state that the next leader goes on from.
            () = lost.lost() => {}
            () = work_one(reconciler) => {}
        }
    }
}

/// Puts every object in the queue: a new leader looks at each once.
pub async fn look_at_all_when_leading(reconciler: &impl Reconcile) {
    let mut leadership = reconciler.context().leadership.clone();
    loop {
        leadership.acquired().await;
        for key in reconciler.keys() {
            reconciler.workqueue().queue.add(key);
        }
        leadership.lost().await;
    }
}

async fn work_one<R: Reconcile>(reconciler: &R) {
    let workqueue = reconciler.workqueue();
    let key = workqueue.queue.next().await;
    let taken = Taken { queue: &workqueue.queue, key: &key };
    let metrics = &reconciler.context().metrics;
    let measured = metrics.measure(R::KIND);
    let pass = debug_span!("reconcile", kind = ?R::KIND, session = %key);
    let next = reconciler.reconcile(&key, Timestamp::now()).instrument(pass).await.unwrap_or_else(|error| {
        tracing::debug!(session = %key, %error, "pass failed");
        Action::Retry(error.class(), None)
    });
    match next {
        Action::Retry(class, _) => {
            metrics.failed(R::KIND, class);
            measured.ended(Outcome::Failed);
        }
        Action::RequeueAfter(_) => measured.ended(Outcome::Unchanged),
    }
    workqueue.schedule(&key, next);
    drop(taken);
}

/// An object that a worker has; given back whatever becomes of the worker.
struct Taken<'a> {
    queue: &'a Queue,
    key: &'a Key,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.queue.done(self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    /// How long the object is left alone.
    async fn wait(workqueue: &Workqueue, next: Action) -> Duration {
        let (key, began) = (Key::new("team", "hello"), Instant::now());
        workqueue.schedule(&key, next);
        assert_eq!(workqueue.queue.next().await, key);
        workqueue.queue.done(&key);
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_due_does_not_wait_for_what_fails() {
        let workqueue = Workqueue::default();
        let due = Action::RequeueAfter(Some(Duration::from_secs(2))).after_error(ErrorClass::Quota);
        assert!(wait(&workqueue, due).await < Duration::from_secs(5));
        let nothing_due = Action::RequeueAfter(None).after_error(ErrorClass::Quota);
        assert!(wait(&workqueue, nothing_due).await > Duration::from_secs(20));
        let late = Action::RequeueAfter(Some(Duration::from_secs(86_400))).after_error(ErrorClass::Transient);
        assert!(wait(&workqueue, late).await < Duration::from_secs(5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_is_noticed_in_time() {
        let (workqueue, key, before) = (Workqueue::default(), Key::new("ns", "a"), Instant::now());
        workqueue.schedule(&key, Action::RequeueAfter(Some(Duration::from_secs(86_400))));
        assert_eq!(workqueue.queue.next().await, key);
        assert_eq!(before.elapsed(), LONGEST_WAIT);
    }
}
