//! What a decision is made of: the session, what the cluster holds of it, and the moment.

use crate::core::{
    error::ErrorClass,
    object::{CachedObject, Kind},
    settings::SessionSettings,
};
use k8s_openapi::jiff::Timestamp;
use sojourn_crds::amalthea::AmaltheaSession;
use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

/// What the cluster holds of one session.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The session.
    pub session: Arc<AmaltheaSession>,
    /// Objects with the names of the session's children, whoever owns them.
    pub children: BTreeMap<(Kind, String), Arc<CachedObject>>,
    /// Pods of the session's workload, by its UID.
    pub pods: Vec<Arc<CachedObject>>,
    /// The last pod of the session's workload that is gone and did not end as it was told to, as it was last seen.
    pub gone: Option<Arc<CachedObject>>,
    /// The latest warnings about the session's children and pods, by UID.
    pub warnings: Vec<Warning>,
    /// CPU use of the session's container, when it was measured.
    pub usage: Option<Usage>,
    /// What the session's proxy said of its requests, when it was asked.
    pub requests: Option<Requests>,
    /// Names of secrets that other sessions of the namespace refer to.
    pub shared_secrets: Vec<String>,
}

/// A warning event of Kubernetes about an object of the session.
#[derive(Clone, Debug, PartialEq)]
pub struct Warning {
    /// Kind of the object.
    pub kind: Kind,
    /// Name of the object.
    pub name: String,
    /// TimeoutReason, in one word.
    pub reason: String,
    /// TimeoutReason, for people.
    pub message: String,
    /// When it was last seen.
    pub at: Timestamp,
}

/// CPU use of a container.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// Billionths of a core.
    pub cpu_nanos: i128,
    /// When it was measured.
    pub at: Timestamp,
}

/// What a session's proxy knows of its requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requests {
    /// When the last one came; none when the proxy did not say.
    pub last: Option<Timestamp>,
    /// When it was asked.
    pub asked: Timestamp,
}

/// What a decision may know beside the observed. It has no `Debug`: the entropy becomes secrets.
#[derive(Clone)]
pub struct PlanContext<'a> {
    /// The moment that the decision is made for.
    pub now: Timestamp,
    /// Random bytes for a secret, should one have to be made.
    pub entropy: [u8; 32],
    /// The choices of whoever installed the operator.
    pub settings: &'a SessionSettings,
    /// How old a measurement of CPU use may be to count.
    pub usage_valid: jiff::SignedDuration,
}

/// What became of a plan's writes.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// The children after their writes.
    pub children: BTreeMap<(Kind, String), Arc<CachedObject>>,
    /// Children that were deleted.
    pub deleted: Vec<(Kind, String)>,
    /// Writes that were refused or failed.
    pub errors: Vec<ChildError>,
}

/// Why a child is not as it should be.
#[derive(Clone, Debug, PartialEq)]
pub struct ChildError {
    /// Kind of the child.
    pub kind: Kind,
    /// Name of the child.
    pub name: String,
    /// What kind of error it is; decides when to try again.
    pub class: ErrorClass,
    /// What the API server said.
    pub message: String,
}

impl Observed {
    /// The child of that kind and name, if it belongs to this very session.
    pub fn owned(&self, kind: Kind, name: &str) -> Option<&CachedObject> {
        self.child(kind, name).filter(|live| self.owns(live))
    }

    /// The object of that kind and name, whoever owns it.
    pub fn child(&self, kind: Kind, name: &str) -> Option<&CachedObject> {
        self.children.get(&(kind, name.to_owned())).map(AsRef::as_ref)
    }

    /// Whether the session is the object's controller, by UID.
    pub fn owns(&self, live: &CachedObject) -> bool {
        live.owner.as_deref().is_some_and(|owner| owner == self.session.uid())
    }

    /// The session's newest pod that belongs to the workload that there is now.
    pub fn pod(&self) -> Option<&CachedObject> {
        self.pods.iter().max_by_key(|pod| (!pod.deleting, pod.created)).map(AsRef::as_ref)
    }

    /// The observed as it is after a plan's writes; mostly there are none, and it is as it was.
    pub fn after<'w>(&'w self, applied: &Applied) -> Cow<'w, Observed> {
        if applied.children.is_empty() && applied.deleted.is_empty() {
            return Cow::Borrowed(self);
        }
        let mut after = self.clone();
        after.children.extend(applied.children.iter().map(|(key, live)| (key.clone(), live.clone())));
        for key in &applied.deleted {
            after.children.remove(key);
        }
        Cow::Owned(after)
    }
}
