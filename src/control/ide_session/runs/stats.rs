//! What is known of all IDEs, for metrics.

use super::{Runs, ide_connection::IdeConnection};
use crate::{
    ide::{Link, connection::Counts},
    telemetry::ides::{IdeStats, RequestMetrics, Tally},
};

/// What was counted by connections that are closed.
#[derive(Debug, Default)]
pub(super) struct Past(Counts);

impl Past {
    /// Takes along what a connection counted.
    pub(super) fn add(&mut self, peer: &IdeConnection) {
        sum(&mut self.0, peer.connection.counts());
    }
}

impl Runs {
    /// What is known of all IDEs, but for who is at them.
    pub fn stats(&self) -> IdeStats {
        let state = self.state.lock();
        let mut all = state.past.0.clone();
        let mut figures = IdeStats::default();
        for peer in state.peers.values() {
            let counts = peer.connection.counts();
            figures.held += counts.buffer.held as u64;
            sum(&mut all, counts);
            match &*peer.connection.link().borrow() {
                Link::Connected(_) => figures.connected += 1,
                Link::Connecting { .. } | Link::Closed => figures.connecting += 1,
            }
        }
        let (connections, dropped) = (all.connections, all.buffer.dropped);
        IdeStats { connections, dropped, received: all.received, skipped: all.skipped, ..figures }
    }

    /// What is asked of IDEs.
    pub fn requests(&self) -> &RequestMetrics {
        &self.requests
    }
}

/// Adds what only ever grows.
fn sum(all: &mut Counts, one: Counts) {
    let add = |all: &mut Tally, one: Tally| {
        one.into_iter().for_each(|(name, count)| *all.entry(name).or_default() += count)
    };
    add(&mut all.received, one.received);
    add(&mut all.skipped, one.skipped);
    all.connections += one.connections;
    all.buffer.dropped += one.buffer.dropped;
}
