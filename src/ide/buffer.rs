//! The buffer of notifications. Plain values: no socket, no clock, no task.
//!
//! A notification may arrive before the response to the request that creates its session. So notifications of unknown
//! sessions are held while a create request is in progress, and those of created sessions until their owner has
//! recorded them. What the buffer promises:
//!
//! * **Order**: notifications of a session are delivered in the order in which they arrived, round-robin with those of
//!   other sessions, so that a chatty one does not delay others.
//! * **Not early**: none is delivered before its session is [confirmed](NotificationBuffer::confirm).
//! * **Bounded**: number and size are limited for each session; beyond that the oldest output is dropped first, then
//!   the oldest of the rest. The end of a session is never dropped, and the number of dropped ones is reported.
//! * **Nothing leaks**: an unknown session is forgotten as soon as no request is under way that could have
//!   created it.

mod entry;
mod ids;

use super::{
    notification::{End, Notification, Payload, Teller},
    session::SessionId,
};
use entry::Entry;
use ids::Remembered;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    time::{Duration, Instant},
};

/// Limits of the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Owned sessions, those that are being created included.
    pub sessions: usize,
    /// Unknown sessions.
    pub unknown: usize,
    /// Notifications of one session.
    pub notifications: usize,
    /// Bytes of the notifications of one session.
    pub bytes: usize,
    /// Bytes of the notifications of all sessions.
    pub all_bytes: usize,
    /// How long a released session is remembered, so that late notifications of it are recognized.
    pub remember: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions: 64,
            unknown: 64,
            notifications: 1000,
            bytes: 1 << 20,
            all_bytes: 16 << 20,
            remember: Duration::from_secs(60),
        }
    }
}

/// The endpoint has as many sessions as it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the IDE has {0} sessions already, which is the limit of an endpoint")]
pub struct TooManySessionsError(pub usize);

/// The IDE gave the id of a session that another owner has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the IDE gave the session ID of another session")]
pub struct SessionIdTakenError;

/// A create request under way. To be handed back by [`NotificationBuffer::created`] or [`NotificationBuffer::failed`].
#[derive(Debug, PartialEq, Eq)]
pub struct Ticket(u64);

/// The state of a session that an IDE created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    /// Its notifications are held until it is confirmed.
    Waiting,
    /// It has ended already, and is released.
    Over(EndedEarly),
}

/// What was received of a session that ended before the response to the request that created it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedEarly {
    /// The end.
    pub end: End,
    /// Whether a process was seen.
    pub process: bool,
    /// Messages and output before and after the end, in order.
    pub rest: Vec<Payload>,
}

/// How a notification was handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// It is buffered.
    Kept,
    /// It is buffered, and is the first to report the end of the session.
    Ended,
    /// It reports the end of the session again.
    Repeated,
    /// It is of a session that was released.
    Late,
    /// It is of a session that no request in progress can have created.
    Unknown,
}

/// The notifications of one connection.
#[derive(Debug, Default)]
pub struct NotificationBuffer {
    limits: Limits,
    entries: HashMap<SessionId, Entry>,
    /// Unknown sessions, oldest first.
    unknown: VecDeque<SessionId>,
    /// Confirmed sessions with notifications, the next one first. Each stands here at most once.
    ready: VecDeque<SessionId>,
    /// Create requests under way, and the number of the next.
    starts: BTreeSet<u64>,
    next_start: u64,
    released: Remembered,
    bytes: usize,
    dropped: u64,
}

impl NotificationBuffer {
    /// An empty buffer.
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// A create request is about to be sent.
    pub fn begin(&mut self) -> Result<Ticket, TooManySessionsError> {
        let owned = self.entries.len() - self.unknown.len();
        if owned + self.starts.len() >= self.limits.sessions {
            return Err(TooManySessionsError(self.limits.sessions));
        }
        let ticket = self.next_start;
        self.next_start += 1;
        self.starts.insert(ticket);
        Ok(Ticket(ticket))
    }

    /// A create request succeeded: the session is ours.
    pub fn created(
        &mut self,
        ticket: Ticket,
        id: &SessionId,
        now: Instant,
    ) -> Result<Created, SessionIdTakenError> {
        let claimed = self.claim(id, now);
        self.failed(ticket);
        claimed
    }

    /// A create request failed or was dropped.
    pub fn failed(&mut self, ticket: Ticket) {
        self.starts.remove(&ticket.0);
        // Only a request that was under way when the first notification came can have created its session.
        let oldest = self.starts.first().copied();
        let hopeless = |entry: &Entry| {
            entry.unknown_before().is_some_and(|before| oldest.is_none_or(|oldest| oldest >= before))
        };
        while let Some(id) = self.unknown.front()
            && self.entries.get(id).is_none_or(hopeless)
        {
            let id = id.clone();
            self.unknown.pop_front();
            self.remove(&id);
        }
    }

    fn claim(&mut self, id: &SessionId, now: Instant) -> Result<Created, SessionIdTakenError> {
        match self.entries.get_mut(id) {
            None => {
                self.released.forget(id);
                self.entries.insert(id.clone(), Entry::owned(false));
                Ok(Created::Waiting)
            }
            Some(entry) if entry.unknown_before().is_none() => Err(SessionIdTakenError),
            Some(entry) => {
                entry.own(false);
                let held = entry.bytes();
                let early = entry.early();
                self.bytes -= held - entry.bytes();
                self.unknown.retain(|other| other != id);
                let Some(early) = early else { return Ok(Created::Waiting) };
                self.release(id, now);
                Ok(Created::Over(early))
            }
        }
    }

