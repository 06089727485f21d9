//! Warning Events of Kubernetes about the children and pods of sessions.

use super::{ControlledKind, Reconciler};
use crate::{
    control::watch::CacheSync,
    core::{object::Kind, workload::Warning},
};
use futures::{Stream, StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Event as CoreEvent;
use kube::runtime::{WatchStreamExt, watcher};
use std::sync::Arc;

/// Characters of a message that are kept. Kubelets write a few hundred; other clients may write Events of any size.
const LONGEST_MESSAGE: usize = 1024;

/// Warnings are hints: a watch that is interrupted loses some, and the next ones tell the same. It begins when all
/// children and pods are known, since warnings about other objects are not kept.
pub(super) async fn follow<K: ControlledKind>(
    reconciler: Arc<Reconciler<K>>,
    cache_sync: CacheSync,
    stream: impl Stream<Item = watcher::Result<watcher::Event<CoreEvent>>> + Send,
) {
    cache_sync.wait().await;
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

fn shortened(message: String) -> String {
    match message.char_indices().nth(LONGEST_MESSAGE) {
        None => message,
        Some((end, _)) => format!("{}…", &message[..end]),
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
        Warning { kind, name, reason, message: shortened(event.message.unwrap_or_default()), at },
    ))
}
