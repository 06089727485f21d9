//! The input of the core's decisions: a new session, and the settings of an operator.

use sojourn::core::{
    amalthea::{Observed, PlanContext},
    settings::SessionSettings,
};
use sojourn_crds::amalthea::AmaltheaSession;
use std::{collections::BTreeMap, sync::Arc};

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
    SessionSettings { sidecars_image: "renku/sidecars:latest".into(), ..SessionSettings::default() }
}
