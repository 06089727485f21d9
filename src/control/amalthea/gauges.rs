//! The sessions as metrics show them.

use super::Reconciler;
use crate::telemetry::sessions::{SessionGauge, SessionGauges};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use std::sync::Arc;

/// A snapshot of all sessions at each scrape.
pub(super) struct Gauges(pub(super) Arc<Reconciler>);

impl SessionGauges for Gauges {
    fn snapshot(&self) -> Vec<SessionGauge> {
        let now = Timestamp::now();
        let since = |time: &Option<Time>| {
            time.as_ref().map_or(0.0, |time| now.duration_since(time.0).as_secs_f64().max(0.0))
        };
        let count = |count: i64| u32::try_from(count).unwrap_or(0);
        let index = self.0.index.read();
        index
            .sessions()
            .map(|(key, session)| {
                let status = session.status.clone().unwrap_or_default();
                SessionGauge {
                    namespace: key.namespace.to_string(),
                    name: key.name.to_string(),
                    state: status.state,
                    idle: status.idle,
                    ready: count(status.container_counts.ready),
                    total: count(status.container_counts.total),
                    idle_seconds: since(&status.idle_since),
                    failing_seconds: since(&status.failing_since),
                    hibernated_seconds: since(&status.hibernated_since),
                    failed_scheduling_seconds: since(&status.failed_scheduling_since),
                    will_hibernate_at: status.will_hibernate_at.map_or(0.0, |at| at.0.as_second() as f64),
                }
            })
            .collect()
    }
}
