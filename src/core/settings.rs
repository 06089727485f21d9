//! What the operator's settings mean for a session.
//!
//! Plain values that pure code takes by reference. Reading them from flags and environment is the job of
//! [`crate::settings`].

use super::images::Rules;
use jiff::SignedDuration;
use sojourn_crds::amalthea::OnDeadline;
use sojourn_webhooks::{
    adoption::ApprovalKey,
    rules::operator_credentials::OwnCredentials,
    settings::{KubernetesVersion, PodSecurity},
};
use std::time::Duration;

/// The original's constant. Another image restarts sessions that authenticate with it.
pub const OAUTH2_PROXY_IMAGE: &str = "harbor.renkulab.io/bitnami-mirror/oauth2-proxy:7.6.0";

/// What the sidecars' stage of the Dockerfile makes. Another image restarts sessions that have it.
pub const SIDECARS_IMAGE: &str = concat!("ghcr.io/sojourn-dev/sojourn-sidecars:", env!("CARGO_PKG_VERSION"));

/// Everything outside of a session's own spec that shapes its children and its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSettings {
    /// Storage class of the claims of data sources.
    pub rclone_storage_class: String,
    /// Image of the cloner, the proxies and the tunnel.
    pub sidecars_image: String,
    /// Image of the proxy that speaks OpenID Connect.
    pub oauth2_proxy_image: String,
    /// Secrets to pull images with that every session has beside its own.
    pub pull_secrets: Vec<String>,
    /// Session cookies carry `SameSite=None`, so that sessions can be embedded in other sites.
    pub none_same_site_cookie: bool,
    /// Every Ingress is reached by https, whatever it says itself.
    pub https_ingress: bool,
    /// Rules for session images; `None` leaves them alone.
    pub image_rewrite: Option<Rules>,
    /// Which pods sessions have.
    pub pod_security: PodSecurity,
    /// What a deadline does to a non-interactive session.
    pub on_deadline: OnDeadline,
    /// Proxies of sessions are asked for their last request before a session is hibernated for idleness.
    pub ask_proxies: bool,
    /// How often the CPU use of running sessions is looked at.
    pub idle_check_interval: Duration,
    /// What the operator authenticates with: nothing that a session in its namespace may use.
    pub own: OwnCredentials,
    /// The version of the cluster, whose API server validates the children.
    pub kubernetes: KubernetesVersion,
    /// The key that admission records approved adoptions with. Without one no adopted secret is deleted.
    pub approval_key: Option<ApprovalKey>,
}

/// Those of an installation that sets nothing.
impl Default for SessionSettings {
    fn default() -> Self {
        Self {
            rclone_storage_class: "csi-rclone-secret-annotation".to_owned(),
            sidecars_image: SIDECARS_IMAGE.to_owned(),
            oauth2_proxy_image: OAUTH2_PROXY_IMAGE.to_owned(),
            pull_secrets: Vec::new(),
            none_same_site_cookie: false,
            https_ingress: false,
            image_rewrite: None,
            pod_security: PodSecurity::default(),
            on_deadline: OnDeadline::default(),
            ask_proxies: true,
            idle_check_interval: Duration::from_secs(30),
            own: OwnCredentials::default(),
            kubernetes: KubernetesVersion::default(),
            approval_key: None,
        }
    }
}

impl SessionSettings {
    /// How old a measurement of CPU use may be to count: one list may fail, and the next be late.
    pub fn usage_valid(&self) -> SignedDuration {
        (self.idle_check_interval * 3).try_into().unwrap_or(SignedDuration::MAX)
    }
}
