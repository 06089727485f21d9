//! The watches of sessions and of what belongs to them.
//!
//! Children and pods are watched by the operator's own label, warnings by type: nothing of other people's
//! workloads is held, or even received.

use super::Reconciler;
use crate::{
    control::{
        api,
        context::ReconciledKind,
        key::Key,
        watch::{CacheSync, EventHandler, follow, parts},
    },
    core::{
        amalthea::observed::Warning,
        object::{CachedObject, Kind},
    },
    settings::Scope,
};
use futures::{Stream, StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Event as CoreEvent;
use kube::{
    Api,
    core::DynamicObject,
    runtime::{WatchStreamExt, watcher},
};
use sojourn_crds::amalthea::{AmaltheaSession, KIND, names};
use std::{collections::HashSet, sync::Arc};
use tokio::task::JoinSet;

/// Starts all watches as tasks that run until they are aborted with the set.
pub fn start(reconciler: &Arc<Reconciler>, scope: &Scope, cache_sync: &CacheSync, tasks: &mut JoinSet<()>) {
    let client = &reconciler.context.client;
    let ours = format!("{}={}", names::LABEL_PART_OF, names::PART_OF_VALUE);
    for part in parts(scope) {
        let handler = Sessions { reconciler: reconciler.clone(), namespace: part.clone() };
        let sessions = api::of_resource(client, &AmaltheaSession::resource(), part.as_deref());
        tasks.spawn(follow(watcher(sessions, watcher::Config::default()), handler, cache_sync.register()));
        for kind in Kind::CHILDREN.into_iter().chain([Kind::Pod]) {
            let handler = Objects { reconciler: reconciler.clone(), kind, namespace: part.clone() };
            let objects = api::api(client, kind, part.as_deref());
            let config = watcher::Config::default().labels(&ours);
            tasks.spawn(follow(watcher(objects, config), handler, cache_sync.register()));
        }
        let events: Api<CoreEvent> = match &part {
            Some(namespace) => Api::namespaced(client.clone(), namespace),
            None => Api::all(client.clone()),
        };
        let stream = watcher(events, watcher::Config::default().fields("type=Warning"));
        tasks.spawn(follow_warnings(reconciler.clone(), stream));
    }
}

/// Takes in sessions.
struct Sessions {
    reconciler: Arc<Reconciler>,
    namespace: Option<String>,
}

impl EventHandler for Sessions {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn apply(&self, object: DynamicObject) -> Option<Key> {
        match read_session(object) {
            Ok(session) => self.reconciler.index.write().apply_session(session),
            Err(error) => {
                tracing::warn!(%error, "a session cannot be read; it is left alone");
                None
            }
        }
    }

    fn remove(&self, object: DynamicObject) -> Option<Key> {
        let key = Key::of(&object)?;
        self.reconciler.index.write().remove_session(&key);
        Some(key)
    }

    fn retain(&self, listed: &HashSet<String>) -> Vec<Key> {
        self.reconciler.index.write().retain(None, self.namespace.as_deref(), listed)
    }

    fn enqueue(&self, key: Key) {
        self.reconciler.workqueue.queue.add(key);
    }
}

/// Takes in children and pods.
struct Objects {
    reconciler: Arc<Reconciler>,
    kind: Kind,
    namespace: Option<String>,
}

impl EventHandler for Objects {
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

/// Reads a session. One that does not fit the types loses its spec and is reported as having none, so that
/// it harms no other.
pub fn read_session(object: DynamicObject) -> Result<AmaltheaSession, serde_json::Error> {
    let DynamicObject { mut metadata, mut data, .. } = object;
    metadata.managed_fields = None;
    if let Some(annotations) = &mut metadata.annotations {
        annotations.remove(sojourn_crds::metadata::LAST_APPLIED);
    }
    let spec = data.get_mut("spec").map(serde_json::Value::take).filter(|spec| !spec.is_null());
    let status = data.get_mut("status").map(serde_json::Value::take).filter(|status| !status.is_null());
    let spec = spec.and_then(|spec| match serde_json::from_value(spec) {
        Ok(spec) => Some(spec),
        Err(error) => {
            tracing::warn!(%error, session = metadata.name, namespace = metadata.namespace, "unreadable spec");
            None
        }
    });
    let status = status.map(serde_json::from_value).transpose()?;
    Ok(AmaltheaSession { metadata, spec, status })
}

/// Warnings are hints: a watch that is interrupted loses some, and the next ones tell the same.
async fn follow_warnings(
    reconciler: Arc<Reconciler>,
    stream: impl Stream<Item = watcher::Result<watcher::Event<CoreEvent>>> + Send,
) {
    let stream = stream.default_backoff().applied_objects().into_stream();
    let mut stream = std::pin::pin!(stream);
    while let Some(event) = stream.next().await {
        let Ok(event) = event else { continue };
        let Some((uid, warning)) = warning(event) else { continue };
        if let Some(key) = reconciler.index.write().apply_warning(&uid, warning) {
            reconciler.workqueue.queue.add(key);
        }
    }
}

/// A warning about a kind of object that sessions are made of, and of a kind that the status speaks of.
fn warning(event: CoreEvent) -> Option<(String, Warning)> {
    let kind = match event.involved_object.kind.as_deref()? {
        "StatefulSet" => Kind::StatefulSet,
        "Job" => Kind::Job,
        "PersistentVolumeClaim" => Kind::PersistentVolumeClaim,
        "Pod" => Kind::Pod,
        _ => return None,
    };
    let spoken_of =
        ["FailedCreate", "ProvisioningFailed", "FailedMount", "FailedAttachVolume", "NodeNotReady"];
    let reason = event.reason.filter(|reason| spoken_of.contains(&reason.as_str()))?;
    let name = event.involved_object.name?;
    let at = event
        .series
        .and_then(|series| series.last_observed_time)
        .map(|time| time.0)
        .or_else(|| event.last_timestamp.map(|time| time.0))
        .or_else(|| event.event_time.map(|time| time.0))?;
    Some((
        event.involved_object.uid?,
        Warning { kind, name, reason, message: event.message.unwrap_or_default(), at },
    ))
}
