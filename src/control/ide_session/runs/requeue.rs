//! Requeues sessions: at once for changes of their state, debounced for the rest, so that a chatty IDE costs a write
//! every few seconds at most.

use parking_lot::Mutex;
use std::{collections::HashMap, fmt, sync::Arc, time::Duration};
use tokio::time::Instant;

/// How long no change may arrive before a debounced requeue.
const QUIET: Duration = Duration::from_millis(500);
/// The largest delay of a debounced requeue.
const MAX_DELAY: Duration = Duration::from_secs(5);

/// Adds the session of a name to the workqueue.
pub type Requeue = Arc<dyn Fn(&str) + Send + Sync>;

/// Requeues sessions. Clones share the state.
#[derive(Clone)]
pub(super) struct RequeueDebouncer {
    wake: Requeue,
    bursts: Arc<Mutex<HashMap<Arc<str>, Burst>>>,
}

/// Changes that are debounced.
#[derive(Clone, Copy)]
struct Burst {
    first: Instant,
    last: Instant,
}

impl Burst {
    fn due(self) -> Instant {
        (self.last + QUIET).min(self.first + MAX_DELAY)
    }
}

impl RequeueDebouncer {
    pub(super) fn new(wake: Requeue) -> Self {
        Self { wake, bursts: Arc::default() }
    }

    /// Requeues now.
    pub(super) fn now(&self, name: &str) {
        (self.wake)(name);
    }

    /// Requeues when no change arrives for a moment. Must be called within a runtime.
    pub(super) fn soon(&self, name: &Arc<str>) {
        let now = Instant::now();
        let mut bursts = self.bursts.lock();
        if let Some(burst) = bursts.get_mut(name) {
            burst.last = now;
            return;
        }
        bursts.insert(name.clone(), Burst { first: now, last: now });
        drop(bursts);
        let (requeues, name) = (self.clone(), name.clone());
        tokio::spawn(async move {
            while let Some(due) = requeues.due(&name) {
                tokio::time::sleep_until(due).await;
            }
            requeues.now(&name);
        });
    }

    /// When the burst ends; `None` when it has ended, and then it is removed.
    fn due(&self, name: &str) -> Option<Instant> {
        let mut bursts = self.bursts.lock();
        let due = bursts.get(name).map(|burst| burst.due()).filter(|due| *due > Instant::now());
        if due.is_none() {
            bursts.remove(name);
        }
        due
    }
}

impl fmt::Debug for RequeueDebouncer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wakes").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;

    fn requeues() -> (RequeueDebouncer, mpsc::UnboundedReceiver<Instant>) {
        let (tell, told) = mpsc::unbounded_channel();
        (RequeueDebouncer::new(Arc::new(move |_: &str| tell.send(Instant::now()).unwrap())), told)
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_one_requeue_when_it_is_quiet() {
        let (requeues, mut told) = requeues();
        let (begun, name) = (Instant::now(), Arc::from("a"));
        for _ in 0..4 {
            requeues.soon(&name);
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        assert_eq!(told.recv().await.unwrap() - begun, Duration::from_millis(900 + 500));
        assert!(told.try_recv().is_err());
        requeues.soon(&name);
        assert!(told.recv().await.is_some(), "the next burst is another one");
    }

    #[tokio::test(start_paused = true)]
    async fn an_endless_burst_is_requeued_all_the_same() {
        let (requeues, mut told) = requeues();
        let (begun, name) = (Instant::now(), Arc::from("a"));
        for _ in 0..60 {
            requeues.soon(&name);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(told.try_recv().unwrap() - begun, MAX_DELAY);
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_wait_does_not() {
        let (requeues, mut told) = requeues();
        requeues.now("a");
        assert_eq!(told.try_recv().unwrap(), Instant::now());
    }
}
