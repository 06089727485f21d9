//! The watch of sessions.

use super::{Reconciler, index::Change};
use crate::control::{
    api,
    context::ReconciledKind,
    key::Key,
    watch::{CacheSync, EventHandler, follow},
};
use kube::{ResourceExt, core::DynamicObject, runtime::watcher};
use serde_json::json;
use sojourn_crds::ide_session::{IdeSession, KIND};
use std::{collections::HashSet, sync::Arc};
use tokio::task::JoinSet;

/// Starts the watch as a task that runs until it is aborted with the set.
pub fn start(reconciler: &Arc<Reconciler>, cache_sync: &CacheSync, tasks: &mut JoinSet<()>) {
    let sessions = api::of_resource(&reconciler.context.client, &IdeSession::resource(), None);
    let handler = Sessions(reconciler.clone());
    tasks.spawn(follow(sessions, watcher::Config::default(), handler, cache_sync.register()));
}

/// Takes in sessions.
struct Sessions(Arc<Reconciler>);

impl Sessions {
    fn took_in(&self, change: Change) -> Option<Key> {
        self.0.lose(change.gone.as_deref());
        change.about
    }
}

impl EventHandler for Sessions {
    fn kind(&self) -> &'static str {
        KIND
    }

    /// The operator of other kinds of sessions is of use without this one.
    fn may_be_unknown(&self) -> bool {
        true
    }

    fn apply(&self, object: DynamicObject) -> Option<Key> {
        match read_session(object) {
            Ok(session) => {
                let change = self.0.index.write().apply(session);
                self.took_in(change)
            }
            Err(error) => {
                tracing::warn!(%error, "an IdeSession cannot be read; it is left alone");
                None
            }
        }
    }

    fn remove(&self, object: DynamicObject) -> Option<Key> {
        let key = Key::of(&object)?;
        let change = self.0.index.write().remove(&key, &object.uid().unwrap_or_default());
        self.took_in(change)
    }

    fn retain(&self, listed: &HashSet<String>) -> Vec<Key> {
        let changes = self.0.index.write().retain(listed);
        changes.into_iter().filter_map(|change| self.took_in(change)).collect()
    }

    fn enqueue(&self, key: Key) {
        self.0.workqueue.queue.add(key);
    }
}

/// Reads a session.
pub fn read_session(object: DynamicObject) -> Result<IdeSession, serde_json::Error> {
    let DynamicObject { metadata, mut data, .. } = object;
    data["metadata"] = json!(metadata);
    serde_json::from_value(data)
}
