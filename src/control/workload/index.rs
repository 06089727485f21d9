//! What the cluster holds of all sessions, kept up to date by watches and by our own writes.
//!
//! A plain structure behind one lock. Webhooks, reconcilers and the debug page read it at once; nothing
//! lists the API server for an answer that is here. Objects are packed until a reconcile looks at them.

mod entry;
mod routes;

use crate::{
    control::{
        key::Key,
        version::{is_newer, number},
    },
    core::{
        object::{CachedObject, Kind, PackedObject, Uid},
        packed::Form,
        workload::{Observed, SameRoute, Warning, WorkloadKind, diagnosis},
    },
};
use entry::{Entry, PackedSession, pod_owners};
use routes::Routes;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// Warnings that are kept of one object.
const MOST_WARNINGS_EACH: usize = 4;

/// What the cluster holds of all sessions of a kind.
pub struct Index<K: WorkloadKind> {
    entries: HashMap<Key, Entry<K>>,
    warnings: HashMap<Uid, Vec<Warning>>,
    owners: HashMap<Uid, Key>,
    /// Bytes of packed sessions by namespace.
    held: HashMap<Arc<str>, usize>,
    routes: Routes,
    /// What the sessions have in common.
    form: Form,
}

impl<K: WorkloadKind> Default for Index<K> {
    fn default() -> Self {
        Self {
            entries: HashMap::new(),
            warnings: HashMap::new(),
            owners: HashMap::new(),
            held: HashMap::new(),
            routes: Routes::default(),
            form: Form::new(),
        }
    }
}

impl<K: WorkloadKind> Index<K> {
    /// Stores a session, unless it is older than the one that is known. Returns its key if it was news.
    pub fn apply_session(&mut self, session: K) -> Option<Key> {
        let key = self.shared(Key::new(session.namespace(), session.name()));
        let entry = self.entries.entry(key.clone()).or_default();
        let (uid, version) = (Uid::new(session.uid()), number(session.meta().resource_version.as_deref()));
        let known = entry.session.as_ref().filter(|known| known.uid == uid);
        if known.is_some_and(|known| !is_newer(version, known.version)) {
            return None;
        }
        let new = PackedSession::new(&session, &self.form);
        let (length, route, created) = (new.len(), new.route.clone(), new.created);
        if let Some(old) = entry.session.replace(new) {
            self.session_removed(&key, &old);
        }
        *self.held.entry(key.namespace.clone()).or_default() += length;
        if let Some(route) = route {
            self.routes.add(&route, &key, created);
        }
        Some(key)
    }

    /// Takes a session out of what is counted and found beside the entries.
    fn session_removed(&mut self, key: &Key, session: &PackedSession<K>) {
        if let Some(held) = self.held.get_mut(&key.namespace) {
            *held = held.saturating_sub(session.len());
            if *held == 0 {
                self.held.remove(&key.namespace);
            }
        }
        if let Some(route) = &session.route {
            self.routes.remove(route, key);
        }
    }

    /// The sessions that have a route, the eldest first.
    pub fn route_holders(&self, route: &str) -> impl Iterator<Item = &Key> {
        self.routes.holders(route)
    }

    fn route(&self, key: &Key) -> Option<&str> {
        self.entries.get(key)?.session.as_ref()?.route.as_deref()
    }

    /// The other sessions that have the route of this one.
    pub fn sharers(&self, key: &Key) -> Vec<Key> {
        let holders = self.route(key).into_iter().flat_map(|route| self.routes.holders(route));
        holders.filter(|holder| *holder != key).cloned().collect()
    }

    fn same_route(&self, key: &Key) -> Vec<SameRoute> {
        let Some(route) = self.route(key) else { return Vec::new() };
        let mut is_older = true;
        let mut others = Vec::new();
        for holder in self.routes.holders(route) {
            if holder == key {
                is_older = false;
            } else {
                let (namespace, name) = (holder.namespace.to_string(), holder.name.to_string());
                others.push(SameRoute { namespace, name, is_older });
            }
        }
        others
    }

    /// Bytes that the sessions of a namespace take in memory. Their workloads take about as much again.
    pub fn held(&self, namespace: &str) -> usize {
        self.held.get(namespace).copied().unwrap_or_default()
    }

    /// Forgets a session.
    pub fn remove_session(&mut self, key: &Key) {
        if let Some(entry) = self.entries.get_mut(key) {
            let session = entry.session.take();
            entry.gone = None;
            entry.measurements = K::Measurements::default();
            if let Some(session) = session {
                self.session_removed(key, &session);
            }
            self.tidy(key);
        }
    }

