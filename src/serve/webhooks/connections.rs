//! The connections of a server: how many there are, what each is doing, and which has to go.
//!
//! It promises that strangers cannot keep the API server out. A connection may only take so long over each thing it
//! does, and when all places are taken, the one that waits without ever having asked anything makes room first, then
//! the one that has been idle longest. One that is being answered never does.

use super::Limits;
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Agreeing on keys.
    Handshake,
    /// Open, with nothing asked.
    Idle,
    /// Part of a request's head has come.
    Head,
    /// Requests are being answered.
    Answering(Answers),
}

/// The requests that are being answered on a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Answers {
    /// Those that are worked on, or whose client does not take what there is.
    busy: usize,
    /// Those whose client has all there is, and waits for more. That may take as long as it likes.
    quiet: usize,
}

/// A connection as decisions see it.
#[derive(Debug, Clone, Copy)]
struct State {
    phase: Phase,
    /// When the phase began.
    since: Instant,
    /// Whether a request was answered on it before.
    known: bool,
}

impl State {
    fn is_overdue(&self, now: Instant, limits: &Limits) -> bool {
        let limit = match self.phase {
            Phase::Handshake => limits.handshake,
            Phase::Idle => limits.idle,
            Phase::Head => limits.head,
            Phase::Answering(Answers { busy: 0, .. }) => return false,
            Phase::Answering(_) => limits.answer,
        };
        now.saturating_duration_since(self.since) >= limit
    }

    /// The connection with the lowest one makes room; without one it stays.
    fn eviction_priority(&self) -> Option<(bool, Instant)> {
        let answering = matches!(self.phase, Phase::Answering(_));
        (!answering).then_some((self.known, self.since))
    }
}

/// One connection.
struct Connection {
    state: Mutex<State>,
    close: CancellationToken,
}

/// All connections of a server.
pub(super) struct Connections {
    limits: Limits,
    places: Arc<Semaphore>,
    open: Mutex<(u64, HashMap<u64, Arc<Connection>>)>,
}

impl Connections {
    pub(super) fn new(limits: Limits) -> Self {
        let places = Arc::new(Semaphore::new(limits.connections));
        Self { limits, places, open: Mutex::default() }
    }

    /// A place for a new connection. If all are taken, another has to go; if all are being answered, this waits.
    pub(super) async fn place(self: &Arc<Self>) -> Option<ConnectionSlot> {
        let permit = match self.places.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                self.make_room();
                // Only a closed semaphore gives none, and nobody closes it.
                self.places.clone().acquire_owned().await.ok()?
            }
        };
        let state = State { phase: Phase::Handshake, since: Instant::now(), known: false };
        let connection = Arc::new(Connection { state: Mutex::new(state), close: CancellationToken::new() });
        let mut open = self.open.lock();
        open.0 += 1;
        let id = open.0;
        open.1.insert(id, connection.clone());
        Some(ConnectionSlot { connections: self.clone(), id, connection, _permit: permit })
    }

    /// Closes the connection that is worth least, and some more if they are strangers: a flood is not to cost a search
    /// for each of its connections.
    pub(super) fn make_room(&self) {
        let mut open = self.open.lock();
        let worths = open
            .1
            .iter()
            .filter_map(|(id, connection)| Some((connection.state.lock().eviction_priority()?, *id)));
        let mut worths: Vec<_> = worths.collect();
        worths.sort_unstable();
        let strangers = worths.iter().take_while(|((known, _), _)| !known).count();
        worths.truncate((self.limits.connections / 16).clamp(1, strangers.max(1)));
        for (_, id) in worths {
            if let Some(connection) = open.1.remove(&id) {
                connection.close.cancel();
            }
        }
    }

    /// Closes the connections that take too long.
    pub(super) fn close_overdue(&self, now: Instant) {
        for connection in self.open.lock().1.values() {
            if connection.state.lock().is_overdue(now, &self.limits) {
                connection.close.cancel();
            }
        }
    }

    /// Waits until no connection is left.
    pub(super) async fn none_left(&self) {
        // As many permits as there are places; a number of connections that u32 does not hold is no limit.
        let all = u32::try_from(self.limits.connections).unwrap_or(u32::MAX);
        let _ = self.places.acquire_many(all).await;
    }

    /// Closes all connections.
    pub(super) fn close_all(&self) {
        self.open.lock().1.values().for_each(|connection| connection.close.cancel());
    }
}

/// The place of one connection. It is free again once this is dropped.
pub(super) struct ConnectionSlot {
    connections: Arc<Connections>,
    id: u64,
    connection: Arc<Connection>,
    _permit: OwnedSemaphorePermit,
}

impl ConnectionSlot {
    /// The handshake is over.
    pub(super) fn shook_hands(&self) {
        *self.connection.state.lock() = State { phase: Phase::Idle, since: Instant::now(), known: false };
    }

    /// Bytes have come. On an idle connection they begin a request.
    pub(super) fn heard(&self) {
        let mut state = self.connection.state.lock();
        if state.phase == Phase::Idle {
            *state = State { phase: Phase::Head, since: Instant::now(), ..*state };
        }
    }

    /// A request has come. It counts as being answered until the guard is dropped.
    pub(super) fn answer(self: &Arc<Self>) -> Answering {
        self.change(|answers| answers.busy += 1);
        Answering { place: self.clone(), quiet: false }
    }

    /// Changes what is being answered. The phase begins again with each change.
    fn change(&self, change: impl FnOnce(&mut Answers)) {
        let mut state = self.connection.state.lock();
        let mut answers =
            if let Phase::Answering(answers) = state.phase { answers } else { Answers::default() };
        change(&mut answers);
        let since = Instant::now();
        *state = match answers {
            Answers { busy: 0, quiet: 0 } => State { phase: Phase::Idle, since, known: true },
            _ => State { phase: Phase::Answering(answers), since, ..*state },
        };
    }

