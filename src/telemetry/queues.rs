//! Metrics of the workqueues: length and age. Collected at each scrape, so that a long queue costs no counting in
//! reconciles.

use super::metrics::Kind;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, gauge::ConstGauge},
};
use std::{fmt, time::Duration};

/// The state of a workqueue at a scrape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Objects that are due.
    pub due: usize,
    /// How long the oldest of them has been due.
    pub oldest: Duration,
}

type Count = Box<dyn Fn() -> Vec<(Kind, Waiting)> + Send + Sync>;

/// Collects the state of all workqueues at each scrape.
pub struct QueueCollector(Count);

impl QueueCollector {
    /// Collects what `count` returns.
    pub fn new(count: impl Fn() -> Vec<(Kind, Waiting)> + Send + Sync + 'static) -> Self {
        Self(Box::new(count))
    }
}

impl fmt::Debug for QueueCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueCollector").finish_non_exhaustive()
    }
}

/// One metric of a queue: name, help, value.
type Column = (&'static str, &'static str, fn(&Waiting) -> f64);

const COLUMNS: [Column; 2] = [
    ("sojourn_queue_depth", "Objects that wait for a reconcile; 0 on a replica that does not lead", |w| {
        w.due as f64
    }),
    ("sojourn_queue_oldest_seconds", "How long the object that is due first has waited", |w| {
        w.oldest.as_secs_f64()
    }),
];

impl Collector for QueueCollector {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let counted = (self.0)();
        for (name, help, value) in COLUMNS {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (kind, waiting) in &counted {
                let labels = [("kind", *kind)];
                ConstGauge::new(value(waiting)).encode(metric.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::{encoding::text::encode, registry::Registry};

    #[test]
    fn queues_are_counted_when_they_are_asked_for() {
        let mut registry = Registry::default();
        let collector = QueueCollector::new(|| {
            vec![(Kind::AmaltheaSession, Waiting { due: 3, oldest: Duration::from_millis(1500) })]
        });
        registry.register_collector(Box::new(collector));
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            "sojourn_queue_depth{kind=\"AmaltheaSession\"} 3",
            "sojourn_queue_oldest_seconds{kind=\"AmaltheaSession\"} 1.5",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
