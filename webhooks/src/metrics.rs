//! The metrics of the webhooks. Labels have a fixed set of values: rows of the table and verdicts, never names or
//! users.

use std::sync::atomic::AtomicI64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Buckets in seconds, from a hundred microseconds, the time of a verdict, to ten seconds, more than any API server
/// waits.
const BUCKETS: [f64; 16] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Admitted without a patch.
    Allowed,
    /// Admitted with a patch.
    Patched,
    /// Refused.
    Denied,
    /// The client has to be authenticated, and is not.
    Unauthenticated,
    /// The body is not a review.
    Malformed,
    /// The body was too large.
    TooLarge,
    /// The facts are not synced yet.
    NotReady,
    /// The body missed the deadline.
    TimedOut,
    /// A rule panicked.
    Panicked,
}

impl Outcome {
    /// The value of the label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Outcome::Allowed => "allowed",
            Outcome::Patched => "patched",
            Outcome::Denied => "denied",
            Outcome::Unauthenticated => "unauthenticated",
            Outcome::Malformed => "malformed",
            Outcome::TooLarge => "too_large",
            Outcome::NotReady => "not_ready",
            Outcome::TimedOut => "timed_out",
            Outcome::Panicked => "panicked",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByWebhook {
    webhook: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByVerdict {
    webhook: &'static str,
    verdict: &'static str,
}

/// The metrics of the webhooks.
#[derive(Debug, Clone)]
pub struct Metrics {
    requests: Family<ByVerdict, Counter>,
    latency: Family<ByWebhook, Histogram, fn() -> Histogram>,
    in_flight: Gauge<i64, AtomicI64>,
    panics: Counter,
    too_large: Counter,
    timeouts: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            latency: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            in_flight: Gauge::default(),
            panics: Counter::default(),
            too_large: Counter::default(),
            timeouts: Counter::default(),
        }
    }
}

impl Metrics {
    /// Registers the metrics.
    pub fn register(&self, registry: &mut Registry) {
        let webhook = registry.sub_registry_with_prefix("sojourn_webhook");
        webhook.register("requests", "Admission requests by webhook and verdict", self.requests.clone());
        webhook.register("latency_seconds", "Time from request to answer", self.latency.clone());
        webhook.register("requests_in_flight", "Admission requests being answered", self.in_flight.clone());
        webhook.register("panics", "Rules that panicked", self.panics.clone());
        webhook.register("bodies_too_large", "Requests whose body was too large", self.too_large.clone());
        webhook.register("timeouts", "Requests or questions not answered in time", self.timeouts.clone());
    }

    /// Counts a request as in flight until the returned value is dropped.
    pub(crate) fn enter(&self) -> InFlight<'_> {
        self.in_flight.inc();
        InFlight(self)
    }

    /// Counts an answered request.
    pub(crate) fn answered(&self, webhook: &'static str, outcome: Outcome, seconds: f64) {
        self.requests.get_or_create(&ByVerdict { webhook, verdict: outcome.as_str() }).inc();
        self.latency.get_or_create(&ByWebhook { webhook }).observe(seconds);
        match outcome {
            Outcome::Panicked => self.panics.inc(),
            Outcome::TooLarge => self.too_large.inc(),
            Outcome::TimedOut => self.timeouts.inc(),
            _ => 0,
        };
    }

    /// Counts an access review that missed the deadline.
    pub(crate) fn access_review_timed_out(&self) {
        self.timeouts.inc();
    }
}

/// A request in flight.
pub(crate) struct InFlight<'a>(&'a Metrics);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.dec();
    }
}
