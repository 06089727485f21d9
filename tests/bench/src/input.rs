//! The input of the core's decisions: a new session, and the settings of an operator.

use sojourn::{
    core::{
        amalthea::{Observed, PlanContext},
        settings::SessionSettings,
    },
    settings::OAUTH2_PROXY_IMAGE,
};
use sojourn_crds::amalthea::{AmaltheaSession, OnDeadline};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// A session that has no children yet.
pub(crate) fn new_session(session: AmaltheaSession) -> Observed {
    Observed {
        session: Arc::new(session),
        children: BTreeMap::new(),
        pods: Vec::new(),
        warnings: Vec::new(),
        measurements: Default::default(),
        gone: None,
        shared_secrets: Vec::new(),
        same_route: Vec::new(),
    }
}

/// The context of a decision.
pub(crate) fn context(settings: &SessionSettings, now: jiff::Timestamp) -> PlanContext<'_> {
    PlanContext { now, entropy: [7; 32], settings }
}

/// The settings of an operator.
pub(crate) fn settings() -> SessionSettings {
    SessionSettings {
        rclone_storage_class: "csi-rclone-secret-annotation".into(),
        sidecars_image: "renku/sidecars:latest".into(),
        oauth2_proxy_image: OAUTH2_PROXY_IMAGE.into(),
        pull_secrets: Vec::new(),
        none_same_site_cookie: false,
        https_ingress: false,
        image_rewrite: None,
        on_deadline: OnDeadline::default(),
        ask_proxies: true,
        idle_check_interval: Duration::from_secs(30),
        own: Default::default(),
        kubernetes: Default::default(),
        approval_key: None,
    }
}
