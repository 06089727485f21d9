//! Watches keep the index up to date and put what changed in the queue.
//!
//! Children and pods are watched by the operator's own label, warnings by type: nothing of other people's
//! workloads is held, or even received.

use super::{api, errors, index::Key, reconcile::Operator};
use crate::core::{
    amalthea::world::Warning,
    live::{Kind, Live},
};
use crate::settings::Scope;
use futures::{Stream, StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Event as CoreEvent;
use kube::{
    Api,
    core::DynamicObject,
    runtime::{WatchStreamExt, watcher},
};
use sojourn_crds::amalthea::{AmaltheaSession, names};
use std::{collections::HashSet, sync::Arc};
use tokio::sync::watch as channel;

/// The namespaces to watch in; `None` is all of them at once.
pub fn parts(scope: &Scope) -> Vec<Option<String>> {
    match scope {
        Scope::Cluster => vec![None],
        Scope::Namespaces(namespaces) => namespaces.iter().cloned().map(Some).collect(),
    }
}

/// How many watches have not yet seen all that there is.
#[derive(Clone)]
pub struct Unsynced(Arc<channel::Sender<usize>>);

impl Default for Unsynced {
    fn default() -> Self {
        Self(Arc::new(channel::Sender::new(0)))
    }
}

impl Unsynced {
    /// Whether every watch has seen all that there is at least once.
    pub fn is_synced(&self) -> bool {
        *self.0.borrow() == 0
    }

    /// Waits until every watch has seen all that there is.
    pub async fn wait(&self) {
        // The sender lives as long as this does, so there is no error to see.
        self.0.subscribe().wait_for(|pending| *pending == 0).await.ok();
    }

    /// One more watch that has not seen all yet.
    pub(super) fn one(&self) -> Pending {
        self.0.send_modify(|pending| *pending += 1);
        Pending(Some(self.0.clone()))
    }
}

/// A watch that has not seen all there is, until it says so.
pub(super) struct Pending(Option<Arc<channel::Sender<usize>>>);

impl Pending {
    /// The watch has seen all there is.
    pub(super) fn done(&mut self) {
        if let Some(count) = self.0.take() {
            count.send_modify(|pending| *pending = pending.saturating_sub(1));
        }
    }
}

/// Starts all watches as tasks that run until they are aborted with the set.
pub fn start(
    operator: &Arc<Operator>,
    scope: &Scope,
    unsynced: &Unsynced,
    tasks: &mut tokio::task::JoinSet<()>,
) {
    let ours = format!("{}={}", names::LABEL_PART_OF, names::PART_OF_VALUE);
    for part in parts(scope) {
        let sessions = api::of_resource(&operator.client, &api::sessions(), part.as_deref());
        let stream = watcher(sessions, watcher::Config::default());
        tasks.spawn(follow(operator.clone(), stream, Sessions, part.clone(), unsynced.one()));
        for kind in Kind::CHILDREN.into_iter().chain([Kind::Pod]) {
            let objects = api::api(&operator.client, kind, part.as_deref());
            let stream = watcher(objects, watcher::Config::default().labels(&ours));
            tasks.spawn(follow(operator.clone(), stream, Objects(kind), part.clone(), unsynced.one()));
        }
        let events: Api<CoreEvent> = match &part {
            Some(namespace) => Api::namespaced(operator.client.clone(), namespace),
            None => Api::all(operator.client.clone()),
        };
        let stream = watcher(events, watcher::Config::default().fields("type=Warning"));
        tasks.spawn(follow_warnings(operator.clone(), stream));
    }
}

/// What a watch does with what it sees.
trait Intake: Send + 'static {
    /// Kind in the index; `None` are sessions.
    fn kind(&self) -> Option<Kind>;
    /// Takes in an object. Returns the session that it is about, if it was news.
    fn apply(&self, operator: &Operator, object: DynamicObject) -> Option<Key>;
    /// Forgets an object. Returns the session that it was about.
    fn remove(&self, operator: &Operator, object: DynamicObject) -> Option<Key>;
}

struct Sessions;

impl Intake for Sessions {
    fn kind(&self) -> Option<Kind> {
        None
    }

    fn apply(&self, operator: &Operator, object: DynamicObject) -> Option<Key> {
        match read_session(object) {
            Ok(session) => operator.index_mut().apply_session(session),
            Err(error) => {
                tracing::warn!(%error, "a session cannot be read; it is left alone");
                None
            }
        }
    }

    fn remove(&self, operator: &Operator, object: DynamicObject) -> Option<Key> {
        let key = Key::new(object.metadata.namespace.as_deref()?, object.metadata.name.as_deref()?);
        operator.index_mut().remove_session(&key);
        Some(key)
    }
}

struct Objects(Kind);

impl Intake for Objects {
    fn kind(&self) -> Option<Kind> {
        Some(self.0)
    }

    fn apply(&self, operator: &Operator, object: DynamicObject) -> Option<Key> {
        operator.index_mut().apply_live(Live::cut(self.0, object)?)
    }

    fn remove(&self, operator: &Operator, object: DynamicObject) -> Option<Key> {
        operator.index_mut().remove_live(&Live::cut(self.0, object)?)
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

async fn follow<I: Intake>(
    operator: Arc<Operator>,
    stream: impl Stream<Item = watcher::Result<watcher::Event<DynamicObject>>> + Send,
    intake: I,
    namespace: Option<String>,
    mut pending: Pending,
) {
    let mut stream = std::pin::pin!(stream.default_backoff());
    let mut listed = HashSet::new();
    while let Some(event) = stream.next().await {
        let about = match event {
            Ok(watcher::Event::Init) => {
                listed.clear();
                None
            }
            Ok(watcher::Event::InitApply(object)) => {
                listed.extend(object.metadata.uid.clone());
                intake.apply(&operator, object)
            }
            Ok(watcher::Event::InitDone) => {
                let gone = operator.index_mut().retain(intake.kind(), namespace.as_deref(), &listed);
                for key in gone {
                    operator.queue.add(key);
                }
                listed = HashSet::new();
                pending.done();
                None
            }
            Ok(watcher::Event::Apply(object)) => intake.apply(&operator, object),
            Ok(watcher::Event::Delete(object)) => intake.remove(&operator, object),
            Err(error) => {
                let kind = intake.kind().map_or(sojourn_crds::amalthea::KIND, Kind::name);
                tracing::warn!(
                    error = errors::said_by_watch(&error),
                    kind,
                    "watch interrupted; trying again"
                );
                None
            }
        };
        if let Some(key) = about {
            operator.queue.add(key);
        }
    }
}

/// Warnings are hints: a watch that is interrupted loses some, and the next ones tell the same.
async fn follow_warnings(
    operator: Arc<Operator>,
    stream: impl Stream<Item = watcher::Result<watcher::Event<CoreEvent>>> + Send,
) {
    let stream = stream.default_backoff().applied_objects().into_stream();
    let mut stream = std::pin::pin!(stream);
    while let Some(event) = stream.next().await {
        let Ok(event) = event else { continue };
        let Some((uid, warning)) = warning(event) else { continue };
        if let Some(key) = operator.index_mut().apply_warning(&uid, warning) {
            operator.queue.add(key);
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
    let spoken_of = ["FailedCreate", "ProvisioningFailed", "FailedMount", "FailedAttachVolume"];
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
