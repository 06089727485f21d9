//! Watches: what the cluster holds flows into an index, and what changed into a queue.

use super::{errors, key::Key};
use crate::settings::Scope;
use futures::{Stream, StreamExt, TryStreamExt};
use kube::{
    Api,
    core::{DynamicObject, PartialObjectMeta},
    runtime::{WatchStreamExt, watcher},
};
use serde_json::Value;
use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::sync::watch as channel;

/// The namespaces to watch in; `None` is all of them at once.
pub fn parts(scope: &Scope) -> Vec<Option<String>> {
    match scope {
        Scope::Cluster => vec![None],
        Scope::Namespaces(namespaces) => namespaces.iter().cloned().map(Some).collect(),
    }
}

/// How the watches of a process are doing.
#[derive(Clone)]
pub struct CacheSync(Arc<State>);

/// What watches report.
struct State {
    /// How many have not yet seen all that there is.
    pending: channel::Sender<usize>,
    /// The kinds that the API server should serve and does not.
    unserved: channel::Sender<BTreeSet<&'static str>>,
}

impl Default for CacheSync {
    fn default() -> Self {
        let (pending, unserved) = (channel::Sender::new(0), channel::Sender::default());
        Self(Arc::new(State { pending, unserved }))
    }
}

impl CacheSync {
    /// Whether every watch has seen all that there is at least once.
    pub fn is_synced(&self) -> bool {
        *self.0.pending.borrow() == 0
    }

    /// Waits until every watch has seen all that there is.
    pub async fn wait(&self) {
        // The sender lives as long as this does, so there is no error to see.
        self.0.pending.subscribe().wait_for(|pending| *pending == 0).await.ok();
    }

    /// The kinds that the API server should serve and does not, now and whenever that changes.
    pub fn unserved(&self) -> channel::Receiver<BTreeSet<&'static str>> {
        self.0.unserved.subscribe()
    }

    /// One more watch that has not seen all yet.
    pub fn register(&self) -> SyncHandle {
        self.0.pending.send_modify(|pending| *pending += 1);
        SyncHandle { state: self.0.clone(), pending: true, was_served: false }
    }
}

/// One watch, as it reports how it is doing.
pub struct SyncHandle {
    state: Arc<State>,
    pending: bool,
    was_served: bool,
}

impl SyncHandle {
    /// The watch has seen all there is.
    pub fn done(&mut self) {
        if std::mem::take(&mut self.pending) {
            self.state.pending.send_modify(|pending| *pending = pending.saturating_sub(1));
        }
    }

    /// The API server serves the kind, or does not although it should. Returns whether that is news.
    fn serves(&mut self, kind: &'static str, served: bool) -> bool {
        self.was_served |= served;
        self.state.unserved.send_if_modified(|unserved| match served {
            true => unserved.remove(kind),
            false => unserved.insert(kind),
        })
    }
}

/// What a watch does with what it sees. What it returns has to be looked at.
pub trait EventHandler: Send + 'static {
    /// The kind, for the log.
    fn kind(&self) -> &'static str;
    /// Whether a cluster that does not serve the kind is as good as one without objects of it.
    fn may_be_unknown(&self) -> bool {
        false
    }
    /// Takes in an object. Returns what it is about, if it was news.
    fn apply(&self, object: DynamicObject) -> Option<Key>;
    /// Forgets an object. Returns what it was about.
    fn remove(&self, object: DynamicObject) -> Option<Key>;
    /// After a new list: forgets what was not in it, by UID. Returns what this is about.
    fn retain(&self, listed: &HashSet<String>) -> Vec<Key>;
    /// Asks for a look.
    fn enqueue(&self, key: Key);
}

/// Objects in a page of a list, for API servers that do not stream them. Small pages keep the memory of a start small.
const PAGE: u32 = 100;

/// How often it is tried whether a kind is served again. A definition that is replaced is gone for moments, and a request
/// for it costs the API server next to nothing.
const NOT_SERVED_RETRY: Duration = Duration::from_secs(2);

