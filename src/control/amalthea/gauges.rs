//! The sessions as metrics show them.

use super::Reconciler;
use crate::{
    control::key::Key,
    core::amalthea::summary::Summary,
    telemetry::sessions::{SessionGauge, SessionGauges},
};
use jiff::Timestamp;
use std::sync::Arc;

/// A snapshot of all sessions at each scrape.
pub(super) struct Gauges(pub(super) Arc<Reconciler>);

impl SessionGauges for Gauges {
    fn snapshot(&self) -> Vec<SessionGauge> {
        let now = Timestamp::now();
        let seconds = |since: Option<Timestamp>| {
            since.map_or(0.0, |since| now.duration_since(since).as_secs_f64().max(0.0))
        };
        let index = self.0.index.read();
        let gauge = |(key, summary): (&Key, &Summary)| SessionGauge {
            namespace: key.namespace.to_string(),
            name: key.name.to_string(),
            state: summary.state,
            idle: summary.idle,
            ready: summary.ready,
            total: summary.total,
            idle_seconds: seconds(summary.idle_since),
            failing_seconds: seconds(summary.failing_since),
            hibernated_seconds: seconds(summary.hibernated_since),
            failed_scheduling_seconds: seconds(summary.failed_scheduling_since),
            will_hibernate_at: summary.will_hibernate_at.map_or(0.0, |at| at.as_second() as f64),
        };
        index.summaries().map(gauge).collect()
    }
}
