//! Who leads, as a plain function of what was seen and when: no client, no clock.
//!
//! Two promises. **Never two leaders**, for any interleaving of candidates, lost, late and repeated
//! messages, as long as the clocks of two machines run at speeds that differ by less than the ratio of
//! lease to renew deadline (15 to 10 by default). And **progress**: when the store answers, somebody leads
//! one lease later.
//!
//! StepDownReason it holds: a leader counts its time from the moment *before* it sent the write that succeeded, and
//! stops at the renew deadline. A candidate counts from the moment *after* it saw that write, and waits
//! for the whole lease. The times in the Lease itself are written for people, never read. Every write
//! names the version that was read, so of two candidates that see the same expired Lease one is refused.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use std::time::{Duration, Instant};

/// A record that claims to be valid for longer does not keep candidates away for longer.
const MAX_LEASE: Duration = Duration::from_secs(600);

/// The times of an election.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long candidates wait after the last sign of life of a leader.
    pub lease: Duration,
    /// How long a leader goes on without a successful renewal.
    pub renew_deadline: Duration,
    /// Time between renewals, and between looks of a candidate.
    pub retry: Duration,
}

impl Default for Timing {
    /// The times of the original (and of every Go operator).
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry: Duration::from_secs(2),
        }
    }
}

/// Times that cannot work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a lease must be longer than its renew deadline, and that longer than two retries")]
pub struct CheckTimingError;

/// Why a leader steps down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepDownReason {
    /// No renewal succeeded within the deadline.
    Deadline,
    /// Another replica holds the Lease.
    Taken,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Read the Lease.
    Observe,
    /// Write a Lease where there is none.
    Create,
    /// Acquire the Lease from its last holder.
    Acquire,
    /// Renew the Lease.
    Renew,
    /// Wait.
    Wait(Duration),
    /// Stop leading, at once.
    StepDown(StepDownReason),
}

/// The Lease as last observed.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The Lease; `None` when there is none.
    pub lease: Option<Lease>,
    /// When, by our own clock, its record last became another one.
    pub changed: Instant,
    /// When it was last read or written.
    pub read_at: Instant,
    /// There is none, and there was one that another one held: it may not have noticed yet.
    pub gone: bool,
}

/// The state of one candidate.
#[derive(Clone, Debug)]
pub struct Elector {
    identity: String,
    name: String,
    timing: Timing,
    seen: Option<Observed>,
    /// What is seen is known to be old: a write was refused or its end is unknown.
    stale: bool,
    /// When we sent the last write that succeeded, while we lead.
    held: Option<Instant>,
}

/// The next step of `identity`, which leads since the write sent at `held`.
pub fn decide(seen: &Observed, identity: &str, held: Option<Instant>, now: Instant, timing: &Timing) -> Step {
    let spec = seen.lease.as_ref().and_then(|lease| lease.spec.as_ref());
    let holder = spec.and_then(|spec| spec.holder_identity.as_deref()).unwrap_or_default();
    if let Some(held) = held {
        let age = now.saturating_duration_since(held);
        return if age >= timing.renew_deadline {
            Step::StepDown(StepDownReason::Deadline)
        } else if holder != identity {
            Step::StepDown(StepDownReason::Taken)
        } else if age >= timing.retry {
            Step::Renew
        } else {
            Step::Wait(timing.retry - age)
        };
    }
    let read_at = now.saturating_duration_since(seen.read_at);
    let to_next_look = timing.retry.saturating_sub(read_at);
    if to_next_look.is_zero() {
        return Step::Observe;
    }
    let quiet = now.saturating_duration_since(seen.changed);
    if seen.lease.is_none() {
        return match timing.lease.saturating_sub(quiet) {
            left if seen.gone && !left.is_zero() => Step::Wait(left.min(to_next_look)),
            _ => Step::Create,
        };
    }
    if holder.is_empty() {
        return Step::Acquire;
    }
    if holder == identity {
        return Step::Renew;
    }
    let valid = spec.and_then(|spec| spec.lease_duration_seconds).unwrap_or_default();
    let valid = Duration::from_secs(u64::try_from(valid).unwrap_or_default());
    let valid = valid.clamp(timing.lease, MAX_LEASE.max(timing.lease));
    match valid.saturating_sub(quiet) {
        Duration::ZERO => Step::Acquire,
        left => Step::Wait(left.min(to_next_look)),
    }
}

/// `wall`, or the moment after `old` when a clock stands still or was set back: a renewal that looks like an
/// earlier one is no sign of life, and must not cost the Lease.
fn after(old: Option<&MicroTime>, wall: Timestamp) -> Timestamp {
    let next = old.and_then(|old| old.0.checked_add(SignedDuration::from_micros(1)).ok());
    next.map_or(wall, |next| next.max(wall))
}

