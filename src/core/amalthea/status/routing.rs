//! The conditions about how a session is reached from outside.

use crate::{
    core::{
        amalthea::{
            Checked, Observed,
            conditions::{ROUTE_CONFLICT, ROUTING_READY},
            reasons::{RouteConflictReason, RoutingReason},
        },
        conditions::{self, ConditionUpdate},
        object::Kind,
    },
    reason::Reason,
};
use k8s_openapi::jiff::Timestamp;
use sojourn_crds::amalthea::{Condition, names};

/// Whether there is a way to the session from outside, given the conditions on record.
pub(super) fn routing<'a>(
    recorded: &[Condition],
    checked: &Checked,
    observed: &Observed,
) -> ConditionUpdate<'a> {
    let name = checked.session.name();
    let exists = observed.owned(Kind::Ingress, name).is_some();
    let (holds, reason, message) = if !checked.interactive() {
        (false, RoutingReason::NotInteractive, "A batch session has no way in from outside".to_owned())
    } else if checked.spec.ingress.is_none() {
        let (reason, text) = match exists || had_ingress(recorded) {
            true => (RoutingReason::IngressDeleted, REMOVED),
            false => (RoutingReason::NoIngress, "The spec has no ingress, so the session has no URL"),
        };
        let port = names::SERVICE_PORT;
        (false, reason, format!("{text}; kubectl port-forward service/{name} 8080:{port} reaches it"))
    } else if checked.spec.hibernated {
        (
            false,
            RoutingReason::Hibernated,
            "The ingress is removed while the session is hibernated".to_owned(),
        )
    } else if exists {
        (true, RoutingReason::IngressOperational, "The ingress is setup and operational".to_owned())
    } else {
        (false, RoutingReason::IngressMissing, "The ingress is not created yet".to_owned())
    };
    ConditionUpdate { kind: ROUTING_READY, holds, reason: reason.as_str(), message }
}

const REMOVED: &str = "The ingress was removed from the spec, so the session has no URL any more";

/// Whether the session is on record as one that had an ingress. The original says `IngressDeleted` of every session
/// without one, in other words.
fn had_ingress(recorded: &[Condition]) -> bool {
    let of_ingress =
        [RoutingReason::IngressOperational, RoutingReason::IngressMissing, RoutingReason::Hibernated];
    conditions::find(recorded, ROUTING_READY).is_some_and(|condition| {
        let reason = condition.reason.as_deref().unwrap_or_default();
        let ours = condition.message.as_deref().is_some_and(|message| message.starts_with(REMOVED));
        of_ingress.iter().any(|known| known.as_str() == reason)
            || (ours && reason == RoutingReason::IngressDeleted.as_str())
    })
}

/// Sets or removes the condition about other sessions with the same route. Names no session of another namespace: whose
/// it is may be nobody's business.
pub(super) fn route_conflict(
    conditions: &mut Vec<Condition>,
    checked: &Checked,
    observed: &Observed,
    now: Timestamp,
) {
    let namespace = checked.session.namespace();
    // The oldest one comes first.
    let Some(other) = observed.same_route.first() else {
        conditions.retain(|condition| condition.kind != ROUTE_CONFLICT);
        return;
    };
    let who = if other.namespace == namespace {
        format!("session {}", other.name)
    } else {
        "a session of another namespace".to_owned()
    };
    let (reason, age) = match other.is_older {
        true => (RouteConflictReason::OlderSession, "older"),
        false => (RouteConflictReason::NewerSession, "newer"),
    };
    let message = format!(
        "{who}, which is {age}, has the same ingress.host and ingress.pathPrefix; which of both is reached is not \
         defined. Give one of them another path"
    );
    let update = ConditionUpdate { kind: ROUTE_CONFLICT, holds: true, reason: reason.as_str(), message };
    conditions::set(conditions, update, checked.session.metadata.generation, now);
}
