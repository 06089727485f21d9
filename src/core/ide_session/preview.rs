//! What a reconcile would do for a session, without doing it, and without its IDE.
//!
//! Nobody but the operator that leads knows its IDEs, and what became of what it asked. So what the status says of them
//! is believed, and where it says nothing an IDE is supposed that is there and as good as its word.

use super::{
    conditions::{ENDPOINT_READY, IDE_CONNECTED, LOGS_AVAILABLE},
    observed::{Capture, EndpointFacts, Files, Observed, PlanContext, RunFacts, StartFacts, StopFacts},
    plan::{Plan, plan},
    reasons::{ConnectedReason, EndpointReason},
    status::status,
};
use crate::{core::conditions::find, reason::Reason};
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
    let context = PlanContext { now, patience: SignedDuration::MAX };
    let first = plan(&supposed(session.clone()), &context);
    let deleting = session.metadata.deletion_timestamp.is_some();
    let (finalizers, session) = match &first.finalizers {
        Some(finalizers) if !deleting => {
            let mut session = session.clone();
            session.metadata.finalizers = Some(finalizers.clone());
            (Some(finalizers.clone()), session)
        }
        _ => (None, session.clone()),
    };
    let supposition = supposed(session);
    let plan = plan(&supposition, &context);
    let status = keep_seen(&supposition.session, status(&supposition, &plan.step, now));
    Preview { finalizers, plan, status }
}

/// What the operator saw of IDE and files stands as it is while the session is where it was.
fn keep_seen(session: &IdeSession, mut status: IdeSessionStatus) -> IdeSessionStatus {
    if let Some(old) = session.status.as_ref().filter(|old| old.state == status.state) {
        for condition in &mut status.conditions {
            if let Some(seen) = find(&old.conditions, &condition.kind)
                && [ENDPOINT_READY, IDE_CONNECTED, LOGS_AVAILABLE].contains(&seen.kind.as_str())
            {
                *condition = seen.clone();
            }
        }
    }
    status
}

/// What is supposed of a session.
fn supposed(session: IdeSession) -> Observed {
    let status = session.status.clone().unwrap_or_default();
    let not = |kind| find(&status.conditions, kind).is_some_and(|condition| condition.status == "False");
    let Endpoint { secret_uid, instance_id } = status.endpoint.clone().unwrap_or_default();
    let endpoint = if not(ENDPOINT_READY) {
        let message = "It is not known how the IDE is reached".to_owned();
        EndpointFacts::Missing { reason: EndpointReason::OnRecord, message }
    } else {
        EndpointFacts::Known {
            secret_uid,
            instance_id: instance_id.unwrap_or_default(),
            connected: !not(IDE_CONNECTED),
            reason: ConnectedReason::Supposed.as_str(),
            message: "It is supposed that the IDE is connected".to_owned(),
        }
    };
    let owned = RunFacts::new(StartFacts::Owned);
    let run = match status.state {
        State::Starting if status.start_attempt_time.is_some() => Some(RunFacts::new(StartFacts::Sent)),
        State::Running => Some(owned),
        State::Stopping => Some(RunFacts { stop: StopFacts::Asked, ..owned }),
        State::Initial | State::Starting | State::Stopped | State::Failed => None,
    };
    let capture = match (status.std_out_file, status.std_err_file) {
        (Some(std_out), Some(std_err)) => Capture::Kept(Files { std_out, std_err }),
        _ => Capture::None,
    };
    Observed { session: Arc::new(session), endpoint, run, capture }
}
