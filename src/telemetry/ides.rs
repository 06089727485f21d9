//! Metrics of IDEs: requests, connections and notifications. Counted where they happen, collected at each scrape.

use super::metrics::BUCKETS;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeLabelValue, EncodeMetric},
    metrics::{
        MetricType,
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::ConstGauge,
        histogram::Histogram,
    },
    registry::Registry,
};
use std::{collections::BTreeMap, fmt, time::Duration};

/// A request to an IDE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Request {
    /// Create a session.
    Start,
    /// Stop a session.
    Stop,
}

/// The outcome of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Answer {
    /// It succeeded.
    Done,
    /// The session ended before the response.
    Over,
    /// It failed.
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    request: Request,
    answer: Answer,
}

/// Requests by outcome, and their duration. Clones share the counters.
#[derive(Clone, Debug)]
pub struct RequestMetrics(Family<RequestLabels, Histogram, fn() -> Histogram>);

impl Default for RequestMetrics {
    fn default() -> Self {
        Self(Family::new_with_constructor(|| Histogram::new(BUCKETS)))
    }
}

impl RequestMetrics {
    /// Counts a request.
    pub fn count(&self, request: Request, answer: Answer, took: Duration) {
        self.0.get_or_create(&RequestLabels { request, answer }).observe(took.as_secs_f64());
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LogLabels {
    code: u16,
}

/// Requests for logs of sessions by status code. Clones share the counters.
#[derive(Clone, Debug, Default)]
pub struct LogMetrics(Family<LogLabels, Counter>);

impl LogMetrics {
    /// Registers the metrics.
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let help = "Requests for the logs of IdeSessions, by status";
        registry.register("sojourn_ide_log_requests", help, metrics.0.clone());
        metrics
    }

    /// Counts a request.
    pub fn count(&self, code: u16) {
        self.0.get_or_create(&LogLabels { code }).inc();
    }
}

/// Counts by closed names.
pub type Tally = BTreeMap<&'static str, u64>;

/// The state of all IDEs at a scrape.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdeStats {
    /// Sessions by state.
    pub sessions: Tally,
    /// IDEs that are connected.
    pub connected: u64,
    /// IDEs that are being connected.
    pub connecting: u64,
    /// Connections so far.
    pub connections: u64,
    /// Received notifications by type.
    pub received: Tally,
    /// Skipped notifications by reason.
    pub skipped: Tally,
    /// Notifications that are buffered.
    pub held: u64,
    /// Notifications dropped because they were not consumed in time.
    pub dropped: u64,
}

/// Collects the state of IDEs at each scrape.
pub struct IdeCollector(Box<dyn Fn() -> IdeStats + Send + Sync>);

impl IdeCollector {
    /// Registers all metrics of IDEs.
    pub fn register(
        registry: &mut Registry,
        requests: &RequestMetrics,
        figures: impl Fn() -> IdeStats + Send + Sync + 'static,
    ) {
        let help = "Requests to IDEs, by what became of them";
        registry.register("sojourn_ide_request_duration_seconds", help, requests.0.clone());
        registry.register_collector(Box::new(Self(Box::new(figures))));
    }
}

impl Collector for IdeCollector {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let figures = (self.0)();
        let endpoints = Tally::from([("Connected", figures.connected), ("Connecting", figures.connecting)]);
        let gauges = [
            ("sojourn_ide_sessions", "IdeSessions by state", figures.sessions),
            ("sojourn_ide_endpoints", "IDEs that sessions need, by connection", endpoints),
        ];
        for (name, help, tally) in gauges {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (state, count) in tally {
                ConstGauge::new(count as f64).encode(metric.encode_family(&[("state", state)])?)?;
            }
        }
        let tallies = [
            ("sojourn_ide_notifications", "Notifications by type", "type", figures.received),
            (
                "sojourn_ide_notifications_skipped",
                "Notifications that concern nobody or cannot be read, by reason",
                "reason",
                figures.skipped,
            ),
        ];
        for (name, help, label, tally) in tallies {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (value, count) in tally {
                ConstCounter::new(count).encode(metric.encode_family(&[(label, value)])?)?;
            }
        }
        let counters = [
            ("sojourn_ide_connections", "How often an IDE was connected", figures.connections),
            ("sojourn_ide_notifications_dropped", "Notifications that nobody took in time", figures.dropped),
        ];
        for (name, help, count) in counters {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(count).encode(metric)?;
        }
        let help = "Notifications that wait for their session";
        let metric =
            encoder.encode_descriptor("sojourn_ide_notifications_held", help, None, MetricType::Gauge)?;
        ConstGauge::new(figures.held as f64).encode(metric)?;
        Ok(())
    }
}

impl fmt::Debug for IdeCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdeCollector").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text::encode;

    #[test]
    fn what_is_known_of_ides_is_served() {
        let (mut registry, requests) = (Registry::default(), RequestMetrics::default());
        let figures = IdeStats {
            sessions: [("Running", 2), ("None", 1)].into(),
            connected: 1,
            connections: 4,
            received: [("serviceLogs", 5)].into(),
            skipped: [("malformed", 3)].into(),
            held: 6,
            dropped: 7,
            ..IdeStats::default()
        };
        LogMetrics::new(&mut registry).count(404);
        IdeCollector::register(&mut registry, &requests, move || figures.clone());
        requests.count(Request::Start, Answer::Failed, Duration::from_millis(3));
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            "sojourn_ide_request_duration_seconds_count{request=\"Start\",answer=\"Failed\"} 1",
            "sojourn_ide_log_requests_total{code=\"404\"} 1",
            "sojourn_ide_sessions{state=\"Running\"} 2",
            "sojourn_ide_endpoints{state=\"Connected\"} 1",
            "sojourn_ide_endpoints{state=\"Connecting\"} 0",
            "sojourn_ide_connections_total 4",
            "sojourn_ide_notifications_total{type=\"serviceLogs\"} 5",
            "sojourn_ide_notifications_skipped_total{reason=\"malformed\"} 3",
            "sojourn_ide_notifications_held 6",
            "sojourn_ide_notifications_dropped_total 7",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
