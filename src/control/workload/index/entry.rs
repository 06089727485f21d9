//! What belongs to one session, packed.

use crate::core::{
    object::{CachedObject, Kind, PackedObject, Uid},
    packed::{Form, Packed},
    workload::WorkloadKind,
};
use k8s_openapi::jiff::Timestamp;
use std::{collections::HashSet, sync::Arc};

/// A session between reconciles.
pub(super) struct PackedSession<K: WorkloadKind> {
    pub(super) uid: Uid,
    /// Version of the object, should it be a number, as it always is.
    pub(super) version: Option<u64>,
    pub(super) is_deleting: bool,
    /// Names of the secrets that the session refers to.
    pub(super) secrets: Box<[String]>,
    pub(super) summary: K::Summary,
    /// The address at which the session is reached, if it has one.
    pub(super) route: Option<Box<str>>,
    pub(super) created: Option<Timestamp>,
    text: Packed,
}

impl<K: WorkloadKind> PackedSession<K> {
    /// Packs a session in the form of all sessions of the kind.
    pub(super) fn new(session: &K, form: &Form) -> Self {
        let metadata = session.meta();
        // Keys are text and numbers are finite, so there is always a text.
        let text = serde_json::to_string(session).unwrap_or_default();
        Self {
            uid: Uid::new(session.uid()),
            version: metadata.resource_version.as_ref().and_then(|version| version.parse().ok()),
            is_deleting: metadata.deletion_timestamp.is_some(),
            secrets: session.secrets().into(),
            summary: session.summary(),
            route: session.route().map(Into::into),
            created: metadata.creation_timestamp.as_ref().map(|time| time.0),
            text: form.pack(text.as_bytes()),
        }
    }

    /// How many bytes the session takes.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// The session again.
    pub(super) fn unpack(&self, form: &Form) -> Option<Arc<K>> {
        serde_json::from_slice(&form.unpack(&self.text)?).ok().map(Arc::new)
    }
}

/// What belongs to one session, by its name.
pub(super) struct Entry<K: WorkloadKind> {
    pub(super) session: Option<PackedSession<K>>,
    pub(super) children: Vec<PackedObject>,
    pub(super) pods: Vec<PackedObject>,
    /// A pod that failed is replaced at once, mostly before the next reconcile.
    pub(super) gone: Option<Box<PackedObject>>,
    pub(super) measurements: K::Measurements,
}

impl<K: WorkloadKind> Default for Entry<K> {
    fn default() -> Self {
        Self {
            session: None,
            children: Vec::new(),
            pods: Vec::new(),
            gone: None,
            measurements: K::Measurements::default(),
        }
    }
}

impl<K: WorkloadKind> Entry<K> {
    pub(super) fn is_empty(&self) -> bool {
        self.session.is_none() && self.children.is_empty() && self.pods.is_empty()
    }

    /// Objects of the kind are among these.
    pub(super) fn objects(&mut self, kind: Kind) -> &mut Vec<PackedObject> {
        if kind == Kind::Pod { &mut self.pods } else { &mut self.children }
    }

    pub(super) fn child(&self, kind: Kind, name: &str) -> Option<Arc<CachedObject>> {
        let child = self.children.iter().find(|child| child.kind == kind && &*child.name == name)?;
        child.unpack().map(Arc::new)
    }
}

/// UIDs of what makes the pods of the session `session`: its workloads, what these make pods with, and the session
/// itself for kinds that create pods.
pub(super) fn pod_owners(children: &[PackedObject], workloads: &[Kind], session: Uid) -> HashSet<Uid> {
    let mut owners: HashSet<Uid> = children
        .iter()
        .filter(|child| workloads.contains(&child.kind) && child.owner == Some(session))
        .map(|child| child.uid)
        .collect();
    let replica_sets = children.iter().filter(|child| child.kind == Kind::ReplicaSet);
    let of_deployments: Vec<Uid> = replica_sets
        .filter(|set| set.owner.is_some_and(|owner| owners.contains(&owner)))
        .map(|set| set.uid)
        .collect();
    owners.extend(of_deployments);
    if workloads.contains(&Kind::Pod) {
        owners.insert(session);
    }
    owners
}
