//! The watches of sessions and of what belongs to them.
//!
//! Children and pods are watched by the operator's own label, warnings by type: nothing of other people's
//! workloads is held, or even received.

use super::{ControlledKind, Index, Reconciler, warnings};
use crate::{
    control::{
        api,
        key::Key,
        watch::{CacheSync, EventHandler, follow, parts},
    },
    core::object::{CachedObject, Kind},
    settings::Scope,
};
use k8s_openapi::api::core::v1::Event as CoreEvent;
use kube::{Api, core::DynamicObject, runtime::watcher};
use std::{collections::HashSet, sync::Arc};
use tokio::task::JoinSet;

/// Starts all watches as tasks that run until they are aborted with the set.
pub fn start<K: ControlledKind>(
    reconciler: &Arc<Reconciler<K>>,
    scope: &Scope,
    cache_sync: &CacheSync,
    tasks: &mut JoinSet<()>,
) {
    let client = &reconciler.context.client;
    let (label, value) = K::SELECTOR;
    let ours = format!("{label}={value}");
    for part in parts(scope) {
        let handler = Sessions { reconciler: reconciler.clone(), namespace: part.clone() };
        let sessions = api::of_resource(client, &K::resource(), part.as_deref());
        tasks.spawn(follow(sessions, watcher::Config::default(), handler, cache_sync.register()));
        for kind in K::CHILDREN.iter().copied().chain([Kind::Pod]) {
            let handler = Objects { reconciler: reconciler.clone(), kind, namespace: part.clone() };
            let objects = api::api(client, kind, part.as_deref());
            let config = watcher::Config::default().labels(&ours);
            tasks.spawn(follow(objects, config, handler, cache_sync.register()));
        }
        let events: Api<CoreEvent> = match &part {
            Some(namespace) => Api::namespaced(client.clone(), namespace),
            None => Api::all(client.clone()),
        };
        let stream = watcher(events, watcher::Config::default().fields("type=Warning"));
        tasks.spawn(warnings::follow(reconciler.clone(), cache_sync.clone(), stream));
    }
}

/// Takes in sessions.
struct Sessions<K: ControlledKind> {
    reconciler: Arc<Reconciler<K>>,
    namespace: Option<String>,
}

impl<K: ControlledKind> Sessions<K> {
    /// Changes what is known of a session, and has those reconciled with which it begins or ceases to share its route.
    fn with_sharers<T>(&self, key: &Key, change: impl FnOnce(&mut Index<K>) -> T) -> T {
        let mut index = self.reconciler.index.write();
        let before = index.sharers(key);
        let result = change(&mut index);
        let after = index.sharers(key);
        drop(index);
        if before != after {
            let queue = &self.reconciler.workqueue.queue;
            before.into_iter().chain(after).for_each(|sharer| queue.add(sharer));
        }
        result
    }
}

impl<K: ControlledKind> EventHandler for Sessions<K> {
    fn kind(&self) -> &'static str {
        K::NAME
    }

    fn apply(&self, object: DynamicObject) -> Option<Key> {
        match K::read(object) {
            Ok(session) => {
                let key = Key::new(session.namespace(), session.name());
                self.with_sharers(&key, |index| index.apply_session(session))
            }
            Err(error) => {
                tracing::warn!(%error, "a session cannot be read; it is left alone");
                None
            }
        }
    }

    fn remove(&self, object: DynamicObject) -> Option<Key> {
        let key = Key::of(&object)?;
        self.with_sharers(&key, |index| index.remove_session(&key));
        Some(key)
    }

    fn retain(&self, listed: &HashSet<String>) -> Vec<Key> {
        self.reconciler.index.write().retain(None, self.namespace.as_deref(), listed)
    }

    fn enqueue(&self, key: Key) {
        let queue = &self.reconciler.workqueue.queue;
        if self.reconciler.index.read().has_children(&key) { queue.add(key) } else { queue.add_new(key) }
    }
}

/// Takes in children and pods.
struct Objects<K: ControlledKind> {
    reconciler: Arc<Reconciler<K>>,
    kind: Kind,
    namespace: Option<String>,
}

impl<K: ControlledKind> EventHandler for Objects<K> {
    fn kind(&self) -> &'static str {
        self.kind.name()
    }

    fn apply(&self, object: DynamicObject) -> Option<Key> {
        self.reconciler.index.write().apply_object(CachedObject::from_dynamic(self.kind, object)?)
    }

    fn remove(&self, object: DynamicObject) -> Option<Key> {
        self.reconciler.index.write().remove_object(CachedObject::from_dynamic(self.kind, object)?)
    }

    fn retain(&self, listed: &HashSet<String>) -> Vec<Key> {
        self.reconciler.index.write().retain(Some(self.kind), self.namespace.as_deref(), listed)
    }

    fn enqueue(&self, key: Key) {
        self.reconciler.workqueue.queue.add(key);
    }
}
