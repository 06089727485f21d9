//! What a reconcile ends with.

use crate::core::event::EventRecord;
use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

/// What a reconcile ends with.
#[derive(Clone, Debug, PartialEq)]
pub struct Report<S> {
    /// The status to report; written only when it differs from the one on record.
    pub status: S,
    /// What to do to the session itself.
    pub action: Option<SessionAction>,
    /// Events to publish on the session.
    pub events: Vec<EventRecord>,
    /// When to reconcile again if nothing happens before.
    pub requeue_at: Option<Timestamp>,
}

/// What the operator does to a session itself, beside its status and finalizers.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionAction {
    /// Change these fields of its spec, as a merge patch.
    ChangeSpec(Value),
    /// Delete it.
    Delete,
}
