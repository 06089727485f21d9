//! What a reconcile would do for a session, without doing it, and without its IDE.
//!
//! Nobody but the operator that leads knows what became of what it asked. So an IDE that is there and as good as its
//! word is supposed, and that what is on record as under way is under way.

use super::{
    plan::{Plan, plan},
    status::status,
    world::{Capture, EndpointFacts, RunFacts, StartFacts, StopFacts, World},
};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use sojourn_crds::ide_session::{Endpoint, IdeSession, IdeSessionStatus, State};
use std::sync::Arc;

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Preview {
    /// The finalizers that would be set before anything else.
    pub finalizers: Option<Vec<String>>,
    /// What would be done.
    pub plan: Plan,
    /// What would be reported.
    pub status: IdeSessionStatus,
}

/// What the next passes over a session would do, as far as they depend on nobody else.
pub fn preview(session: &IdeSession, now: Timestamp) -> Preview {
    let first = plan(&supposed(session.clone()), now);
    let deleting = session.metadata.deletion_timestamp.is_some();
    let (finalizers, session) = match &first.finalizers {
        Some(finalizers) if !deleting => {
            let mut session = session.clone();
            session.metadata.finalizers = Some(finalizers.clone());
            (Some(finalizers.clone()), session)
        }
        _ => (None, session.clone()),
    };
    let world = supposed(session);
    let plan = plan(&world, now);
    let status = status(&world, &plan.step, now);
    Preview { finalizers, plan, status }
}

/// What is supposed of a session.
fn supposed(session: IdeSession) -> World {
    let on_record = session.status.as_ref().and_then(|status| status.endpoint.clone());
    let Endpoint { secret_uid, instance_id } = on_record.unwrap_or_default();
    let endpoint = EndpointFacts::Known {
        secret_uid,
        instance_id: instance_id.unwrap_or_default(),
        connected: true,
        reason: "Supposed",
        message: "It is supposed that the IDE is connected".to_owned(),
    };
    let owned = RunFacts::new(StartFacts::Owned);
    let run = match session.state() {
        State::Starting => Some(RunFacts::new(StartFacts::Sent)),
        State::Running => Some(owned),
        State::Stopping => Some(RunFacts { stop: StopFacts::Asked, ..owned }),
        State::Initial | State::Stopped | State::Failed => None,
    };
    let patience = SignedDuration::MAX;
    World { session: Arc::new(session), endpoint, run, capture: Capture::None, patience }
}
