//! What the cluster holds of all sessions, kept up to date by watches and by our own writes.
//!
//! A plain structure behind one lock. Webhooks, reconcilers and the debug page read it at once; nothing
//! lists the API server for an answer that is here.

use crate::{
    control::{key::Key, version::is_newer},
    core::{
        object::{CachedObject, Kind},
        workload::{Observed, Warning, WorkloadKind, diagnosis, observed::Children},
    },
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

/// Warnings that are kept at most; a cluster in trouble makes more than anybody reads.
const MOST_WARNINGS: usize = 20_000;
/// Warnings that are kept of one object.
const MOST_WARNINGS_EACH: usize = 4;

/// What belongs to one session, by its name.
struct Entry<K: WorkloadKind> {
    session: Option<Arc<K>>,
    children: Children,
    pods: BTreeMap<String, Arc<CachedObject>>,
    /// A pod that failed is replaced at once, mostly before the next reconcile.
    gone: Option<Arc<CachedObject>>,
    measurements: K::Measurements,
}

impl<K: WorkloadKind> Default for Entry<K> {
    fn default() -> Self {
        Self {
            session: None,
            children: Children::new(),
            pods: BTreeMap::new(),
            gone: None,
            measurements: K::Measurements::default(),
        }
    }
}

impl<K: WorkloadKind> Entry<K> {
    fn is_empty(&self) -> bool {
        self.session.is_none() && self.children.is_empty() && self.pods.is_empty()
    }
}

/// What the cluster holds of all sessions of a kind.
pub struct Index<K: WorkloadKind> {
    entries: HashMap<Key, Entry<K>>,
    warnings: HashMap<String, Vec<Warning>>,
    owners: HashMap<String, Key>,
}

impl<K: WorkloadKind> Default for Index<K> {
    fn default() -> Self {
        Self { entries: HashMap::new(), warnings: HashMap::new(), owners: HashMap::new() }
    }
}

impl<K: WorkloadKind> Index<K> {
    /// Takes in a session; older news than what is known is ignored. Returns whether it was news.
    pub fn apply_session(&mut self, session: K) -> Option<Key> {
        let key = Key::new(session.namespace(), session.name());
        let entry = self.entries.entry(key.clone()).or_default();
        let version = session.meta().resource_version.as_deref();
        if entry.session.as_ref().is_some_and(|known| {
            known.uid() == session.uid() && !is_newer(version, known.meta().resource_version.as_deref())
        }) {
            return None;
        }
        entry.session = Some(Arc::new(session));
        Some(key)
    }

    /// Forgets a session.
    pub fn remove_session(&mut self, key: &Key) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.session = None;
            entry.gone = None;
            entry.measurements = K::Measurements::default();
            self.tidy(key);
        }
    }

    /// Takes in a child or a pod. Returns the session that it is about, if it was news.
    pub fn apply_object(&mut self, live: CachedObject) -> Option<Key> {
        let key = session_of::<K>(&live)?;
        self.owners.insert(live.uid.clone(), key.clone());
        let entry = self.entries.entry(key.clone()).or_default();
        let (known, slot) = match live.kind {
            Kind::Pod => (entry.pods.get(&live.name), None),
            kind => (entry.children.get(&(kind, live.name.clone())), Some((kind, live.name.clone()))),
        };
        if known.is_some_and(|known| {
            known.uid == live.uid && !is_newer(Some(&live.resource_version), Some(&known.resource_version))
        }) {
            return None;
        }
        match slot {
            None => entry.pods.insert(live.name.clone(), Arc::new(live)),
            Some(slot) => entry.children.insert(slot, Arc::new(live)),
        };
        Some(key)
    }

    /// Forgets a child or a pod. Returns the session that it was about.
    pub fn remove_object(&mut self, live: CachedObject) -> Option<Key> {
        let key = session_of::<K>(&live)?;
        self.owners.remove(&live.uid);
        self.warnings.remove(&live.uid);
        let entry = self.entries.get_mut(&key)?;
        match live.kind {
            Kind::Pod => {
                // A pod of that name may already be the next one.
                entry.pods.retain(|_, pod| pod.uid != live.uid);
                entry.gone = diagnosis::interruption(&live).map(|_| Arc::new(live));
            }
            _ => entry.children.retain(|_, child| child.uid != live.uid),
        }
        self.tidy(&key);
        Some(key)
    }

    /// Forgets a child of a session that was deleted.
    pub fn forget(&mut self, key: &Key, kind: Kind, name: &str, uid: &str) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        let slot = (kind, name.to_owned());
        if entry.children.get(&slot).is_some_and(|child| child.uid == uid) {
            entry.children.remove(&slot);
            self.owners.remove(uid);
            self.warnings.remove(uid);
            self.tidy(key);
        }
    }

    /// Takes in a warning about an object. Returns the session that it is about, if that is known.
    pub fn apply_warning(&mut self, uid: &str, warning: Warning) -> Option<Key> {
        if self.warnings.len() >= MOST_WARNINGS {
            let owners = &self.owners;
            self.warnings.retain(|uid, _| owners.contains_key(uid));
        }
        let known = self.warnings.entry(uid.to_owned()).or_default();
        known.retain(|old| old.reason != warning.reason);
        known.insert(0, warning);
        known.truncate(MOST_WARNINGS_EACH);
        self.owners.get(uid).cloned()
    }

    /// Changes what was measured of a session.
    pub fn measure(&mut self, key: &Key, change: impl FnOnce(&mut K::Measurements)) {
        if let Some(entry) = self.entries.get_mut(key) {
            change(&mut entry.measurements);
        }
    }

    /// After a new list of a kind: forgets what was not in it. `namespace` is where the list was made; none
    /// is everywhere. Returns the sessions that this is about.
    pub fn retain(
        &mut self,
        kind: Option<Kind>,
        namespace: Option<&str>,
        seen: &HashSet<String>,
    ) -> Vec<Key> {
        let mut changed = Vec::new();
        let in_scope = |key: &Key| namespace.is_none_or(|namespace| namespace == &*key.namespace);
        for (key, entry) in self.entries.iter_mut().filter(|(key, _)| in_scope(key)) {
            let before = entry.children.len() + entry.pods.len() + usize::from(entry.session.is_some());
            match kind {
                None => entry.session = entry.session.take().filter(|session| seen.contains(session.uid())),
                Some(Kind::Pod) => entry.pods.retain(|_, pod| seen.contains(&pod.uid)),
                Some(kind) => {
                    entry.children.retain(|slot, child| slot.0 != kind || seen.contains(&child.uid))
                }
            }
            if before != entry.children.len() + entry.pods.len() + usize::from(entry.session.is_some()) {
                changed.push(key.clone());
            }
        }
        for key in &changed {
            self.tidy(key);
        }
        changed
    }

    fn tidy(&mut self, key: &Key) {
        if self.entries.get(key).is_some_and(Entry::is_empty) {
            self.entries.remove(key);
        }
    }

    /// The session of that name.
    pub fn session(&self, key: &Key) -> Option<Arc<K>> {
        self.entries.get(key)?.session.clone()
    }

    /// The child of that kind and name of a session.
    pub fn child(&self, key: &Key, kind: Kind, name: &str) -> Option<Arc<CachedObject>> {
        self.entries.get(key)?.children.get(&(kind, name.to_owned())).cloned()
    }

    /// All sessions.
    pub fn sessions(&self) -> impl Iterator<Item = (&Key, &Arc<K>)> {
        self.entries.iter().filter_map(|(key, entry)| Some((key, entry.session.as_ref()?)))
    }

    /// Keys of all sessions, and of those that are gone and left something.
    pub fn keys(&self) -> Vec<Key> {
        self.entries.keys().cloned().collect()
    }

    /// What the cluster holds of a session. `None` when there is no session.
    pub fn observe(&self, key: &Key) -> Option<Observed<K>> {
        let entry = self.entries.get(key)?;
        let session = entry.session.clone()?;
        let owners = pod_owners(&entry.children, K::WORKLOADS, WorkloadKind::uid(&*session));
        let is_ours =
            |pod: &&Arc<CachedObject>| pod.owner.as_deref().is_some_and(|owner| owners.contains(owner));
        let pods: Vec<Arc<CachedObject>> = entry.pods.values().filter(is_ours).cloned().collect();
        let about = entry.children.values().chain(&pods);
        let mut warnings: Vec<Warning> =
            about.filter_map(|live| self.warnings.get(&live.uid)).flatten().cloned().collect();
        warnings.sort_by_key(|warning| std::cmp::Reverse(warning.at));
        let shared_secrets = match session.meta().deletion_timestamp {
            Some(_) => self.secrets_of_others(key),
            None => Vec::new(),
        };
        let mut observed = Observed {
            children: entry.children.clone(),
            pods,
            gone: entry.gone.as_ref().filter(is_ours).cloned(),
            warnings,
            measurements: K::Measurements::default(),
            shared_secrets,
            session,
        };
        observed.measurements = K::current(&entry.measurements, observed.pod());
        Some(observed)
    }

    /// Secrets that other sessions of the namespace refer to. Only needed when a session is being deleted.
    fn secrets_of_others(&self, key: &Key) -> Vec<String> {
        let others = self.sessions().filter(|(other, _)| other.namespace == key.namespace && *other != key);
        let others = others.filter(|(_, session)| session.meta().deletion_timestamp.is_none());
        others.flat_map(|(_, session)| session.secrets()).collect()
    }

    /// Jobs of a session that is gone.
    pub fn orphaned_jobs(&self, key: &Key) -> Vec<Arc<CachedObject>> {
        let Some(entry) = self.entries.get(key) else { return Vec::new() };
        let uid = entry.session.as_ref().map(|session| session.uid().to_owned());
        let jobs = entry.children.values().filter(|child| child.kind == Kind::Job);
        jobs.filter(|job| job.owner != uid).cloned().collect()
    }

    /// How much is held: sessions, children and pods.
    pub fn sizes(&self) -> (usize, usize, usize) {
        self.entries.values().fold((0, 0, 0), |(sessions, children, pods), entry| {
            (
                sessions + usize::from(entry.session.is_some()),
                children + entry.children.len(),
                pods + entry.pods.len(),
            )
        })
    }
}