    /// A session of an earlier life is ours; its notifications come out at once.
    pub fn adopt(&mut self, id: &SessionId) {
        self.released.forget(id);
        self.unknown.retain(|other| other != id);
        self.entries.entry(id.clone()).or_insert_with(|| Entry::owned(true)).own(true);
        self.list(id);
    }

    /// The owner of a session has written down what it knows; notifications may come out.
    pub fn confirm(&mut self, id: &SessionId) {
        let known = |entry: &&mut Entry| entry.unknown_before().is_none();
        if let Some(entry) = self.entries.get_mut(id).filter(known) {
            entry.own(true);
            self.list(id);
        }
    }

    /// Takes in a notification.
    pub fn notify(&mut self, notification: Notification, now: Instant) -> Disposition {
        let Notification { session: id, what } = notification;
        if !self.entries.contains_key(&id) {
            if self.released.has(&id, now) {
                return Disposition::Late;
            }
            if self.starts.is_empty() || self.limits.unknown == 0 {
                return Disposition::Unknown;
            }
            // Of unknown sessions the oldest is the one that is the least likely to be claimed yet.
            if self.unknown.len() >= self.limits.unknown
                && let Some(oldest) = self.unknown.pop_front()
            {
                self.remove(&oldest);
            }
            self.unknown.push_back(id.clone());
            self.entries.insert(id.clone(), Entry::unknown(self.next_start));
        }
        let Some(entry) = self.entries.get_mut(&id) else { return Disposition::Unknown };
        let heard = match &what {
            Payload::Ended(end) if !entry.end(*end) => return Disposition::Repeated,
            Payload::Ended(_) => Disposition::Ended,
            _ => Disposition::Kept,
        };
        self.bytes += entry.push(what);
        let (freed, dropped) = entry.shrink(self.limits.notifications, self.limits.bytes);
        self.bytes -= freed;
        self.dropped += dropped;
        self.shrink();
        self.list(&id);
        heard
    }

    /// Drops from the fullest session while all together hold too much.
    fn shrink(&mut self) {
        while self.bytes > self.limits.all_bytes {
            let Some(fullest) = self.entries.values_mut().max_by_key(|entry| entry.bytes()) else { return };
            let Some(freed) = fullest.drop_one() else { return };
            self.bytes -= freed;
            self.dropped += 1;
        }
    }

    /// Concludes that a session is over, unless it is known to be.
    pub fn conclude(&mut self, id: &SessionId) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        let end = End { exit_code: None, told_by: Teller::Client };
        if entry.end(end) {
            self.bytes += entry.push(Payload::Ended(end));
            self.list(id);
        }
    }

    /// Whether the session is one of ours.
    pub fn owns(&self, id: &SessionId) -> bool {
        self.entries.get(id).is_some_and(|entry| entry.unknown_before().is_none())
    }

    /// Whether the session is known to be over.
    pub fn has_ended(&self, id: &SessionId) -> bool {
        self.entries.get(id).is_some_and(Entry::has_ended)
    }

    /// The owner of a session is done with it: what waits is dropped, what comes late is ignored.
    pub fn release(&mut self, id: &SessionId, now: Instant) {
        if self.owns(id) {
            self.remove(id);
            self.released.add(id.clone(), now + self.limits.remember);
        }
    }

    /// The next notification that may come out.
    pub fn take(&mut self) -> Option<Notification> {
        loop {
            let id = self.ready.pop_front()?;
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            entry.listed = false;
            let Some((what, freed)) = entry.pop() else { continue };
            self.bytes -= freed;
            self.list(&id);
            return Some(Notification { session: id, what });
        }
    }

    /// Puts a confirmed session with notifications in line.
    fn list(&mut self, id: &SessionId) {
        if let Some(entry) = self.entries.get_mut(id)
            && entry.is_open()
            && !entry.is_empty()
            && !std::mem::replace(&mut entry.listed, true)
        {
            self.ready.push_back(id.clone());
        }
    }

    fn remove(&mut self, id: &SessionId) {
        if let Some(entry) = self.entries.remove(id) {
            self.bytes -= entry.bytes();
            if entry.listed {
                self.ready.retain(|other| other != id);
            }
        }
    }

    /// Stats for those who watch.
    pub fn stats(&self) -> Stats {
        let held = self.entries.values().map(Entry::len).sum();
        Stats {
            sessions: self.entries.len() - self.unknown.len(),
            unknown: self.unknown.len(),
            starting: self.starts.len(),
            held,
            bytes: self.bytes,
            dropped: self.dropped,
        }
    }
}

/// How full the buffer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Sessions of ours.
    pub sessions: usize,
    /// Unknown sessions.
    pub unknown: usize,
    /// Create requests under way.
    pub starting: usize,
    /// Notifications that wait.
    pub held: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Notifications dropped so far because they were not consumed in time.
    pub dropped: u64,
}

/// Counts by closed names, for metrics.
pub type Tally = BTreeMap<&'static str, u64>;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
