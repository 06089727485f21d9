//! The loop around a reconcile, the same for every kind: one object at a time, while this replica leads.

use super::{context::Context, errors, errors::CallError, key::Key, queue::Queue};
use crate::{
    core::error::ErrorClass,
    telemetry::{
        metrics::{self, Outcome},
        queues::Waiting,
    },
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

/// What a reconcile ends with: when to reconcile the object again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Action {
    /// Reconcile again after this time at the latest; `None` waits for an event.
    pub requeue_after: Option<Duration>,
    /// What failed. The object is also reconciled again after the backoff of its class.
    pub error: Option<ErrorClass>,
    /// Whether anything was written.
    pub changed: bool,
}

impl Action {
    /// Reconcile again when something happens.
    pub fn await_change() -> Self {
        Self::default()
    }

    /// Reconcile again just after `at`, so that the moment has passed by then.
    pub fn requeue_at(at: Option<Timestamp>, now: Timestamp) -> Self {
        let until = |at: Timestamp| at.duration_since(now).try_into().unwrap_or(Duration::ZERO);
        let requeue_after = at.map(|at| until(at).saturating_add(Duration::from_millis(1)));
        Self { requeue_after, ..Self::default() }
    }

    /// The same, but after `limit` at the latest.
    pub fn no_later_than(self, limit: Duration) -> Self {
        Self { requeue_after: Some(self.requeue_after.map_or(limit, |after| after.min(limit))), ..self }
    }

    /// The same, with an error of that class.
    pub fn after_error(self, class: ErrorClass) -> Self {
        Self { error: Some(class), ..self }
    }

    /// The same, when something was written.
    pub fn changed(self) -> Self {
        Self { changed: true, ..self }
    }
}

/// The keys of a kind that have to be reconciled, and how often each failed in a row.
#[derive(Default)]
pub struct Workqueue {
    /// The keys, and when each is due.
    pub queue: Queue,
    failures: Mutex<HashMap<Key, u32>>,
}

impl Workqueue {
    /// Enqueues `key` again as `action` says. A deadline does not wait for the backoff of an error.
    fn schedule(&self, key: &Key, action: Action) {
        let delay = match action.error {
            None => {
                self.failures.lock().remove(key);
                action.requeue_after
            }
            Some(class) => {
                let mut failures = self.failures.lock();
                let count = failures.entry(key.clone()).or_default();
                *count = count.saturating_add(1);
                let backoff = errors::backoff(class, *count, rand::random());
                Some(action.requeue_after.map_or(backoff, |after| after.min(backoff)))
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

/// What waits in the queue. What collects there on a replica that does not lead waits for nothing.
pub fn waiting(reconciler: &impl Reconcile) -> Waiting {
    if reconciler.context().leadership.is_leader() {
        reconciler.workqueue().queue.waiting()
    } else {
        Waiting::default()
    }
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
    let action =
        reconciler.reconcile(&key, Timestamp::now()).instrument(pass).await.unwrap_or_else(|error| {
            tracing::debug!(session = %key, %error, "pass failed");
            Action::await_change().after_error(error.class())
        });
    match action {
        Action { error: Some(class), .. } => {
            metrics.failed(R::KIND, class);
            measured.ended(Outcome::Failed);
        }
        Action { changed: true, .. } => measured.ended(Outcome::Changed),
        _ => measured.ended(Outcome::Unchanged),
    }
    workqueue.schedule(&key, action);
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

    fn after(seconds: u64) -> Action {
        Action::await_change().no_later_than(Duration::from_secs(seconds))
    }

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
        let due = after(2).after_error(ErrorClass::Quota);
        assert!(wait(&workqueue, due).await < Duration::from_secs(5));
        let nothing_due = Action::await_change().after_error(ErrorClass::Quota);
        assert!(wait(&workqueue, nothing_due).await > Duration::from_secs(20));
        let late = after(86_400).after_error(ErrorClass::Transient);
        assert!(wait(&workqueue, late).await < Duration::from_secs(5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_is_noticed_in_time() {
        let (workqueue, key, before) = (Workqueue::default(), Key::new("ns", "a"), Instant::now());
        workqueue.schedule(&key, after(86_400));
        assert_eq!(workqueue.queue.next().await, key);
        assert_eq!(before.elapsed(), LONGEST_WAIT);
    }
}
