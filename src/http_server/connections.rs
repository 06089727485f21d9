//! The connections of a server: how many there are, what each is doing, and which is evicted.
//!
//! Clients cannot keep the API server out: when all slots are taken, connections are evicted in the order of their
//! [`EvictionRank`]. Among those of one rank, the client with the most connections loses one, and it is the one that has
//! been longest in its phase.

use super::{
    Limits, Peer,
    observed_stream::StreamObserver,
    state::{EvictionRank, Phase, Requests, State},
};
use parking_lot::Mutex;
use std::{cmp::Reverse, collections::HashMap, io, net::IpAddr, sync::Arc};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// One connection.
struct Connection {
    address: IpAddr,
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
    /// A connection has become idle, so that it can be evicted.
    idle: Notify,
}

impl Connections {
    pub(super) fn new(limits: Limits) -> Self {
        let slots = Arc::new(Semaphore::new(limits.connections));
        Self { limits, slots, open: Mutex::default(), idle: Notify::new() }
    }

    /// The next connection, with a slot for it.
    pub(super) async fn accept(self: &Arc<Self>, listener: &TcpListener) -> io::Result<(TcpStream, Peer)> {
        let (stream, address) = listener.accept().await?;
        let address = address.ip().to_canonical();
        self.bound_strangers();
        let slot = Arc::new(self.register(address, self.permit().await?));
        Ok((stream, Peer { address, slot, chain: Arc::default() }))
    }

    /// Waits for a free slot. If all are taken, this evicts a connection, once there is one that can be evicted.
    async fn permit(&self) -> io::Result<OwnedSemaphorePermit> {
        if let Ok(permit) = self.slots.clone().try_acquire_owned() {
            return Ok(permit);
        }
        let evicted = async {
            while !self.make_room() {
                self.idle.notified().await;
            }
            std::future::pending().await
        };
        tokio::select! {
            permit = self.slots.clone().acquire_owned() => permit.map_err(io::Error::other),
            never = evicted => never,
        }
    }

    /// The slot of a connection that begins now.
    fn register(self: &Arc<Self>, address: IpAddr, permit: OwnedSemaphorePermit) -> ConnectionSlot {
        let state = Mutex::new(State::new(Instant::now()));
        let connection = Arc::new(Connection { address, state, close: CancellationToken::new() });
        let mut open = self.open.lock();
        open.last_id += 1;
        let id = open.last_id;
        open.connections.insert(id, connection.clone());
        ConnectionSlot { connections: self.clone(), id, connection, _permit: permit }
    }

    /// Whether slots are so few that idle connections are not kept.
    pub(super) fn is_scarce(&self) -> bool {
        self.slots.available_permits() < self.limits.spare
    }

    /// Evicts the first connection in the order of eviction, and more if they are unproven: a flood of connections is
    /// not to cost a search for each. False if there is none that can be evicted.
    pub(super) fn make_room(&self) -> bool {
        let mut open = self.open.lock();
        let mut of_client: HashMap<IpAddr, usize> = HashMap::new();
        for connection in open.connections.values() {
            *of_client.entry(connection.address).or_default() += 1;
        }
        let candidates = open.connections.iter().filter_map(|(id, connection)| {
            let state = *connection.state.lock();
            Some((state.eviction_rank()?, Reverse(of_client.get(&connection.address)), state.since, *id))
        });
        let mut candidates: Vec<_> = candidates.collect();
        candidates.sort_unstable();
        let unproven = candidates.iter().take_while(|(rank, ..)| *rank == EvictionRank::Unproven).count();
        candidates.truncate((self.limits.connections / 16).clamp(1, unproven.max(1)));
        for (.., id) in &candidates {
            if let Some(connection) = open.connections.remove(id) {
                connection.close.cancel();
            }
        }
        !candidates.is_empty()
    }

