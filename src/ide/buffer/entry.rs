//! The buffered notifications of one session.

use super::{
    super::notification::{End, Payload, Teller},
    EndedEarly,
};
use std::collections::VecDeque;

/// One session in the buffer.
#[derive(Debug)]
pub(super) struct Entry {
    owner: Owner,
    queue: VecDeque<Payload>,
    bytes: usize,
    /// Notifications of the queue that are output.
    logs: usize,
    /// Dropped since the last one was taken.
    lost: u64,
    process: bool,
    end: Option<End>,
    /// Whether the session stands in the line of those that have something to give.
    pub(super) listed: bool,
}

#[derive(Debug)]
enum Owner {
    /// None yet; requests with a smaller number may have created the session.
    Unknown { before: u64 },
    /// The session is the operator's, recorded (`confirmed`) or not.
    Known { confirmed: bool },
}

impl Entry {
    pub(super) fn owned(confirmed: bool) -> Self {
        Self::of(Owner::Known { confirmed })
    }

    pub(super) fn unknown(before: u64) -> Self {
        Self::of(Owner::Unknown { before })
    }

    fn of(owner: Owner) -> Self {
        let queue = VecDeque::new();
        Self { owner, queue, bytes: 0, logs: 0, lost: 0, process: false, end: None, listed: false }
    }

    /// Gives the session an owner; what is confirmed stays so.
    pub(super) fn own(&mut self, confirmed: bool) {
        self.owner = Owner::Known { confirmed: confirmed || self.is_open() };
    }

    /// Of an unknown session, the number of the first request that cannot have created it.
    pub(super) fn unknown_before(&self) -> Option<u64> {
        match self.owner {
            Owner::Unknown { before } => Some(before),
            Owner::Known { .. } => None,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.owner, Owner::Known { confirmed: true })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.lost == 0
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    /// Records an end and says whether it is news. What the IDE says is news even after we concluded it: it
    /// may know the exit code.
    pub(super) fn end(&mut self, end: End) -> bool {
        let news = match self.end {
            None => true,
            Some(known) => known.told_by == Teller::Client && end.told_by == Teller::Ide,
        };
        if news {
            self.end = Some(end);
        }
        news
    }

    /// Adds a notification and returns its bytes.
    pub(super) fn push(&mut self, what: Payload) -> usize {
        let weight = what.weight();
        self.process |= matches!(what, Payload::Process { .. });
        self.logs += usize::from(is_log(&what));
        self.bytes += weight;
        self.queue.push_back(what);
        weight
    }

    /// The next notification and its size. Dropped ones are reported in their place.
    pub(super) fn pop(&mut self) -> Option<(Payload, usize)> {
        if self.lost > 0 {
            return Some((Payload::Dropped(std::mem::take(&mut self.lost)), 0));
        }
        let what = self.queue.pop_front()?;
        Some(self.left(what))
    }

    /// Drops until the session holds no more than that; returns the bytes freed and how many were dropped.
    pub(super) fn shrink(&mut self, notifications: usize, bytes: usize) -> (usize, u64) {
        let (mut freed, mut dropped) = (0, 0);
        while self.queue.len() > notifications || self.bytes > bytes {
            let Some(weight) = self.drop_one() else { break };
            freed += weight;
            dropped += 1;
        }
        (freed, dropped)
    }

    /// Drops the oldest output, or else the oldest of the rest but the end; returns its bytes.
    pub(super) fn drop_one(&mut self) -> Option<usize> {
        let droppable = |what: &Payload| match self.logs {
            0 => !matches!(what, Payload::Ended(_)),
            _ => is_log(what),
        };
        let at = self.queue.iter().position(droppable)?;
        let what = self.queue.remove(at)?;
        self.lost += 1;
        Some(self.left(what).1)
    }

    fn left(&mut self, what: Payload) -> (Payload, usize) {
        let weight = what.weight();
        self.bytes -= weight;
        self.logs -= usize::from(is_log(&what));
        (what, weight)
    }

    /// The whole life of the session, if it is over.
    pub(super) fn early(&mut self) -> Option<EndedEarly> {
        let (end, process) = (self.end?, self.process);
        let everything = std::iter::from_fn(|| self.pop().map(|(what, _)| what));
        Some(EndedEarly {
            end,
            process,
            rest: everything.filter(|what| !matches!(what, Payload::Ended(_))).collect(),
        })
    }
}

fn is_log(what: &Payload) -> bool {
    matches!(what, Payload::Log { .. })
}
