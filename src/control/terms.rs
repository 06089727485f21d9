//! What sessions of the kinds that no reconciler of ours watches mean for their Jobs.
//!
//! The guard of Jobs must know every session that a Job can claim. `AmaltheaSession`s are in the index; of the other
//! kinds of [`OWNERS`] only the few figures that the guard needs are held here, kept up to date by watches. A kind that
//! the cluster does not serve has no sessions.

use super::{
    api, errors,
    watch::{Pending, Unsynced, parts},
};
use crate::settings::Scope;
use futures::StreamExt;
use kube::{
    Client,
    core::{ApiResource, DynamicObject, GroupVersionKind},
    runtime::{WatchStreamExt, watcher},
};
use sojourn_webhooks::{GuardSettings, OWNERS, Object, Owner, Terms};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};
use tokio::task::JoinSet;

/// A session: its kind, namespace and name.
type Key = (&'static str, String, String);

/// See the module.
#[derive(Default)]
pub struct SessionTerms(RwLock<HashMap<Key, Terms>>);

impl SessionTerms {
    /// What a session means for its Job.
    pub fn get(&self, owner: &Owner, namespace: &str, name: &str) -> Option<Terms> {
        self.read().get(&(owner.kind, namespace.to_owned(), name.to_owned())).cloned()
    }

    // A panic elsewhere leaves the map as whole as it was: each change is one call.
    fn read(&self) -> RwLockReadGuard<'_, HashMap<Key, Terms>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<Key, Terms>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in a session. One that cannot be read promises nothing to its Job.
    fn apply(&self, owner: &Owner, object: &DynamicObject, settings: &GuardSettings) -> Option<Key> {
        let key = key(owner, object)?;
        let value = serde_json::to_value(object).unwrap_or_default();
        match (owner.terms)(Object::Value(&value), settings) {
            Ok(terms) => self.write().insert(key.clone(), terms),
            Err(error) => {
                tracing::warn!(%error, kind = owner.kind, namespace = key.1, name = key.2, "unreadable session");
                self.write().remove(&key)
            }
        };
        Some(key)
    }
}

fn key(owner: &Owner, object: &DynamicObject) -> Option<Key> {
    let metadata = &object.metadata;
    Some((owner.kind, metadata.namespace.clone()?, metadata.name.clone()?))
}

/// Starts a watch for each kind of session but `watched`, as tasks that run until they are aborted with the set.
pub fn start(
    client: &Client,
    scope: &Scope,
    watched: &'static str,
    settings: &GuardSettings,
    unsynced: &Unsynced,
    tasks: &mut JoinSet<()>,
) -> Arc<SessionTerms> {
    let known = Arc::new(SessionTerms::default());
    for owner in OWNERS.iter().filter(|owner| owner.kind != watched) {
        let kind = GroupVersionKind::gvk(owner.group, owner.version, owner.kind);
        let resource = ApiResource::from_gvk_with_plural(&kind, owner.plural);
        for part in parts(scope) {
            let watch = Watch {
                known: known.clone(),
                owner,
                settings: settings.clone(),
                namespace: part.clone(),
                pending: unsynced.one(),
            };
            let api = api::of_resource(client, &resource, part.as_deref());
            tasks.spawn(watch.follow(watcher(api, watcher::Config::default())));
        }
    }
    known
}

struct Watch {
    known: Arc<SessionTerms>,
    owner: &'static Owner,
    settings: GuardSettings,
    namespace: Option<String>,
    pending: Pending,
}

impl Watch {
    async fn follow(
        mut self,
        stream: impl futures::Stream<Item = watcher::Result<watcher::Event<DynamicObject>>> + Send,
    ) {
        let mut stream = std::pin::pin!(stream.default_backoff());
        let mut listed = HashSet::new();
        while let Some(event) = stream.next().await {
            match event {
                Ok(watcher::Event::Init) => listed.clear(),
                Ok(watcher::Event::InitApply(object)) => {
                    listed.extend(self.known.apply(self.owner, &object, &self.settings));
                }
                Ok(watcher::Event::InitDone) => {
                    self.retain(&listed);
                    listed = HashSet::new();
                    self.pending.done();
                }
                Ok(watcher::Event::Apply(object)) => {
                    self.known.apply(self.owner, &object, &self.settings);
                }
                Ok(watcher::Event::Delete(object)) => {
                    if let Some(key) = key(self.owner, &object) {
                        self.known.write().remove(&key);
                    }
                }
                Err(error) if errors::is_not_served(&error) => {
                    self.retain(&HashSet::new());
                    self.pending.done();
                }
                Err(error) => {
                    let error = errors::said_by_watch(&error);
                    tracing::warn!(error, kind = self.owner.kind, "watch interrupted; trying again");
                }
            }
        }
    }

    /// After a new list: forgets what was not in it.
    fn retain(&self, listed: &HashSet<Key>) {
        let elsewhere = |key: &Key| self.namespace.as_ref().is_some_and(|namespace| *namespace != key.1);
        let other = |key: &Key| key.0 != self.owner.kind || elsewhere(key);
        self.known.write().retain(|key, _| other(key) || listed.contains(key));
    }
}
