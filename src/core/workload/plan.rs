//! What to write and delete for one session, and the parts of it that all kinds plan alike.

use super::{ChildError, Observed, WorkloadKind, foreign, job::RESULT_FINALIZER};
use crate::core::{
    manifest::{DesiredObject, Write},
    object::{CachedObject, Kind},
};

/// What to do, in this order: releases and deletes, writes, finalizers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// A run to record before anything is done for it. Nothing else is planned then.
    pub begin_run: Option<String>,
    /// Jobs whose result is on record, or does not count: take the finalizer off that keeps them.
    pub release: Vec<Release>,
    /// Children that should not be there.
    pub delete: Vec<Delete>,
    /// Children that are not as they should be. What a workload mounts comes before it.
    pub write: Vec<Write>,
    /// Adopted secrets that are deleted with the session.
    pub delete_secrets: Vec<String>,
    /// Adopted secrets that stay when the session is deleted.
    pub keep_secrets: Vec<KeptSecret>,
    /// The finalizers that the session should have, when they differ from those that it has.
    pub finalizers: Option<Vec<String>>,
    /// Children that cannot be written because other objects have their names.
    pub blocked: Vec<ChildError>,
}

/// An adopted secret that is not deleted with its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptSecret {
    /// Name of the secret.
    pub name: String,
    /// Why it stays.
    pub reason: KeepReason,
}

/// Why an adopted secret is not deleted with its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepReason {
    /// Other sessions refer to it.
    Shared,
    /// No admission webhook recorded that its deletion is approved.
    NotApproved,
}

/// A child to delete, and only that very object.
#[derive(Clone, Debug, PartialEq)]
pub struct Delete {
    /// Kind of the child.
    pub kind: Kind,
    /// Name of the child.
    pub name: String,
    /// UID of the child.
    pub uid: String,
}

/// A Job to take our finalizer off.
#[derive(Clone, Debug, PartialEq)]
pub struct Release {
    /// Namespace of the Job.
    pub namespace: String,
    /// Name of the Job.
    pub name: String,
    /// Version of the Job that `finalizers` were read from.
    pub resource_version: String,
    /// The finalizers that stay.
    pub finalizers: Vec<String>,
}

impl Delete {
    /// Deletes that object.
    pub fn of(object: &CachedObject) -> Self {
        Self { kind: object.kind, name: object.name.clone(), uid: object.uid.clone() }
    }
}

impl Release {
    /// Takes our finalizer off a Job; `None` when it has none of ours.
    pub fn of(job: &CachedObject) -> Option<Self> {
        let kept: Vec<String> =
            job.finalizers.iter().filter(|finalizer| *finalizer != RESULT_FINALIZER).cloned().collect();
        (kept.len() < job.finalizers.len()).then(|| Self {
            namespace: job.namespace.clone(),
            name: job.name.clone(),
            resource_version: job.resource_version.clone(),
            finalizers: kept,
        })
    }

    /// Takes our finalizer off a Job whose session is gone and that is being deleted.
    pub fn of_orphan(job: &CachedObject) -> Option<Self> {
        Self::of(job).filter(|_| job.deleting)
    }
}

impl Plan {
    /// The live object of a desired child, if the child can be planned. An object of that name that is in the way is
    /// recorded as blocked.
    pub fn live_child<'o, K: WorkloadKind>(
        &mut self,
        child: &DesiredObject,
        observed: &'o Observed<K>,
    ) -> Result<Option<&'o CachedObject>, NotOurs> {
        let live = observed.child(child.kind, &child.name);
        if let Some(live) = live.filter(|live| !observed.owns(live)) {
            self.blocked.extend(foreign::obstacle(&*observed.session, &child.manifest, live));
            return Err(NotOurs);
        }
        Ok(live)
    }

    /// Whether a child is written or deleted.
    pub fn touches(&self, kind: Kind, name: &str) -> bool {
        self.write.iter().any(|write| write.target() == (kind, name))
            || self.delete.iter().any(|delete| (delete.kind, delete.name.as_str()) == (kind, name))
    }
}

/// An object that does not belong to the session has the name of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotOurs;

/// The finalizers that an object should have so that `finalizer` is among them exactly if `wanted`; `None` when it has
/// them already.
pub fn with_finalizer(existing: &[String], finalizer: &str, wanted: bool) -> Option<Vec<String>> {
    let present = existing.iter().any(|name| name == finalizer);
    if wanted == present {
        return None;
    }
    let others = existing.iter().filter(|name| *name != finalizer).cloned();
    Some(others.chain(wanted.then(|| finalizer.to_owned())).collect())
}