impl Timing {
    /// Refuses times with which a leader would lose its Lease for no reason, or keep it too long.
    pub fn check(self) -> Result<Self, CheckTimingError> {
        let works = !self.retry.is_zero()
            && self.renew_deadline > self.retry * 2
            && self.lease > self.renew_deadline
            && self.lease.subsec_nanos() == 0;
        works.then_some(self).ok_or(CheckTimingError)
    }
}

impl Elector {
    /// A candidate for the Lease `name`. `identity` must be unique among all processes that ever take part.
    pub fn new(identity: String, name: String, timing: Timing) -> Self {
        Self { identity, name, timing, seen: None, stale: false, held: None }
    }

    /// What to do next.
    pub fn next(&self, now: Instant) -> Step {
        // The deadline comes first: a leader whose writes hang must not look again before it stops.
        let late = self.leads_until().is_some_and(|until| now >= until);
        match &self.seen {
            Some(seen) if late || !self.stale => decide(seen, &self.identity, self.held, now, &self.timing),
            _ => Step::Observe,
        }
    }

    /// Until when we lead if nothing more succeeds; `None` when we do not.
    pub fn leads_until(&self) -> Option<Instant> {
        self.held.map(|held| held + self.timing.renew_deadline)
    }

    /// How long a request that starts now may take.
    pub fn request_timeout(&self, now: Instant) -> Duration {
        let half = self.timing.renew_deadline / 2;
        self.leads_until().map_or(half, |until| half.min(until.saturating_duration_since(now)))
    }

    /// The Lease to write for `Create`, `Acquire` and `Renew`. `wall` is shown to people only.
    pub fn record(&self, wall: Timestamp) -> Lease {
        let mut lease = self.seen.as_ref().and_then(|seen| seen.lease.clone()).unwrap_or_default();
        lease.metadata.name = Some(self.name.clone());
        let old = lease.spec.take().unwrap_or_default();
        let mine = old.holder_identity.as_deref() == Some(&self.identity);
        let taken = if lease.metadata.resource_version.is_none() || mine { 0 } else { 1 };
        lease.spec = Some(LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(i32::try_from(self.timing.lease.as_secs()).unwrap_or(i32::MAX)),
            acquire_time: old.acquire_time.filter(|_| mine).or(Some(MicroTime(wall))),
            renew_time: Some(MicroTime(after(old.renew_time.as_ref().filter(|_| mine), wall))),
            lease_transitions: Some(old.lease_transitions.unwrap_or_default().saturating_add(taken)),
            ..old
        });
        lease
    }

    /// The Lease to write when we go, so that the next one need not wait; `None` when it is not ours.
    /// We lead no more from here on.
    pub fn release(&mut self, wall: Timestamp) -> Option<Lease> {
        self.held = None;
        let mut lease = self.seen.as_ref()?.lease.clone()?;
        let spec =
            lease.spec.as_mut().filter(|spec| spec.holder_identity.as_deref() == Some(&self.identity))?;
        spec.holder_identity = Some(String::new());
        spec.lease_duration_seconds = Some(1);
        spec.renew_time = Some(MicroTime(wall));
        Some(lease)
    }

    /// The Lease was read.
    pub fn observed(&mut self, lease: Option<Lease>, now: Instant) {
        let record = |lease: &Option<Lease>| lease.as_ref().and_then(|lease| lease.spec.clone());
        // Labels may change as they like; only the record is a sign of life.
        let changed = match &self.seen {
            Some(seen) if record(&seen.lease) == record(&lease) => seen.changed,
            _ => now,
        };
        let others = |lease: &Lease| {
            let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref());
            holder.is_some_and(|holder| !holder.is_empty() && holder != self.identity)
        };
        let was_held = |seen: &Observed| seen.gone || seen.lease.as_ref().is_some_and(others);
        let gone = lease.is_none() && self.seen.as_ref().is_some_and(was_held);
        self.seen = Some(Observed { lease, changed, read_at: now, gone });
        self.stale = false;
    }

    /// A write that was sent at `sent` succeeded, and the Lease now is `lease`.
    pub fn wrote(&mut self, lease: Lease, sent: Instant, now: Instant) {
        self.observed(Some(lease), now);
        self.held = Some(sent);
    }

    /// A read or write failed, or was given up: what we have seen may no longer be so.
    pub fn failed(&mut self) {
        self.stale = true;
    }

    /// Whether it calls for a look that a watch says who holds the Lease now: another one while we lead, or
    /// nobody while we do not.
    pub fn calls_for_read(&self, holder: Option<&str>) -> bool {
        match self.held {
            Some(_) => holder != Some(&self.identity),
            None => holder.is_none(),
        }
    }

    /// What is seen may no longer be so.
    pub fn invalidate(&mut self) {
        self.stale = true;
    }

    /// We stopped leading.
    pub fn stepped_down(&mut self) {
        self.held = None;
        self.stale = true;
    }
}
