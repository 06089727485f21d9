//! The state of one connection: its phase, and what follows from it.
//!
//! Each phase has its limit, and in which order connections are evicted is said by their [`EvictionRank`].

use super::Limits;
use tokio::time::Instant;

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// It agrees on keys; in clear, it has not sent a request yet.
    Handshake,
    /// It waits for a request.
    Idle,
    /// It has received part of a request's head.
    Head,
    /// It has requests in progress.
    Requests(Requests),
    /// It is a tunnel.
    Upgraded,
}

/// The requests in progress on a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Requests {
    /// Those that are worked on, or whose client has not received all that is there.
    pub(super) busy: usize,
    /// Those whose client has received all that is there, and waits for more. That has no limit.
    pub(super) quiet: usize,
}

/// The state of a connection by which it is closed or evicted.
#[derive(Debug, Clone, Copy)]
pub(super) struct State {
    pub(super) phase: Phase,
    /// When the phase began.
    pub(super) since: Instant,
    /// Whether the service found one of its requests to be a good one.
    pub(super) proven: bool,
}

/// In which order connections are evicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum EvictionRank {
    /// Nothing good is known of it. It may have requests in progress: a client can make them take as long as it likes.
    Unproven,
    /// It has carried a good request, and has none in progress.
    Idle,
    /// It has carried a good request, and has others in progress.
    Busy,
}

impl State {
    /// A connection that begins now.
    pub(super) fn new(now: Instant) -> Self {
        Self { phase: Phase::Handshake, since: now, proven: false }
    }

    /// The handshake is done.
    pub(super) fn handshake_done(&mut self, now: Instant) {
        *self = Self { phase: Phase::Idle, since: now, proven: false };
    }

    /// Bytes have been received. On an idle connection they begin a request.
    pub(super) fn received_bytes(&mut self, now: Instant) {
        if self.phase == Phase::Idle {
            *self = Self { phase: Phase::Head, since: now, ..*self };
        }
    }

    /// The connection has become a tunnel.
    pub(super) fn upgraded(&mut self) {
        self.phase = Phase::Upgraded;
    }

    /// Changes the requests in progress. Each change begins the phase anew.
    pub(super) fn change(&mut self, since: Instant, change: impl FnOnce(&mut Requests)) {
        let mut requests = match self.phase {
            Phase::Requests(requests) => requests,
            Phase::Upgraded => return,
            Phase::Handshake | Phase::Idle | Phase::Head => Requests::default(),
        };
        change(&mut requests);
        *self = match requests {
            Requests { busy: 0, quiet: 0 } => Self { phase: Phase::Idle, since, ..*self },
            _ => Self { phase: Phase::Requests(requests), since, ..*self },
        };
    }

    /// True when the phase lasts longer than its limit.
    pub(super) fn is_overdue(&self, now: Instant, limits: &Limits) -> bool {
        let limit = match self.phase {
            Phase::Handshake => limits.handshake,
            Phase::Idle => limits.idle,
            Phase::Head => limits.head,
            Phase::Requests(Requests { busy: 0, .. }) | Phase::Upgraded => return false,
            Phase::Requests(_) => limits.answer,
        };
        now.saturating_duration_since(self.since) >= limit
    }

    /// Its place in the order of eviction. A tunnel has none: it is never evicted.
    pub(super) fn eviction_rank(&self) -> Option<EvictionRank> {
        match self.phase {
            Phase::Upgraded => None,
            _ if !self.proven => Some(EvictionRank::Unproven),
            Phase::Requests(_) => Some(EvictionRank::Busy),
            Phase::Handshake | Phase::Idle | Phase::Head => Some(EvictionRank::Idle),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn state(phase: Phase, since: Instant, proven: bool) -> State {
        State { phase, since, proven }
    }

    const BUSY: Requests = Requests { busy: 1, quiet: 0 };

    #[test]
    fn unproven_connections_are_evicted_first_and_requests_in_progress_last() {
        let rank = |phase, proven| state(phase, Instant::now(), proven).eviction_rank();
        let quiet = Requests { busy: 0, quiet: 1 };
        for phase in
            [Phase::Handshake, Phase::Idle, Phase::Head, Phase::Requests(BUSY), Phase::Requests(quiet)]
        {
            assert_eq!(rank(phase, false), Some(EvictionRank::Unproven), "{phase:?}");
        }
        assert!(rank(Phase::Idle, false) < rank(Phase::Idle, true));
        assert!(rank(Phase::Idle, true) < rank(Phase::Requests(BUSY), true));
        assert_eq!(rank(Phase::Upgraded, false), None);
    }

    #[test]
    fn each_phase_has_its_limit() {
        let limits = Limits::default();
        let since = Instant::now();
        for (phase, limit) in [
            (Phase::Handshake, limits.handshake),
            (Phase::Idle, limits.idle),
            (Phase::Head, limits.head),
            (Phase::Requests(Requests { busy: 3, quiet: 1 }), limits.answer),
        ] {
            let state = state(phase, since, true);
            assert!(!state.is_overdue(since + limit - Duration::from_millis(1), &limits), "{phase:?}");
            assert!(state.is_overdue(since + limit, &limits), "{phase:?}");
        }
    }
}
