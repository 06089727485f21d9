//! What the cluster holds of one session.

use super::{Applied, WorkloadKind};
use crate::core::object::{CachedObject, Kind};
use k8s_openapi::jiff::Timestamp;
use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

/// Objects by kind and name.
pub type Children = BTreeMap<(Kind, String), Arc<CachedObject>>;

/// What the cluster holds of one session.
#[derive(Clone, Debug)]
pub struct Observed<K: WorkloadKind> {
    /// The session.
    pub session: Arc<K>,
    /// Objects that are labelled as the session's children, or have their names, with any owner.
    pub children: Children,
    /// Pods of the session's workload, by the workload's UID.
    pub pods: Vec<Arc<CachedObject>>,
    /// The last pod of the session's workload that is gone and did not end on request, as it was last seen.
    pub gone: Option<Arc<CachedObject>>,
    /// The latest warnings about the session's children and pods, newest first.
    pub warnings: Vec<Warning>,
    /// What was measured of the current pod.
    pub measurements: K::Measurements,
    /// Names of secrets that other sessions of the namespace refer to. Known only of a session that is being deleted.
    pub shared_secrets: Vec<String>,
    /// Other sessions with the same route.
    pub same_route: Vec<SameRoute>,
}

/// Another session that is to be reached at the same address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SameRoute {
    /// Namespace of the other session.
    pub namespace: String,
    /// Name of the other session.
    pub name: String,
    /// Whether the other session is the older one.
    pub is_older: bool,
}

/// A warning event of Kubernetes about an object of the session.
#[derive(Clone, Debug, PartialEq)]
pub struct Warning {
    /// Kind of the object.
    pub kind: Kind,
    /// Name of the object.
    pub name: String,
    /// The event's reason, such as `FailedMount`.
    pub reason: String,
    /// The event's message.
    pub message: String,
    /// When the event was last seen.
    pub at: Timestamp,
}

impl<K: WorkloadKind> Observed<K> {
    /// The child of that kind and name, if it belongs to this very session.
    pub fn owned(&self, kind: Kind, name: &str) -> Option<&CachedObject> {
        self.child(kind, name).filter(|object| self.owns(object))
    }

    /// The object of that kind and name, with any owner.
    pub fn child(&self, kind: Kind, name: &str) -> Option<&CachedObject> {
        self.children.get(&(kind, name.to_owned())).map(AsRef::as_ref)
    }

    /// Whether the session is the object's controller, by UID.
    pub fn owns(&self, object: &CachedObject) -> bool {
        object.owner.as_deref().is_some_and(|owner| owner == self.session.uid())
    }

    /// The session's newest pod that belongs to the current workload; one that stays comes before one that is being
    /// deleted.
    pub fn pod(&self) -> Option<&CachedObject> {
        self.pods.iter().max_by_key(|pod| (!pod.deleting, pod.created)).map(AsRef::as_ref)
    }

    /// What is observed after a plan's writes. Borrowed when there were none.
    pub fn after<'o>(&'o self, applied: &Applied) -> Cow<'o, Self> {
        if applied.children.is_empty() && applied.deleted.is_empty() {
            return Cow::Borrowed(self);
        }
        let mut after = self.clone();
        after.children.extend(applied.children.iter().map(|(key, object)| (key.clone(), object.clone())));
        for key in &applied.deleted {
            after.children.remove(key);
        }
        Cow::Owned(after)
    }
}