    /// Evicts strangers, if there are as many as there may be.
    fn bound_strangers(&self) {
        if self.limits.strangers >= self.limits.connections {
            return;
        }
        let is_stranger = |connection: &&Arc<Connection>| {
            let state = *connection.state.lock();
            state.phase != Phase::Handshake && state.eviction_rank() == Some(EvictionRank::Unproven)
        };
        let strangers = self.open.lock().connections.values().filter(is_stranger).count();
        if strangers >= self.limits.strangers {
            self.make_room();
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

    fn received_bytes(&self) {
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

    /// One of its requests was a good one: its client is one that the server is there for.
    pub fn prove(&self) {
        self.connection.state.lock().proven = true;
    }

    /// Whether one of its requests was a good one.
    pub(super) fn is_proven(&self) -> bool {
        self.connection.state.lock().proven
    }

    fn change(&self, change: impl FnOnce(&mut Requests)) {
        let mut state = self.connection.state.lock();
        state.change(Instant::now(), change);
        if state.phase == Phase::Idle {
            self.connections.idle.notify_one();
        }
    }

    /// Completes when the connection is to be closed.
    pub(super) async fn closed(&self) {
        self.connection.close.cancelled().await;
    }
}

/// Received bytes distinguish a request head that arrives slowly from an idle connection. The HTTP library has one timer
/// for both, and an API server keeps a connection idle for a minute and a half.
impl StreamObserver for Arc<ConnectionSlot> {
    fn received(&mut self, _: &[u8]) {
        self.received_bytes();
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
    use std::net::Ipv4Addr;

    async fn slot(connections: &Arc<Connections>) -> io::Result<ConnectionSlot> {
        slot_of(connections, 1).await
    }

    /// The slot of a client with that address.
    async fn slot_of(connections: &Arc<Connections>, last: u8) -> io::Result<ConnectionSlot> {
        let permit = connections.permit().await?;
        Ok(connections.register(Ipv4Addr::new(10, 0, 0, last).into(), permit))
    }

    const BUSY: Requests = Requests { busy: 1, quiet: 0 };

    fn is_evicted(slot: &ConnectionSlot) -> bool {
        slot.connection.close.is_cancelled()
    }

    fn of_two() -> Arc<Connections> {
        Arc::new(Connections::new(Limits { connections: 2, ..Limits::default() }))
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_server_evicts_who_has_proven_nothing_even_in_the_middle_of_a_request() {
        let connections = of_two();
        let good = Arc::new(slot(&connections).await.unwrap());
        let stalled = Arc::new(slot(&connections).await.unwrap());
        good.prove();
        let request = stalled.begin_request();
        let mut third = Box::pin(slot(&connections));
        assert!(futures::poll!(&mut third).is_pending());
        assert!(is_evicted(&stalled) && !is_evicted(&good));
        drop((request, stalled));
        assert!(third.await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn of_good_connections_the_idle_one_is_evicted_first() {
        let connections = of_two();
        let busy = Arc::new(slot(&connections).await.unwrap());
        let idle = Arc::new(slot(&connections).await.unwrap());
        let _request = busy.begin_request();
        busy.prove();
        idle.prove();
        assert!(connections.make_room());
        assert!(is_evicted(&idle) && !is_evicted(&busy));
        assert!(connections.make_room());
        assert!(is_evicted(&busy), "when all are busy, one is evicted too");
    }

    #[tokio::test(start_paused = true)]
    async fn the_client_with_the_most_connections_loses_one() {
        let connections = Arc::new(Connections::new(Limits { connections: 3, ..Limits::default() }));
        let few = slot_of(&connections, 1).await.unwrap();
        let many = [slot_of(&connections, 2).await.unwrap(), slot_of(&connections, 2).await.unwrap()];
        for slot in many.iter().chain([&few]) {
            slot.prove();
        }
        assert!(connections.make_room());
        assert!(is_evicted(&many[0]) && !is_evicted(&many[1]) && !is_evicted(&few));
    }

    #[tokio::test(start_paused = true)]
    async fn strangers_are_few_where_they_are_bounded() {
        let limits = Limits { connections: 8, strangers: 2, ..Limits::default() };
        let connections = Arc::new(Connections::new(limits));
        let mut known = Vec::new();
        for _ in 0..4 {
            connections.bound_strangers();
            let slot = Arc::new(slot(&connections).await.unwrap());
            slot.handshake_done();
            slot.prove();
            known.push(slot);
        }
        let mut strangers = Vec::new();
        for _ in 0..3 {
            connections.bound_strangers();
            let slot = slot(&connections).await.unwrap();
            slot.handshake_done();
            strangers.push(slot);
            tokio::time::advance(std::time::Duration::from_millis(1)).await;
        }
        let evicted: Vec<_> = strangers.iter().map(is_evicted).collect();
        assert_eq!(evicted, [true, false, false], "the one that was there longest");
        assert!(!known.iter().any(|slot| is_evicted(slot)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_full_of_tunnels_waits_for_one_that_can_be_evicted() {
        let connections = of_two();
        let tunnels =
            [Arc::new(slot(&connections).await.unwrap()), Arc::new(slot(&connections).await.unwrap())];
        tunnels.iter().for_each(|tunnel| tunnel.upgraded());
        let mut third = Box::pin(slot(&connections));
        assert!(futures::poll!(&mut third).is_pending());
        assert!(!tunnels.iter().any(|tunnel| is_evicted(tunnel)));
        let [first, _second] = tunnels;
        drop(first);
        assert!(third.await.is_ok());
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
        drop(two);
        assert_eq!(phase(), Phase::Idle);
        assert!(!slot.is_proven(), "a request alone proves nothing");
        slot.prove();
        drop(slot.begin_request());
        assert!(slot.is_proven());
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
        assert_eq!(state.eviction_rank(), None);
    }
}