    /// Stores a child or a pod. Returns the key of its session if it was news.
    pub fn apply_object(&mut self, live: CachedObject) -> Option<Key> {
        let key = self.shared(session_of::<K>(&live)?);
        let new = PackedObject::new(live);
        self.owners.insert(new.uid, key.clone());
        let objects = self.entries.entry(key.clone()).or_default().objects(new.kind);
        match objects.iter_mut().find(|known| known.kind == new.kind && known.name == new.name) {
            Some(known) if known.uid == new.uid && !is_newer(new.version, known.version) => return None,
            Some(known) => {
                let old = std::mem::replace(known, new);
                if old.uid != known.uid {
                    self.owners.remove(&old.uid);
                    self.warnings.remove(&old.uid);
                }
            }
            None => {
                objects.reserve_exact(1);
                objects.push(new);
            }
        }
        Some(key)
    }

    /// Forgets a child or a pod. Returns the key of its session.
    pub fn remove_object(&mut self, live: CachedObject) -> Option<Key> {
        let key = session_of::<K>(&live)?;
        let uid = Uid::new(&live.uid);
        self.owners.remove(&uid);
        self.warnings.remove(&uid);
        let entry = self.entries.get_mut(&key)?;
        // An object of that name may already be the next one.
        entry.objects(live.kind).retain(|object| object.kind != live.kind || object.uid != uid);
        if live.kind == Kind::Pod {
            entry.gone = diagnosis::interruption(&live).map(|_| Box::new(PackedObject::new(live)));
        }
        self.tidy(&key);
        Some(key)
    }

