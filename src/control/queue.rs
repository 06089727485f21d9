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

/// Keys by the moment at which they are due; each stands here at most once.
#[derive(Default)]
struct Lane {
    due: BTreeSet<(Instant, Key)>,
    at: HashMap<Key, Instant>,
}

impl Lane {
    /// Adds a key, unless it is due earlier already.
    fn add(&mut self, key: Key, at: Instant) {
        if self.at.get(&key).is_some_and(|earlier| *earlier <= at) {
            return;
        }
        self.remove(&key);
        self.due.insert((at, key.clone()));
        self.at.insert(key, at);
    }

    fn remove(&mut self, key: &Key) -> Option<Instant> {
        let at = self.at.remove(key)?;
        self.due.remove(&(at, key.clone()));
        Some(at)
    }

    fn first(&self, working: &HashSet<Key>) -> Option<&(Instant, Key)> {
        self.due.iter().find(|(_, key)| !working.contains(key))
    }
}

#[derive(Default)]
struct State {
    known: Lane,
    /// Objects that were never reconciled: creating what belongs to them takes longest, so they wait for the others.
    new: Lane,
    working: HashSet<Key>,
}

/// The keys of a kind that have to be reconciled, in the order of their moments.
#[derive(Default)]
pub struct Queue {
    state: Mutex<State>,
    changed: Notify,
}

impl Queue {
    /// Enqueues `key` for now.
    pub fn add(&self, key: Key) {
        self.add_at(key, Instant::now());
    }

    /// Enqueues an object for which nothing was created yet. It waits for those that have children: when thousands come
    /// at once, news of the first ones overtake the creation of the last ones.
    pub fn add_new(&self, key: Key) {
        {
            let state = &mut *self.state.lock();
            if !state.known.at.contains_key(&key) {
                state.new.add(key, Instant::now());
            }
        }
        self.changed.notify_one();
    }

    /// Enqueues `key` for the time after `delay`.
    pub fn add_after(&self, key: Key, delay: Duration) {
        // Beyond a year the moment is computed again anyway, and no clock overflows.
        self.add_at(key, Instant::now() + delay.min(Duration::from_secs(365 * 86_400)));
    }

    fn add_at(&self, key: Key, at: Instant) {
        {
            let state = &mut *self.state.lock();
            // What is due later changes nothing for an object whose turn comes now.
            if state.new.at.contains_key(&key) && at > Instant::now() {
                return;
            }
            state.new.remove(&key);
            state.known.add(key, at);
        }
        self.changed.notify_one();
    }

    /// The next key that is due and that no other worker has. Waits for one. Must be given back with [`Queue::done`].
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

    /// A key that is due, or until when to wait for one.
    fn take(&self) -> Result<Key, Option<Instant>> {
        let now = Instant::now();
        let state = &mut *self.state.lock();
        let (known, new) = (state.known.first(&state.working), state.new.first(&state.working));
        let key = match (known, new) {
            (Some((at, key)), _) if *at <= now => key.clone(),
            (_, Some((_, key))) => key.clone(),
            (next, None) => return Err(next.map(|(at, _)| *at)),
        };
        state.known.remove(&key);
        state.new.remove(&key);
        state.working.insert(key.clone());
        Ok(key)
    }

    /// Gives a key back.
    pub fn done(&self, key: &Key) {
        self.state.lock().working.remove(key);
        self.changed.notify_one();
    }

    /// How many keys are due now, and for how long the oldest has been. Looks at each of them.
    pub fn waiting(&self) -> Waiting {
        let now = Instant::now();
        let state = self.state.lock();
        let due = |lane: &Lane| lane.due.iter().take_while(|(at, _)| *at <= now).count();
        let oldest = [&state.known, &state.new].into_iter().filter_map(|lane| lane.due.first()).min();
        Waiting {
            due: due(&state.known) + due(&state.new),
            oldest: oldest.map_or(Duration::ZERO, |(at, _)| now.saturating_duration_since(*at)),
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

    #[tokio::test(start_paused = true)]
    async fn news_overtake_objects_that_were_never_reconciled() {
        let queue = Queue::default();
        queue.add_new(key("first"));
        tokio::time::advance(Duration::from_secs(1)).await;
        queue.add_new(key("second"));
        tokio::time::advance(Duration::from_secs(1)).await;
        queue.add(key("known"));
        assert_eq!(queue.waiting(), Waiting { due: 3, oldest: Duration::from_secs(2) });
        queue.add(key("second"));
        for expected in ["known", "second", "first"] {
            assert_eq!(queue.next().await, key(expected));
            queue.done(&key(expected));
        }
        queue.add_new(key("late"));
        queue.add_after(key("late"), Duration::from_secs(60));
        assert_eq!(queue.next().await, key("late"), "a later moment does not put it off");
        queue.done(&key("late"));
        assert_eq!(queue.waiting().due, 0);
    }
}