/// Follows the objects of `api` that `config` selects, until the task is aborted.
///
/// The API server streams the objects that there are (`sendInitialEvents`, on by default since Kubernetes 1.34), so that no
/// list of them is ever held in memory. A server that refuses to is asked for pages.
pub async fn follow(
    api: Api<DynamicObject>,
    config: watcher::Config,
    handler: impl EventHandler,
    mut sync: SyncHandle,
) {
    let mut streams_lists = true;
    // A kind that nobody has seen may never come. One that was there is missed, also if it may be unknown.
    let mut rarely = watcher::DefaultBackoff::default();
    loop {
        let config = config.clone();
        let config = if streams_lists { config.streaming_lists() } else { config.page_size(PAGE) };
        match follow_stream(watcher(api.clone(), config), &handler, &mut sync).await {
            Ended::StreamingRefused => {
                tracing::debug!(
                    kind = handler.kind(),
                    "the API server does not stream lists; it is asked for pages"
                );
                streams_lists = false;
            }
            Ended::NotServed => {
                let expected = sync.was_served || !handler.may_be_unknown();
                if expected && sync.serves(handler.kind(), false) {
                    tracing::warn!(
                        kind = handler.kind(),
                        "the API server does not serve the kind; trying again"
                    );
                }
                let pause = rarely.next().filter(|_| !expected).unwrap_or(NOT_SERVED_RETRY);
                tokio::time::sleep(pause).await;
            }
            Ended::Finished => return,
        }
    }
}

/// Follows objects as [`follow`] does, but asks for their metadata only.
pub async fn follow_metadata(
    api: Api<PartialObjectMeta<DynamicObject>>,
    config: watcher::Config,
    handler: impl EventHandler,
    mut sync: SyncHandle,
) {
    let watch = |config| watcher(api.clone(), config).map_ok(|event| map_event(event, as_object));
    let streaming = watch(config.clone().streaming_lists());
    if follow_stream(streaming, &handler, &mut sync).await == Ended::StreamingRefused {
        follow_stream(watch(config.page_size(PAGE)), &handler, &mut sync).await;
    }
}

/// An object of which nothing but the metadata is known.
fn as_object(partial: PartialObjectMeta<DynamicObject>) -> DynamicObject {
    DynamicObject { types: partial.types, metadata: partial.metadata, data: Value::Null }
}

fn map_event<A, B>(event: watcher::Event<A>, map: fn(A) -> B) -> watcher::Event<B> {
    match event {
        watcher::Event::Init => watcher::Event::Init,
        watcher::Event::InitApply(object) => watcher::Event::InitApply(map(object)),
        watcher::Event::InitDone => watcher::Event::InitDone,
        watcher::Event::Apply(object) => watcher::Event::Apply(map(object)),
        watcher::Event::Delete(object) => watcher::Event::Delete(map(object)),
    }
}

/// Why a stream of events is not followed any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// The API server refuses to stream the objects that there are.
    StreamingRefused,
    /// The API server does not serve the kind. When it does again, everything is listed anew.
    NotServed,
    /// There are no more events.
    Finished,
}

async fn follow_stream(
    stream: impl Stream<Item = watcher::Result<watcher::Event<DynamicObject>>> + Send,
    handler: &impl EventHandler,
    sync: &mut SyncHandle,
) -> Ended {
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
                handler.apply(object)
            }
            Ok(watcher::Event::InitDone) => {
                handler.retain(&std::mem::take(&mut listed)).into_iter().for_each(|key| handler.enqueue(key));
                if sync.serves(handler.kind(), true) {
                    tracing::info!(kind = handler.kind(), "the API server serves the kind again");
                }
                sync.done();
                None
            }
            Ok(watcher::Event::Apply(object)) => handler.apply(object),
            Ok(watcher::Event::Delete(object)) => handler.remove(object),
            Err(error) if errors::is_not_served(&error) => {
                if handler.may_be_unknown() {
                    handler.retain(&HashSet::new()).into_iter().for_each(|key| handler.enqueue(key));
                    sync.done();
                }
                return Ended::NotServed;
            }
            Err(error) if errors::is_streaming_refused(&error) => return Ended::StreamingRefused,
            Err(error) => {
                let error = errors::watch_error_message(&error);
                tracing::warn!(error, kind = handler.kind(), "watch interrupted; trying again");
                None
            }
        };
        if let Some(key) = about {
            handler.enqueue(key);
        }
    }
    Ended::Finished
}

#[cfg(test)]
mod tests;
