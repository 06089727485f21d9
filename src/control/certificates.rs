//! The webhooks' certificate, kept valid while the process runs.
//!
//! Two modes. [`self_managed`]: one authority in a Secret that all replicas share, one leaf in the memory of each, and
//! the bundle in the webhook configurations. [`files`]: certificate and key in two files that another program writes,
//! such as cert-manager; the cluster is only read. In both, the last good certificate is served whatever fails, and the
//! replica is ready when an API server that has read the live configurations would trust its own port.
//!
//! Every step is a decision of [`sojourn_certs`] on the current state, so it does not matter which replica takes it,
//! how often, or where another was stopped. All replicas take steps, leader or not: a bundle that was removed must
//! return during a change of leaders, too.

pub mod client_authorities;
pub mod configurations;
pub mod deregistration;
mod directory;
pub mod files;
mod probe;
mod secret;
pub mod self_managed;

use crate::{
    serve::ready::Handle,
    telemetry::certificates::{CertificateMetrics, CertificateRole, Failure, Phase},
};
use arc_swap::ArcSwap;
use configurations::Configurations;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sojourn_certs::{Fingerprint, server::CertResolver};
use std::{net::SocketAddr, sync::Arc, time::Duration};

/// How often the wall clock is checked: a timer does not advance while a machine is suspended.
const MINUTE: Duration = Duration::from_secs(60);

/// The wall clock of this replica.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    /// How far it is ahead of the system's. Zero for the operator.
    pub ahead: SignedDuration,
}

impl Clock {
    /// The present moment.
    pub fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        now.saturating_add(self.ahead).unwrap_or(now)
    }
}

/// What the debug page shows of the certificate: never a key.
#[derive(Clone, Debug, Default)]
pub struct DebugView(Arc<ArcSwap<Value>>);

impl DebugView {
    /// The state now.
    pub fn state(&self) -> Value {
        self.0.load().as_ref().clone()
    }
}

/// The server that uses the certificate, and where its state is reported.
#[derive(Debug)]
pub struct CertificateServer {
    /// Holds the certificate for the server.
    pub resolver: Arc<CertResolver>,
    /// Address of the listener.
    pub address: SocketAddr,
    /// The server name that API servers verify.
    pub name: String,
    /// The wall clock.
    pub clock: Clock,
    /// Metrics of the certificate.
    pub metrics: CertificateMetrics,
    /// The readiness check: whether API servers trust the certificate.
    pub readiness: Handle,
    /// What the debug page shows.
    pub shown: DebugView,
}

/// The certificate in use, for logs and the debug page.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ActiveCertificate {
    fingerprint: Option<Fingerprint>,
    until: Timestamp,
}

impl CertificateServer {
    /// Sets readiness by whether an API server would trust the own port, and returns it. `concern` is a warning that
    /// does not affect readiness.
    async fn verify(&self, live: &Configurations, concern: Option<&str>) -> bool {
        let verdict = match live.bundles() {
            Err(missing) => Err(missing),
            Ok(bundles) => {
                probe::dial(self.address, &self.name, &bundles, self.clock).await.map_err(|error| {
                    self.metrics.failed(Failure::Verify);
                    error.to_string()
                })
            }
        };
        self.readiness.concern(concern);
        let good = verdict.is_ok();
        match verdict {
            Ok(()) => self.readiness.ready(),
            Err(why) => {
                let why = match concern {
                    Some(concern) => format!("{why}; {concern}"),
                    None => why,
                };
                if self.readiness.not_ready(&why) {
                    tracing::warn!(%why, "the webhooks' certificate would not be believed");
                }
            }
        }
        good
    }

    /// Updates the debug page.
    fn show(&self, mode: &str, phase: Phase, active: Option<&ActiveCertificate>, more: Value) {
        self.metrics.enter(phase);
        let mut shown = json!({
            "mode": mode,
            "phase": format!("{phase:?}"),
            "fingerprint": active.and_then(|it| it.fingerprint.as_ref()).map(ToString::to_string),
            "notAfter": active.map(|it| it.until),
        });
        json_patch::merge(&mut shown, &more);
        self.shown.0.store(Arc::new(shown));
    }

    fn rotated(&self, active: &ActiveCertificate) {
        self.metrics.rotated(CertificateRole::Leaf, active.until);
        tracing::info!(until = %active.until, "serving with a new certificate");
    }
}

/// A minute with jitter, so that replicas that start together do not stay synchronized.
fn jittered_minute() -> Duration {
    MINUTE.mul_f64(rand::random_range(0.8..1.2))
}