    /// Ends when the connection has to go.
    pub(super) async fn has_to_go(&self) {
        self.connection.close.cancelled().await;
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.connections.open.lock().1.remove(&self.id);
    }
}

/// A request that is being answered.
pub(super) struct Answering {
    place: Arc<ConnectionSlot>,
    quiet: bool,
}

impl Answering {
    /// Its client has all there is, and waits for more.
    pub(super) fn waits(&mut self) {
        if !std::mem::replace(&mut self.quiet, true) {
            self.place.change(|answers| {
                answers.busy = answers.busy.saturating_sub(1);
                answers.quiet += 1;
            });
        }
    }

    /// There is more for its client, who has some time to take it.
    pub(super) fn goes_on(&mut self) {
        let quiet = std::mem::replace(&mut self.quiet, false);
        self.place.change(|answers| {
            if quiet {
                answers.quiet = answers.quiet.saturating_sub(1);
                answers.busy += 1;
            }
        });
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.place.change(|answers| {
            let count = if self.quiet { &mut answers.quiet } else { &mut answers.busy };
            *count = count.saturating_sub(1);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn state(phase: Phase, since: Instant, known: bool) -> State {
        State { phase, since, known }
    }

    const BUSY: Answers = Answers { busy: 1, quiet: 0 };

    #[test]
    fn strangers_go_first_and_then_the_longest_idle() {
        let old = Instant::now();
        let new = old + Duration::from_secs(9);
        let order = [
            state(Phase::Handshake, old, false),
            state(Phase::Idle, new, false),
            state(Phase::Idle, old, true),
            state(Phase::Head, new, true),
        ];
        assert!(order.is_sorted_by_key(State::eviction_priority));
        assert!(order.iter().all(|state| state.eviction_priority().is_some()));
        assert_eq!(state(Phase::Answering(BUSY), old, false).eviction_priority(), None);
    }

    #[test]
    fn each_phase_has_its_limit() {
        let limits = Limits::default();
        let since = Instant::now();
        for (phase, limit) in [
            (Phase::Handshake, limits.handshake),
            (Phase::Idle, limits.idle),
            (Phase::Head, limits.head),
            (Phase::Answering(Answers { busy: 3, quiet: 1 }), limits.answer),
        ] {
            let state = state(phase, since, true);
            assert!(!state.is_overdue(since + limit - Duration::from_millis(1), &limits), "{phase:?}");
            assert!(state.is_overdue(since + limit, &limits), "{phase:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_server_makes_room_and_a_busy_one_waits() {
        let connections = Arc::new(Connections::new(Limits { connections: 2, ..Limits::default() }));
        let first = Arc::new(connections.place().await.unwrap());
        let second = Arc::new(connections.place().await.unwrap());
        let answering = first.answer();
        let mut third = Box::pin(connections.place());
        assert!(futures::poll!(&mut third).is_pending());
        assert!(second.connection.close.is_cancelled(), "the second does nothing, so it has to go");
        assert!(!first.connection.close.is_cancelled());
        drop(second);
        let third = Arc::new(third.await.unwrap());

        let _also = third.answer();
        let mut fourth = Box::pin(connections.place());
        assert!(futures::poll!(&mut fourth).is_pending());
        assert!(!first.connection.close.is_cancelled() && !third.connection.close.is_cancelled());
        drop(answering);
        drop(first);
        assert!(fourth.await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn phases_follow_what_happens() {
        let connections = Arc::new(Connections::new(Limits::default()));
        let place = Arc::new(connections.place().await.unwrap());
        let phase = || place.connection.state.lock().phase;
        assert_eq!(phase(), Phase::Handshake);
        place.heard();
        assert_eq!(phase(), Phase::Handshake, "the bytes of a handshake begin no request");
        place.shook_hands();
        place.heard();
        assert_eq!(phase(), Phase::Head);
        let (one, two) = (place.answer(), place.answer());
        place.heard();
        drop(one);
        assert_eq!(phase(), Phase::Answering(BUSY));
        assert!(!place.connection.state.lock().known);
        drop(two);
        assert_eq!(phase(), Phase::Idle);
        assert!(place.connection.state.lock().known);
    }
    #[tokio::test(start_paused = true)]
    async fn who_waits_for_more_has_time_and_who_does_not_take_it_has_not() {
        let limits = Limits::default();
        let connections = Arc::new(Connections::new(limits));
        let place = Arc::new(connections.place().await.unwrap());
        let is_overdue = || place.connection.state.lock().is_overdue(Instant::now(), &limits);
        let long = async || tokio::time::advance(2 * limits.answer).await;
        place.shook_hands();
        let mut answering = place.answer();
        answering.waits();
        long().await;
        answering.waits();
        assert!(!is_overdue());
        assert_eq!(place.connection.state.lock().eviction_priority(), None, "it does not make room");
        answering.goes_on();
        assert!(!is_overdue());
        long().await;
        assert!(is_overdue());
        answering.goes_on();
        assert!(!is_overdue(), "it took something");
        let other = place.answer();
        answering.waits();
        assert_eq!(place.connection.state.lock().phase, Phase::Answering(Answers { busy: 1, quiet: 1 }));
        long().await;
        assert!(is_overdue(), "the other one counts");
        drop(other);
        long().await;
        assert!(!is_overdue());
        drop(answering);
        assert_eq!(place.connection.state.lock().phase, Phase::Idle);
    }
}
