//! The objects of a kind that have to be looked at, and when.
//!
//! An object stands in the queue at most once, at the earliest moment that anybody asked for, and is
//! handed to one worker at a time. News that come while a worker has it bring it back afterwards.

use super::key::Key;
use crate::telemetry::queues::Waiting;
use parking_lot::Mutex;
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};

#[derive(Default)]
struct State {
    due: BTreeSet<(Instant, Key)>,
    at: HashMap<Key, Instant>,
    working: HashSet<Key>,
}

/// See the module.
#[derive(Default)]
pub struct Queue {
    state: Mutex<State>,
    changed: Notify,
}

impl Queue {
    /// Asks for a look at `key` now.
    pub fn add(&self, key: Key) {
        self.add_at(key, Instant::now());
    }

    /// Asks for a look at `key` after `delay`.
    pub fn add_after(&self, key: Key, delay: Duration) {
        // Beyond a year the moment is worked out again anyway, and no clock overflows.
        self.add_at(key, Instant::now() + delay.min(Duration::from_secs(365 * 86_400)));
    }

    fn add_at(&self, key: Key, at: Instant) {
        {
            let state = &mut *self.state.lock();
            match state.at.get(&key) {
                Some(earlier) if *earlier <= at => return,
                Some(later) => {
                    let entry = (*later, key.clone());
                    state.due.remove(&entry);
                }
                None => {}
            }
            state.due.insert((at, key.clone()));
            state.at.insert(key, at);
        }
        self.changed.notify_one();
    }

    /// The next object that is due and that no other worker has. Waits for one. Must be given back with
    /// [`Queue::done`].
    pub async fn next(&self) -> Key {
        loop {
            let wait = match self.take() {
                Ok(key) => {
                    // There may be work for another worker too.
                    self.changed.notify_one();
                    return key;
                }
                Err(wait) => wait,
            };
            match wait {
                Some(until) => {
                    tokio::select! {
                        () = self.changed.notified() => {}
                        () = tokio::time::sleep_until(until) => {}
                    }
                }
                None => self.changed.notified().await,
            }
        }
    }

    /// An object that is due, or until when to wait for one.
    fn take(&self) -> Result<Key, Option<Instant>> {
        let now = Instant::now();
        let state = &mut *self.state.lock();
        let mut free = state.due.iter().filter(|(_, key)| !state.working.contains(key));
        match free.next().cloned() {
            Some((at, key)) if at <= now => {
                state.due.remove(&(at, key.clone()));
                state.at.remove(&key);
                state.working.insert(key.clone());
                Ok(key)
            }
            next => Err(next.map(|(at, _)| at)),
        }
    }

    /// Gives an object back.
    pub fn done(&self, key: &Key) {
        self.state.lock().working.remove(key);
        self.changed.notify_one();
    }

    /// How many objects are due now, and for how long the oldest has been. Looks at each of them.
    pub fn waiting(&self) -> Waiting {
        let now = Instant::now();
        let state = self.state.lock();
        Waiting {
            due: state.due.iter().take_while(|(at, _)| *at <= now).count(),
            oldest: state.due.first().map_or(Duration::ZERO, |(at, _)| now.saturating_duration_since(*at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key::new("ns", name)
    }

    #[tokio::test(start_paused = true)]
    async fn hands_out_by_time_and_once() {
        let queue = Queue::default();
        queue.add_after(key("late"), Duration::from_secs(60));
        queue.add(key("now"));
        queue.add(key("now"));
        assert_eq!(queue.next().await, key("now"));
        queue.done(&key("now"));
        let before = Instant::now();
        assert_eq!(queue.next().await, key("late"));
        assert_eq!(before.elapsed().as_secs(), 60);
    }

    #[tokio::test(start_paused = true)]
    async fn an_earlier_moment_wins_and_a_later_one_does_not() {
        let queue = Queue::default();
        queue.add_after(key("a"), Duration::from_secs(60));
        queue.add_after(key("a"), Duration::from_secs(10));
        queue.add_after(key("a"), Duration::from_secs(90));
        let before = Instant::now();
        queue.next().await;
        assert_eq!(before.elapsed().as_secs(), 10);
        queue.done(&key("a"));
        assert!(tokio::time::timeout(Duration::from_secs(1000), queue.next()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn one_worker_has_a_session_at_a_time_and_news_are_not_lost() {
        let queue = Queue::default();
        queue.add(key("a"));
        assert_eq!(queue.next().await, key("a"));
        queue.add(key("a"));
        assert!(tokio::time::timeout(Duration::from_secs(5), queue.next()).await.is_err());
        queue.done(&key("a"));
        assert_eq!(queue.next().await, key("a"));
    }
}
