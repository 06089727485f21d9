//! The webhooks' certificate, kept good for as long as the process runs.
//!
//! Two modes. [`own`]: one authority in a Secret that all replicas share, one leaf in the memory of each, and the
//! bundle in the webhook configurations. [`files`]: certificate and key in two files that somebody else keeps, as
//! cert-manager does; nothing is written to the cluster then. In both, what is served goes on being served
//! whatever fails, and the replica is ready when its own port, dialed, would be believed by an API server that
//! has read the live configurations.
//!
//! Every step is a decision of [`sojourn_certs`] on what is there now, so it does not matter which replica
//! does it, how often, or where the last one was stopped. All replicas do it, leader or not: a bundle that is
//! blanked must come back while the Lease changes hands, too.

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

/// Wall clocks are looked at so often: a timer alone would sleep through a suspended machine.
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

/// The server whose certificate it is, and those who are told about it.
#[derive(Debug)]
pub struct CertificateServer {
    /// Where the server takes its certificate from.
    pub resolver: Arc<CertResolver>,
    /// Where it listens.
    pub address: SocketAddr,
    /// The name that API servers call it by.
    pub name: String,
    /// The wall clock.
    pub clock: Clock,
    /// What is counted.
    pub metrics: CertificateMetrics,
    /// Whether the certificate would be believed.
    pub readiness: Handle,
    /// What the debug page shows.
    pub shown: DebugView,
}

/// What is in use, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ActiveCertificate {
    fingerprint: Option<Fingerprint>,
    until: Timestamp,
}

impl CertificateServer {
    /// Says whether an API server would believe what our port serves, and shows that to whoever looks. A
    /// `concern` is something that people should see to while all still works.
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

    /// Shows the phase and what is in use.
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

/// A minute, more or less: replicas that start together should not do things together for ever.
fn jittered_minute() -> Duration {
    MINUTE.mul_f64(rand::random_range(0.8..1.2))
}