    /// Forgets a child of a session that was deleted.
    pub fn forget(&mut self, key: &Key, kind: Kind, name: &str, uid: &str) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        let uid = Uid::new(uid);
        let is_it = |child: &PackedObject| child.kind == kind && &*child.name == name && child.uid == uid;
        let before = entry.children.len();
        entry.children.retain(|child| !is_it(child));
        if entry.children.len() < before {
            self.owners.remove(&uid);
            self.warnings.remove(&uid);
            self.tidy(key);
        }
    }

    /// Stores a warning about a child or pod. Returns the key of its session. Anybody may write Events: what is about
    /// other objects is not kept.
    pub fn apply_warning(&mut self, uid: &str, warning: Warning) -> Option<Key> {
        let uid = Uid::new(uid);
        let key = self.owners.get(&uid)?.clone();
        let known = self.warnings.entry(uid).or_default();
        known.retain(|old| old.reason != warning.reason);
        known.insert(0, warning);
        known.truncate(MOST_WARNINGS_EACH);
        Some(key)
    }

    /// Changes what was measured of a session.
    pub fn measure(&mut self, key: &Key, change: impl FnOnce(&mut K::Measurements)) {
        if let Some(entry) = self.entries.get_mut(key) {
            change(&mut entry.measurements);
        }
    }

    /// After a new list of a kind, or of the sessions: forgets what was not in it. `namespace` is where the list was
    /// made; `None` is everywhere. Returns the keys of the sessions that this is about.
    pub fn retain(
        &mut self,
        kind: Option<Kind>,
        namespace: Option<&str>,
        seen: &HashSet<String>,
    ) -> Vec<Key> {
        let seen: HashSet<Uid> = seen.iter().map(|uid| Uid::new(uid)).collect();
        let mut changed = Vec::new();
        let mut gone = Vec::new();
        let mut removed = Vec::new();
        let in_scope = |key: &Key| namespace.is_none_or(|namespace| namespace == &*key.namespace);
        for (key, entry) in self.entries.iter_mut().filter(|(key, _)| in_scope(key)) {
            let lost = match kind {
                None => {
                    let lost = entry.session.take_if(|session| !seen.contains(&session.uid));
                    let is_lost = lost.is_some();
                    removed.extend(lost.map(|session| (key.clone(), session)));
                    is_lost
                }
                Some(kind) => {
                    let objects = entry.objects(kind);
                    let before = objects.len();
                    objects.retain(|object| {
                        let stays = object.kind != kind || seen.contains(&object.uid);
                        gone.extend((!stays).then_some(object.uid));
                        stays
                    });
                    objects.len() < before
                }
            };
            if lost {
                changed.push(key.clone());
            }
        }
        for (key, session) in removed {
            self.session_removed(&key, &session);
            // Those that shared its route do no longer.
            changed.extend(session.route.iter().flat_map(|route| self.routes.holders(route)).cloned());
        }
        for uid in &gone {
            self.owners.remove(uid);
            self.warnings.remove(uid);
        }
        for key in &changed {
            self.tidy(key);
        }
        changed
    }

    /// The same key, as the index holds it: its names stand in memory once.
    fn shared(&self, key: Key) -> Key {
        self.entries.get_key_value(&key).map_or(key, |(known, _)| known.clone())
    }

    fn tidy(&mut self, key: &Key) {
        if self.entries.get(key).is_some_and(Entry::is_empty) {
            self.entries.remove(key);
        }
    }

    /// The session of that name.
    pub fn session(&self, key: &Key) -> Option<Arc<K>> {
        self.entries.get(key)?.session.as_ref()?.unpack(&self.form)
    }

    /// The child of that kind and name of a session.
    pub fn child(&self, key: &Key, kind: Kind, name: &str) -> Option<Arc<CachedObject>> {
        self.entries.get(key)?.child(kind, name)
    }

    /// Whether anything was created for the session of that name.
    pub fn has_children(&self, key: &Key) -> bool {
        self.entries.get(key).is_some_and(|entry| !entry.children.is_empty())
    }

    /// Summaries of all sessions.
    pub fn summaries(&self) -> impl Iterator<Item = (&Key, &K::Summary)> {
        self.entries.iter().filter_map(|(key, entry)| Some((key, &entry.session.as_ref()?.summary)))
    }

    /// Keys of all sessions, and of those that are gone and left something.
    pub fn keys(&self) -> Vec<Key> {
        self.entries.keys().cloned().collect()
    }

    /// What the cluster holds of a session. `None` when there is no session.
    pub fn observe(&self, key: &Key) -> Option<Observed<K>> {
        let entry = self.entries.get(key)?;
        let packed = entry.session.as_ref()?;
        let owners = pod_owners(&entry.children, K::WORKLOADS, packed.uid);
        let is_ours = |pod: &&PackedObject| pod.owner.is_some_and(|owner| owners.contains(&owner));
        let about = entry.children.iter().chain(entry.pods.iter().filter(is_ours));
        let mut warnings: Vec<Warning> =
            about.filter_map(|object| self.warnings.get(&object.uid)).flatten().cloned().collect();
        warnings.sort_by_key(|warning| std::cmp::Reverse(warning.at));
        let unpack = |object: &PackedObject| object.unpack().map(Arc::new);
        let children = entry.children.iter().filter_map(unpack);
        let mut observed = Observed {
            session: packed.unpack(&self.form)?,
            children: children.map(|child| ((child.kind, child.name.clone()), child)).collect(),
            pods: entry.pods.iter().filter(is_ours).filter_map(unpack).collect(),
            gone: entry.gone.as_deref().filter(is_ours).and_then(unpack),
            warnings,
            measurements: K::Measurements::default(),
            shared_secrets: if packed.is_deleting { self.secrets_of_others(key) } else { Vec::new() },
            same_route: self.same_route(key),
        };
        observed.measurements = K::current(&entry.measurements, observed.pod());
        Some(observed)
    }

    /// Secrets that other sessions of the namespace refer to. Only needed when a session is being deleted.
    fn secrets_of_others(&self, key: &Key) -> Vec<String> {
        let others =
            self.entries.iter().filter(|(other, _)| other.namespace == key.namespace && *other != key);
        let sessions = others.filter_map(|(_, entry)| entry.session.as_ref());
        sessions.filter(|session| !session.is_deleting).flat_map(|session| session.secrets.to_vec()).collect()
    }

    /// Jobs of a session that is gone.
    pub fn orphaned_jobs(&self, key: &Key) -> Vec<Arc<CachedObject>> {
        let Some(entry) = self.entries.get(key) else { return Vec::new() };
        let uid = entry.session.as_ref().map(|session| session.uid);
        let jobs = entry.children.iter().filter(|child| child.kind == Kind::Job && child.owner != uid);
        jobs.filter_map(|job| job.unpack().map(Arc::new)).collect()
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

/// The session that an object is about, by its label.
fn session_of<K: WorkloadKind>(live: &CachedObject) -> Option<Key> {
    Some(Key::new(&live.namespace, live.labels.get(K::NAME_LABEL)?))
}

#[cfg(test)]
mod tests;
