//! What sessions of kinds without a reconciler in this process require of their Jobs.
//!
//! The guard of Jobs must know every session that a Job can claim. Of a kind of [`sojourn_webhooks::SESSION_KINDS`]
//! that is not reconciled here only the few figures that the guard needs are held, kept up to date by a watch. A kind
//! that the cluster does not serve has no sessions.

use super::{
    api,
    controller::Controller,
    key::Key,
    watch::{CacheSync, EventHandler, follow, parts},
};
use crate::settings::{Scope, Settings};
use kube::{Client, core::DynamicObject, runtime::watcher};
use parking_lot::RwLock;
use serde_json::{Value, json};
use sojourn_webhooks::{AdmissionSettings, JobConstraints, Object, SessionKind};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};
use tokio::task::JoinSet;

/// A session's UID, and what the session requires of its Job.
type Entry = (String, JobConstraints);

/// The sessions of a kind that no reconciler of this process watches, as far as the guard of Jobs needs them.
pub struct GuardedKind {
    client: Client,
    kind: &'static SessionKind,
    scope: Scope,
    settings: AdmissionSettings,
    known: Arc<RwLock<HashMap<Key, Entry>>>,
}

impl GuardedKind {
    /// The sessions of `kind` in the scope of `settings`.
    pub fn new(client: Client, kind: &'static SessionKind, settings: &Settings) -> Self {
        let (scope, settings) = (settings.scope.clone(), settings.admission());
        Self { client, kind, scope, settings, known: Arc::default() }
    }
}

impl Controller for GuardedKind {
    fn kind(&self) -> &'static str {
        self.kind.descriptor.kind
    }

    fn watch(self: Arc<Self>, cache_sync: &CacheSync, tasks: &mut JoinSet<()>) {
        let resource = api::described(self.kind.descriptor);
        for part in parts(&self.scope) {
            let api = api::of_resource(&self.client, &resource, part.as_deref());
            let handler = Sessions {
                known: self.known.clone(),
                kind: self.kind,
                settings: self.settings.clone(),
                namespace: part,
            };
            tasks.spawn(follow(api, watcher::Config::default(), handler, cache_sync.register()));
        }
    }

    fn debug(&self) -> Value {
        json!({"sessions": self.known.read().len()})
    }

    fn job_constraints(&self, namespace: &str, name: &str, _: &AdmissionSettings) -> Option<JobConstraints> {
        self.known.read().get(&Key::new(namespace, name)).map(|(_, constraints)| constraints.clone())
    }
}

/// Stores the sessions of a kind. Nothing is reconciled for them, so nothing is enqueued.
struct Sessions {
    known: Arc<RwLock<HashMap<Key, Entry>>>,
    kind: &'static SessionKind,
    settings: AdmissionSettings,
    namespace: Option<String>,
}

impl EventHandler for Sessions {
    fn kind(&self) -> &'static str {
        self.kind.descriptor.kind
    }

    fn may_be_unknown(&self) -> bool {
        true
    }

    /// A session that cannot be read requires nothing of its Job.
    fn apply(&self, object: DynamicObject) -> Option<Key> {
        let key = Key::of(&object)?;
        let uid = object.metadata.uid.clone().unwrap_or_default();
        let value = serde_json::to_value(&object).unwrap_or_default();
        match (self.kind.job_constraints)(Object::Value(&value), &self.settings) {
            Ok(constraints) => self.known.write().insert(key, (uid, constraints)),
            Err(error) => {
                tracing::warn!(%error, kind = self.kind.descriptor.kind, session = %key, "unreadable session");
                self.known.write().remove(&key)
            }
        };
        None
    }

    fn remove(&self, object: DynamicObject) -> Option<Key> {
        self.known.write().remove(&Key::of(&object)?);
        None
    }

    fn retain(&self, listed: &HashSet<String>) -> Vec<Key> {
        let elsewhere = |key: &Key| self.namespace.as_ref().is_some_and(|here| **here != *key.namespace);
        self.known.write().retain(|key, (uid, _)| elsewhere(key) || listed.contains(uid));
        Vec::new()
    }

    fn enqueue(&self, _: Key) {}
}
