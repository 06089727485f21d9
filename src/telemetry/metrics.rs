//! The metrics of the operator, in a registry that is a value: composed once, passed, read in tests.
//!
//! Labels are closed enums. Names of objects and users never are labels here; the only metrics that carry
//! names are those of [`super::sessions`], which the original has and which have a limit.

use crate::core::error::ErrorClass;
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use std::{fmt, time::Instant};

/// Seconds, from the fastest step that is worth telling apart to one that no reconcile should take.
pub(super) const BUCKETS: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// The reconciled kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Kind {
    /// `amalthea.dev/v1alpha1 AmaltheaSession`
    AmaltheaSession,
    /// `usvc-dev.developer.microsoft.com/v1 IdeSession`
    IdeSession,
}

/// How a reconcile ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Outcome {
    /// Something was written.
    Changed,
    /// Nothing had to be written.
    Unchanged,
    /// It failed.
    Failed,
    /// It was cancelled, as at shutdown or when leadership is lost.
    #[default]
    Cancelled,
}

/// A kind of write to the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Verb {
    /// A child was applied.
    Apply,
    /// An object was deleted.
    Delete,
    /// The session itself was patched.
    Patch,
    /// The status of the session was patched.
    Status,
    /// An Event was created.
    Event,
}

/// A name that is taken counts as `Invalid`: the label has one value for both.
impl EncodeLabelValue for ErrorClass {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        let value = match self {
            Self::Conflict => "Conflict",
            Self::Transient => "Transient",
            Self::Quota => "Quota",
            Self::Forbidden => "Forbidden",
            Self::Foreign | Self::Invalid => "Invalid",
        };
        EncodeLabelValue::encode(&value, encoder)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    kind: Kind,
    outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VerbLabels {
    kind: Kind,
    verb: Verb,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClassLabels {
    kind: Kind,
    class: ErrorClass,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BuildLabels {
    version: &'static str,
}

/// Metrics of the reconcilers. Clones share the counters.
#[derive(Clone, Debug)]
pub struct ReconcileMetrics {
    duration: Family<OutcomeLabels, Histogram, fn() -> Histogram>,
    writes: Family<VerbLabels, Counter>,
    errors: Family<ClassLabels, Counter>,
}

/// Metrics of leader election. Clones share the counters.
#[derive(Clone, Debug)]
pub struct LeaseMetrics {
    pub(crate) is_leader: Gauge,
    pub(crate) transitions: Counter,
    pub(crate) renewals: Histogram,
    pub(crate) failures: Counter,
}

/// The registry with the operator's own metrics.
#[derive(Debug)]
pub struct Metrics {
    /// The registry; other parts register their metrics before it is shared.
    pub registry: Registry,
    /// Metrics of the reconcilers.
    pub reconcile: ReconcileMetrics,
    /// Metrics of leader election.
    pub lease: LeaseMetrics,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        let build = Family::<BuildLabels, Gauge>::default();
        build.get_or_create(&BuildLabels { version: env!("CARGO_PKG_VERSION") }).set(1);
        registry.register("sojourn_build_info", "The version that runs", build);
        let reconcile = ReconcileMetrics::new(&mut registry);
        let lease = LeaseMetrics::new(&mut registry);
        Self { registry, reconcile, lease }
    }
}

impl LeaseMetrics {
    /// Registers the metrics.
    pub fn new(registry: &mut Registry) -> Self {
        let this = Self {
            is_leader: Gauge::default(),
            transitions: Counter::default(),
            renewals: Histogram::new(BUCKETS),
            failures: Counter::default(),
        };
        registry.register("sojourn_leader", "1 while this replica may write", this.is_leader.clone());
        registry.register(
            "sojourn_leader_transitions",
            "How often this replica began or ceased to lead",
            this.transitions.clone(),
        );
        registry.register(
            "sojourn_lease_write_duration_seconds",
            "Successful writes of the Lease",
            this.renewals.clone(),
        );
        registry.register(
            "sojourn_lease_failures",
            "Reads and writes of the Lease that failed, conflicts included",
            this.failures.clone(),
        );
        this
    }
}

impl ReconcileMetrics {
    /// Registers the metrics.
    pub fn new(registry: &mut Registry) -> Self {
        let this = Self {
            duration: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            writes: Family::default(),
            errors: Family::default(),
        };
        registry.register(
            "sojourn_reconcile_duration_seconds",
            "Reconciles, by how they ended",
            this.duration.clone(),
        );
        registry.register("sojourn_writes", "Requests that write", this.writes.clone());
        registry.register("sojourn_reconcile_errors", "Failed reconciles by class", this.errors.clone());
        this
    }

    /// Starts to measure a reconcile. It is counted when the returned guard is dropped.
    pub fn measure(&self, kind: Kind) -> Measured {
        Measured { metrics: self.clone(), kind, outcome: Outcome::default(), start: Instant::now() }
    }

    /// Counts a write.
    pub fn wrote(&self, kind: Kind, verb: Verb) {
        self.writes.get_or_create(&VerbLabels { kind, verb }).inc();
    }

    /// Counts a failure.
    pub fn failed(&self, kind: Kind, class: ErrorClass) {
        self.errors.get_or_create(&ClassLabels { kind, class }).inc();
    }
}

/// A reconcile in progress.
#[derive(Debug)]
pub struct Measured {
    metrics: ReconcileMetrics,
    kind: Kind,
    outcome: Outcome,
    start: Instant,
}

impl Measured {
    /// Sets the outcome and counts the reconcile.
    pub fn ended(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        self.metrics
            .duration
            .get_or_create(&OutcomeLabels { kind: self.kind, outcome: self.outcome })
            .observe(self.start.elapsed().as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text::encode;

    #[test]
    fn what_is_counted_is_served() {
        let metrics = Metrics::default();
        metrics.reconcile.measure(Kind::AmaltheaSession).ended(Outcome::Changed);
        drop(metrics.reconcile.measure(Kind::AmaltheaSession));
        metrics.reconcile.wrote(Kind::AmaltheaSession, Verb::Apply);
        metrics.reconcile.failed(Kind::AmaltheaSession, ErrorClass::Quota);
        let mut text = String::new();
        encode(&mut text, &metrics.registry).unwrap();
        for line in [
            concat!("sojourn_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
            "sojourn_reconcile_duration_seconds_count{kind=\"AmaltheaSession\",outcome=\"Changed\"} 1",
            "sojourn_reconcile_duration_seconds_count{kind=\"AmaltheaSession\",outcome=\"Cancelled\"} 1",
            "sojourn_writes_total{kind=\"AmaltheaSession\",verb=\"Apply\"} 1",
            "sojourn_reconcile_errors_total{kind=\"AmaltheaSession\",class=\"Quota\"} 1",
            "sojourn_leader 0",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
