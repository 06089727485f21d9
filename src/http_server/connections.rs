//! The connections of a server: how many there are, what each is doing, and which is evicted.
//!
//! Clients that never sent a request cannot keep the API server out: when all slots are taken, connections are evicted
//! in the order of their [`State`].

use super::{
    Limits, Peer, WhenFull,
    state::{Requests, State},
};
use parking_lot::Mutex;
use std::{collections::HashMap, io, sync::Arc};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// One connection.
struct Connection {
    state: Mutex<State>,
    close: CancellationToken,
}

/// The connections that are open, by a number that is never used again.
#[derive(Default)]
struct Open {
    last_id: u64,
    connections: HashMap<u64, Arc<Connection>>,
}

/// All connections of a server.
pub(super) struct Connections {
    limits: Limits,
    slots: Arc<Semaphore>,
    open: Mutex<Open>,
}

impl Connections {
    pub(super) fn new(limits: Limits) -> Self {
        let slots = Arc::new(Semaphore::new(limits.connections));
        Self { limits, slots, open: Mutex::default() }
    }

    /// The next connection, with a slot for it.
    pub(super) async fn accept(self: &Arc<Self>, listener: &TcpListener) -> io::Result<(TcpStream, Peer)> {
        let ((stream, address), permit) = match self.limits.when_full {
            WhenFull::Evict => (listener.accept().await?, self.permit().await?),
            WhenFull::Wait { .. } => {
                let permit = self.permit().await?;
                (listener.accept().await?, permit)
            }
        };
        let slot = Arc::new(self.register(permit));
        Ok((stream, Peer { address: address.ip().to_canonical(), slot }))
    }

    /// Waits for a free slot. If all are taken, this evicts connections or not, as the limits say.
    async fn permit(&self) -> io::Result<OwnedSemaphorePermit> {
        if let Ok(permit) = self.slots.clone().try_acquire_owned() {
            return Ok(permit);
        }
        if self.limits.when_full == WhenFull::Evict {
            self.make_room();
        }
        self.slots.clone().acquire_owned().await.map_err(io::Error::other)
    }

    /// The slot of a connection that begins now.
    fn register(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> ConnectionSlot {
        let state = Mutex::new(State::new(Instant::now()));
        let connection = Arc::new(Connection { state, close: CancellationToken::new() });
        let mut open = self.open.lock();
        open.last_id += 1;
        let id = open.last_id;
        open.connections.insert(id, connection.clone());
        ConnectionSlot { connections: self.clone(), id, connection, _permit: permit }
    }

    /// Whether slots are so few that idle connections are not kept.
    pub(super) fn is_scarce(&self) -> bool {
        match self.limits.when_full {
            WhenFull::Evict => false,
            WhenFull::Wait { spare } => self.slots.available_permits() < spare,
        }
    }

    /// Evicts the connection with the lowest priority, and more if they are unproven: a flood of connections is not to
    /// cost a search for each.
    pub(super) fn make_room(&self) {
        let mut open = self.open.lock();
        let candidates = open
            .connections
            .iter()
            .filter_map(|(id, connection)| Some((connection.state.lock().eviction_priority()?, *id)));
        let mut candidates: Vec<_> = candidates.collect();
        candidates.sort_unstable();
        let unproven = candidates.iter().take_while(|((proven, _), _)| !proven).count();
        candidates.truncate((self.limits.connections / 16).clamp(1, unproven.max(1)));
        for (_, id) in candidates {
            if let Some(connection) = open.connections.remove(&id) {
                connection.close.cancel();
            }
        }
    }

    /// Closes the connections that exceed a limit.
    pub(super) fn close_overdue(&self, now: Instant) {
        for connection in self.open.lock().connections.values() {
            if connection.state.lock().is_overdue(now, &self.limits) {
                connection.close.cancel();
            }
        }
    }

    /// Closes all connections.
    pub(super) fn close_all(&self) {
        self.open.lock().connections.values().for_each(|connection| connection.close.cancel());
    }
}

/// The slot of one connection. It is free again once this is dropped.
pub struct ConnectionSlot {
    connections: Arc<Connections>,
    id: u64,
    connection: Arc<Connection>,
    _permit: OwnedSemaphorePermit,
}

impl ConnectionSlot {
    /// The TLS handshake is done.
    pub(super) fn handshake_done(&self) {
        self.connection.state.lock().handshake_done(Instant::now());
    }

    /// Bytes have been received. On an idle connection they begin a request.
    pub(super) fn received_bytes(&self) {
        self.connection.state.lock().received_bytes(Instant::now());
    }

    /// A request has been received. It is in progress until the guard is dropped.
    pub(super) fn begin_request(self: &Arc<Self>) -> RequestInProgress {
        self.change(|requests| requests.busy += 1);
        RequestInProgress { slot: self.clone(), quiet: false }
    }

    /// The connection has become a tunnel.
    pub(super) fn upgraded(&self) {
        self.connection.state.lock().upgraded();
    }

    fn change(&self, change: impl FnOnce(&mut Requests)) {
        self.connection.state.lock().change(Instant::now(), change);
    }

