//! The metrics of the webhooks' certificate: when it ends, how often it changed, what does not work.

use jiff::Timestamp;
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

/// A certificate that expires and is renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum CertificateRole {
    /// The certificate that this replica serves with.
    Leaf,
    /// The authority that signs.
    Authority,
}

/// What failed. The last good certificate is served meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Failure {
    /// The Secret, or the files, cannot be read or are not fit to be used.
    Load,
    /// The Secret cannot be written.
    Store,
    /// A certificate cannot be made.
    Issue,
    /// A configuration cannot be written.
    Publish,
    /// What our own port serves would not be believed by an API server.
    Verify,
}

/// The phase of rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Phase {
    /// There is none yet.
    Starting,
    /// One authority, known to all.
    Settled,
    /// The next authority is being published.
    Publishing,
    /// Earlier authorities are still published, because some replica may serve under them.
    Retiring,
    /// Another controller owns the authority, and it is usable.
    Borrowed,
    /// The Secret of that name is not the operator's, and it is not usable.
    Foreign,
    /// Certificate and key are in files.
    Files,
}

const PHASES: [Phase; 7] = [
    Phase::Starting,
    Phase::Settled,
    Phase::Publishing,
    Phase::Retiring,
    Phase::Borrowed,
    Phase::Foreign,
    Phase::Files,
];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfLabels {
    of: CertificateRole,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FailureLabels {
    what: Failure,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PhaseLabels {
    phase: Phase,
}

/// What is counted of certificates. Cheap to clone; clones count together.
#[derive(Clone, Debug)]
pub struct CertificateMetrics {
    expiry: Family<OfLabels, Gauge>,
    rotations: Family<OfLabels, Counter>,
    failures: Family<FailureLabels, Counter>,
    phase: Family<PhaseLabels, Gauge>,
}

impl CertificateMetrics {
    /// Registers the metrics.
    pub fn new(registry: &mut Registry) -> Self {
        let this = Self {
            expiry: Family::default(),
            rotations: Family::default(),
            failures: Family::default(),
            phase: Family::default(),
        };
        registry.register(
            "sojourn_webhook_certificate_expiry_timestamp_seconds",
            "When the served certificate and its authority end",
            this.expiry.clone(),
        );
        registry.register(
            "sojourn_webhook_certificate_rotations",
            "Certificates and authorities that came into use on this replica",
            this.rotations.clone(),
        );
        registry.register(
            "sojourn_webhook_certificate_failures",
            "What failed about certificates; the last good one is served on",
            this.failures.clone(),
        );
        registry.register(
            "sojourn_webhook_certificate_phase",
            "1 for the phase that the certificate is in",
            this.phase.clone(),
        );
        this.enter(Phase::Starting);
        this
    }

    /// Something came into use.
    pub fn rotated(&self, of: CertificateRole, until: Timestamp) {
        self.rotations.get_or_create(&OfLabels { of }).inc();
        self.expires(of, until);
    }

    /// When something ends.
    pub fn expires(&self, of: CertificateRole, until: Timestamp) {
        self.expiry.get_or_create(&OfLabels { of }).set(until.as_second());
    }

    /// Something failed.
    pub fn failed(&self, what: Failure) {
        self.failures.get_or_create(&FailureLabels { what }).inc();
    }

    /// The phase changed, or not.
    pub fn enter(&self, now: Phase) {
        for phase in PHASES {
            self.phase.get_or_create(&PhaseLabels { phase }).set(i64::from(phase == now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text::encode;

    #[test]
    fn what_happens_is_served() {
        let mut registry = Registry::default();
        let metrics = CertificateMetrics::new(&mut registry);
        metrics.rotated(CertificateRole::Leaf, Timestamp::UNIX_EPOCH);
        metrics.failed(Failure::Publish);
        metrics.enter(Phase::Settled);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            "sojourn_webhook_certificate_expiry_timestamp_seconds{of=\"Leaf\"} 0",
            "sojourn_webhook_certificate_rotations_total{of=\"Leaf\"} 1",
            "sojourn_webhook_certificate_failures_total{what=\"Publish\"} 1",
            "sojourn_webhook_certificate_phase{phase=\"Settled\"} 1",
            "sojourn_webhook_certificate_phase{phase=\"Starting\"} 0",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