/// UIDs of what makes the pods of the session `session`: its workloads, what these make pods with, and the session itself
/// for kinds that create pods.
fn pod_owners<'e>(children: &'e Children, workloads: &[Kind], session: &'e str) -> HashSet<&'e str> {
    let mut owners: HashSet<&str> = children
        .values()
        .filter(|child| workloads.contains(&child.kind) && child.owner.as_deref() == Some(session))
        .map(|child| child.uid.as_str())
        .collect();
    let replica_sets = children.values().filter(|child| child.kind == Kind::ReplicaSet);
    let of_deployments: Vec<&str> = replica_sets
        .filter(|set| set.owner.as_deref().is_some_and(|owner| owners.contains(owner)))
        .map(|set| set.uid.as_str())
        .collect();
    owners.extend(of_deployments);
    if workloads.contains(&Kind::Pod) {
        owners.insert(session);
    }
    owners
}

/// The session that an object is about, by its label.
fn session_of<K: WorkloadKind>(live: &CachedObject) -> Option<Key> {
    Some(Key::new(&live.namespace, live.labels.get(K::NAME_LABEL)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use sojourn_crds::amalthea::{AmaltheaSession, names};

    fn live(kind: Kind, name: &str, uid: &str, owner: &str) -> CachedObject {
        let object = json!({
            "apiVersion": kind.api_version(), "kind": kind.name(),
            "metadata": {
                "name": name, "namespace": "team", "uid": uid,
                "labels": {names::LABEL_INSTANCE: "hello"},
                "ownerReferences": [
                    {"apiVersion": "v1", "kind": "Any", "name": "any", "uid": owner, "controller": true},
                ],
            },
        });
        CachedObject::from_dynamic(kind, serde_json::from_value(object).unwrap()).unwrap()
    }

    fn index() -> (Index<AmaltheaSession>, Key) {
        let session: Value = json!({"metadata": {"name": "hello", "namespace": "team", "uid": "session"}});
        let mut index = Index::default();
        let key = index.apply_session(serde_json::from_value(session).unwrap()).unwrap();
        index.apply_object(live(Kind::StatefulSet, "hello", "set", "session"));
        (index, key)
    }

    fn unmounted(at: i64) -> Warning {
        let at = jiff::Timestamp::from_second(at).unwrap();
        let (reason, message) = ("FailedMount".to_owned(), "no volume".to_owned());
        Warning { kind: Kind::Pod, name: "hello-0".into(), reason, message, at }
    }

    /// W12: the original looks for events by the name of the pod, which the next pod has too.
    #[test]
    fn what_was_said_of_an_earlier_pod_says_nothing_of_the_next() {
        let (mut index, key) = index();
        index.apply_object(live(Kind::Pod, "hello-0", "first", "set"));
        assert_eq!(index.apply_warning("first", unmounted(1)), Some(key.clone()));
        assert_eq!(index.observe(&key).unwrap().warnings, [unmounted(1)]);

        index.remove_object(live(Kind::Pod, "hello-0", "first", "set"));
        index.apply_object(live(Kind::Pod, "hello-0", "second", "set"));
        assert_eq!(index.apply_warning("first", unmounted(2)), None, "it comes late");
        assert_eq!(index.observe(&key).unwrap().warnings, []);
        index.apply_warning("second", unmounted(3));
        assert_eq!(index.observe(&key).unwrap().warnings, [unmounted(3)]);
    }

    /// The next pod is mostly there before a look is taken.
    #[test]
    fn the_last_pod_that_failed_is_known_until_another_one_is_gone() {
        let (mut index, key) = index();
        let pod = |uid: &str, status: Value| {
            let set = json!([{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "hello", "uid": "set",
                "controller": true}]);
            let metadata = json!({"name": "hello-0", "namespace": "team", "uid": uid, "ownerReferences": set,
                "labels": {names::LABEL_INSTANCE: "hello"}});
            let object = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": status});
            CachedObject::from_dynamic(Kind::Pod, serde_json::from_value(object).unwrap()).unwrap()
        };
        let evicted = json!({"phase": "Failed", "reason": "Evicted"});
        let gone =
            |index: &Index<AmaltheaSession>| index.observe(&key).unwrap().gone.map(|pod| pod.uid.clone());
        index.apply_object(pod("first", json!({"phase": "Running"})));
        index.remove_object(pod("first", evicted.clone()));
        index.apply_object(pod("second", json!({"phase": "Running"})));
        assert_eq!(gone(&index).as_deref(), Some("first"));
        index.remove_object(pod("second", json!({"phase": "Running"})));
        assert_eq!(gone(&index), None);

        index.remove_object(pod("third", evicted));
        assert_eq!(gone(&index).as_deref(), Some("third"));
        index.remove_object(live(Kind::StatefulSet, "hello", "set", "session"));
        assert_eq!(gone(&index), None, "of another workload");
    }

    #[test]
    fn pods_of_deployments_and_of_the_session_itself_count_where_the_kind_has_such() {
        let children: Children = [
            live(Kind::Deployment, "hello", "deployment", "session"),
            live(Kind::ReplicaSet, "hello-1", "set", "deployment"),
            live(Kind::ReplicaSet, "other-1", "theirs", "another"),
        ]
        .into_iter()
        .map(|object| ((object.kind, object.name.clone()), Arc::new(object)))
        .collect();
        let owners = |workloads: &[Kind]| {
            let mut owners: Vec<_> = pod_owners(&children, workloads, "session").into_iter().collect();
            owners.sort_unstable();
            owners
        };
        assert_eq!(owners(&[Kind::Deployment]), ["deployment", "set"]);
        assert_eq!(owners(&[Kind::Job, Kind::Pod]), ["session"]);
        assert!(owners(&[Kind::StatefulSet]).is_empty());
    }

    /// W4: pods count by the UID of the workload that made them.
    #[test]
    fn pods_of_somebody_elses_workload_are_not_the_sessions() {
        let (mut index, key) = index();
        index.apply_object(live(Kind::Pod, "hello-0", "theirs", "another"));
        assert!(index.observe(&key).unwrap().pods.is_empty());
        index.apply_object(live(Kind::Job, "hello", "job", "another"));
        index.apply_object(live(Kind::Pod, "hello-x", "jobs", "job"));
        assert!(index.observe(&key).unwrap().pods.is_empty());
        index.apply_object(live(Kind::Pod, "hello-0", "ours", "set"));
        assert_eq!(index.observe(&key).unwrap().pod().unwrap().uid, "ours");
    }
}