    /// Completes when the connection is to be closed.
    pub(super) async fn closed(&self) {
        self.connection.close.cancelled().await;
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.connections.open.lock().connections.remove(&self.id);
    }
}

/// A request in progress.
pub(super) struct RequestInProgress {
    slot: Arc<ConnectionSlot>,
    quiet: bool,
}

impl RequestInProgress {
    /// Its client has received all that is there, and waits for more.
    pub(super) fn wait_for_data(&mut self) {
        if !std::mem::replace(&mut self.quiet, true) {
            self.slot.change(|requests| {
                requests.busy = requests.busy.saturating_sub(1);
                requests.quiet += 1;
            });
        }
    }

    /// There is more for its client, which has limited time to receive it.
    pub(super) fn wait_for_client(&mut self) {
        let quiet = std::mem::replace(&mut self.quiet, false);
        self.slot.change(|requests| {
            if quiet {
                requests.quiet = requests.quiet.saturating_sub(1);
                requests.busy += 1;
            }
        });
    }
}

impl Drop for RequestInProgress {
    fn drop(&mut self) {
        self.slot.change(|requests| {
            let count = if self.quiet { &mut requests.quiet } else { &mut requests.busy };
            *count = count.saturating_sub(1);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http_server::state::Phase;

    async fn slot(connections: &Arc<Connections>) -> io::Result<ConnectionSlot> {
        Ok(connections.register(connections.permit().await?))
    }

    const BUSY: Requests = Requests { busy: 1, quiet: 0 };

    #[tokio::test(start_paused = true)]
    async fn a_full_server_evicts_and_a_busy_one_waits() {
        let connections = Arc::new(Connections::new(Limits { connections: 2, ..Limits::default() }));
        let first = Arc::new(slot(&connections).await.unwrap());
        let second = Arc::new(slot(&connections).await.unwrap());
        let request = first.begin_request();
        let mut third = Box::pin(slot(&connections));
        assert!(futures::poll!(&mut third).is_pending());
        assert!(second.connection.close.is_cancelled(), "the second is idle, so it is evicted");
        assert!(!first.connection.close.is_cancelled());
        drop(second);
        let third = Arc::new(third.await.unwrap());

        let _also = third.begin_request();
        let mut fourth = Box::pin(slot(&connections));
        assert!(futures::poll!(&mut fourth).is_pending());
        assert!(!first.connection.close.is_cancelled() && !third.connection.close.is_cancelled());
        drop(request);
        drop(first);
        assert!(fourth.await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn the_phase_follows_the_requests() {
        let connections = Arc::new(Connections::new(Limits::default()));
        let slot = Arc::new(slot(&connections).await.unwrap());
        let phase = || slot.connection.state.lock().phase;
        assert_eq!(phase(), Phase::Handshake);
        slot.received_bytes();
        assert_eq!(phase(), Phase::Handshake, "the bytes of a handshake begin no request");
        slot.handshake_done();
        slot.received_bytes();
        assert_eq!(phase(), Phase::Head);
        let (one, two) = (slot.begin_request(), slot.begin_request());
        slot.received_bytes();
        drop(one);
        assert_eq!(phase(), Phase::Requests(BUSY));
        assert!(!slot.connection.state.lock().proven);
        drop(two);
        assert_eq!(phase(), Phase::Idle);
        assert!(slot.connection.state.lock().proven);
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_client_that_receives_nothing_is_overdue() {
        let limits = Limits::default();
        let connections = Arc::new(Connections::new(limits));
        let slot = Arc::new(slot(&connections).await.unwrap());
        let is_overdue = || slot.connection.state.lock().is_overdue(Instant::now(), &limits);
        let long = async || tokio::time::advance(2 * limits.answer).await;
        slot.handshake_done();
        let mut request = slot.begin_request();
        request.wait_for_data();
        long().await;
        request.wait_for_data();
        assert!(!is_overdue());
        assert_eq!(slot.connection.state.lock().eviction_priority(), None, "it is not evicted");
        request.wait_for_client();
        assert!(!is_overdue());
        long().await;
        assert!(is_overdue());
        request.wait_for_client();
        assert!(!is_overdue(), "it received something");
        let other = slot.begin_request();
        request.wait_for_data();
        assert_eq!(slot.connection.state.lock().phase, Phase::Requests(Requests { busy: 1, quiet: 1 }));
        long().await;
        assert!(is_overdue(), "the other one counts");
        drop(other);
        long().await;
        assert!(!is_overdue());
        drop(request);
        assert_eq!(slot.connection.state.lock().phase, Phase::Idle);
    }

    #[tokio::test(start_paused = true)]
    async fn a_tunnel_is_neither_overdue_nor_evicted() {
        let limits = Limits::default();
        let connections = Arc::new(Connections::new(limits));
        let slot = Arc::new(slot(&connections).await.unwrap());
        slot.handshake_done();
        let request = slot.begin_request();
        slot.upgraded();
        drop(request);
        let state = *slot.connection.state.lock();
        assert!(!state.is_overdue(Instant::now() + 9 * limits.idle, &limits));
        assert_eq!(state.eviction_priority(), None);
    }
}
