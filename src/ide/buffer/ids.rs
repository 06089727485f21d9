//! Ids that are remembered for a while, a bounded number of them.

use super::super::session::SessionId;
use std::{
    collections::{HashSet, VecDeque},
    time::Instant,
};

/// More than that are never remembered.
const MOST: usize = 4096;

/// A bounded set of ids that expire.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    ids: HashSet<SessionId>,
    /// In the order in which they are forgotten. May name ids that are forgotten already.
    until: VecDeque<(Instant, SessionId)>,
}

impl Remembered {
    pub(super) fn add(&mut self, id: SessionId, until: Instant) {
        if self.ids.insert(id.clone()) {
            self.until.push_back((until, id));
        }
        while self.until.len() > MOST {
            self.pop();
        }
    }

    pub(super) fn forget(&mut self, id: &SessionId) {
        if self.ids.remove(id) {
            self.until.retain(|(_, other)| other != id);
        }
    }

    pub(super) fn has(&mut self, id: &SessionId, now: Instant) -> bool {
        while self.until.front().is_some_and(|(until, _)| *until <= now) {
            self.pop();
        }
        self.ids.contains(id)
    }

    fn pop(&mut self) {
        if let Some((_, id)) = self.until.pop_front() {
            self.ids.remove(&id);
        }
    }
}
