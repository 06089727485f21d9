//! What sessions of the kinds that no reconciler of ours watches mean for their Jobs.
//!
//! The guard of Jobs must know every session that a Job can claim. `AmaltheaSession`s are in the index; of the other
//! kinds of [`SESSION_KINDS`] only the few figures that the guard needs are held here, kept up to date by watches. A kind that
//! the cluster does not serve has no sessions.

use super::{
    api,
    key::Key,
    watch::{CacheSync, EventHandler, follow, parts},
};
use crate::settings::Scope;
use kube::{
    Client,
    core::{ApiResource, DynamicObject, GroupVersionKind},
    runtime::watcher,
};
use parking_lot::RwLock;
use sojourn_webhooks::{GuardSettings, JobConstraints, Object, SESSION_KINDS, SessionKind};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};
use tokio::task::JoinSet;

/// A session's UID, and what the session means for its Job.
type Entry = (String, JobConstraints);

/// See the module. By kind, and then by name.
#[derive(Default)]
pub struct SessionConstraints(RwLock<HashMap<(&'static str, Key), Entry>>);

impl SessionConstraints {
    /// What a session means for its Job.
    pub fn get(&self, owner: &SessionKind, namespace: &str, name: &str) -> Option<JobConstraints> {
        let known = self.0.read();
        known.get(&(owner.kind, Key::new(namespace, name))).map(|(_, terms)| terms.clone())
    }
}

/// Starts a watch for each kind of session but `watched`, as tasks that run until they are aborted with the set.
pub fn start(
    client: &Client,
    scope: &Scope,
    watched: &'static str,
    settings: &GuardSettings,
    cache_sync: &CacheSync,
    tasks: &mut JoinSet<()>,
) -> Arc<SessionConstraints> {
    let known = Arc::new(SessionConstraints::default());
    for owner in SESSION_KINDS.iter().filter(|owner| owner.kind != watched) {
        let kind = GroupVersionKind::gvk(owner.group, owner.version, owner.kind);
        let resource = ApiResource::from_gvk_with_plural(&kind, owner.plural);
        for part in parts(scope) {
            let api = api::of_resource(client, &resource, part.as_deref());
            let handler =
                Sessions { known: known.clone(), owner, settings: settings.clone(), namespace: part };
            tasks.spawn(follow(watcher(api, watcher::Config::default()), handler, cache_sync.register()));
        }
    }
    known
}

/// Takes in the sessions of a kind. Nothing is reconciled for them, so nothing is asked for.
struct Sessions {
    known: Arc<SessionConstraints>,
    owner: &'static SessionKind,
    settings: GuardSettings,
    namespace: Option<String>,
}

impl EventHandler for Sessions {
    fn kind(&self) -> &'static str {
        self.owner.kind
    }

    fn may_be_unknown(&self) -> bool {
        true
    }

    /// One that cannot be read promises nothing to its Job.
    fn apply(&self, object: DynamicObject) -> Option<Key> {
        let key = Key::of(&object)?;
        let uid = object.metadata.uid.clone().unwrap_or_default();
        let value = serde_json::to_value(&object).unwrap_or_default();
        let slot = (self.owner.kind, key);
        match (self.owner.job_constraints)(Object::Value(&value), &self.settings) {
            Ok(terms) => self.known.0.write().insert(slot, (uid, terms)),
            Err(error) => {
                tracing::warn!(%error, kind = self.owner.kind, session = %slot.1, "unreadable session");
                self.known.0.write().remove(&slot)
            }
        };
        None
    }

    fn remove(&self, object: DynamicObject) -> Option<Key> {
        self.known.0.write().remove(&(self.owner.kind, Key::of(&object)?));
        None
    }

    fn retain(&self, listed: &HashSet<String>) -> Vec<Key> {
        let elsewhere = |key: &Key| self.namespace.as_ref().is_some_and(|here| **here != *key.namespace);
        let other = |kind: &str, key: &Key| kind != self.owner.kind || elsewhere(key);
        self.known.0.write().retain(|(kind, key), (uid, _)| other(kind, key) || listed.contains(uid));
        Vec::new()
    }

    fn enqueue(&self, _: Key) {}
}
