//! Sums over all connections, for metrics.

use super::ide_connection::IdeConnection;
use crate::{
    ide::{ConnectionState, connection::ConnectionStats},
    telemetry::ides::{IdeStats, Tally},
};

/// What closed connections have counted.
#[derive(Debug, Default)]
pub(super) struct ClosedConnections(ConnectionStats);

impl ClosedConnections {
    /// Adds what a connection has counted.
    pub(super) fn add(&mut self, connection: &IdeConnection) {
        sum(&mut self.0, connection.connection.counts());
    }

    /// What all connections have counted, with the state of those that are `open`. Sessions are not counted here.
    pub(super) fn with_open<'a>(&self, open: impl Iterator<Item = &'a IdeConnection>) -> IdeStats {
        let mut all = self.0.clone();
        let mut stats = IdeStats::default();
        for IdeConnection { connection, .. } in open {
            let counts = connection.counts();
            stats.held += counts.buffer.held as u64;
            sum(&mut all, counts);
            match &*connection.link().borrow() {
                ConnectionState::Connected(_) => stats.connected += 1,
                ConnectionState::Connecting { .. } | ConnectionState::Closed => stats.connecting += 1,
            }
        }
        let (connections, dropped) = (all.connections, all.buffer.dropped);
        IdeStats { connections, dropped, received: all.received, skipped: all.skipped, ..stats }
    }
}

/// Adds the counters of `one`; gauges are not summed.
fn sum(all: &mut ConnectionStats, one: ConnectionStats) {
    let add = |all: &mut Tally, one: Tally| {
        one.into_iter().for_each(|(name, count)| *all.entry(name).or_default() += count)
    };
    add(&mut all.received, one.received);
    add(&mut all.skipped, one.skipped);
    all.connections += one.connections;
    all.buffer.dropped += one.buffer.dropped;
}
