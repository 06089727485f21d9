//! Events, as `kubectl describe` shows them.
//!
//! Not by `kube::runtime::events::Recorder`: it writes to `events.k8s.io`, for which the operator would need more
//! rights, and leaves out `count`, `firstTimestamp` and `lastTimestamp`, which clients of core/v1 read.

use super::api;
use crate::core::event::EventRecord;
use k8s_openapi::{
    api::core::v1::{Event, EventSource, ObjectReference},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta, Time},
    jiff::Timestamp,
};
use kube::{Api, Client, api::PostParams};

/// The namespace of Events about cluster-scoped objects, by the convention of Kubernetes.
const CLUSTER_SCOPED: &str = "default";
/// The API server's limit for messages of Events.
const MAX_MESSAGE: usize = 1000;

/// Publishes an Event about an object: the replica `instance` did `action`. An Event that cannot be published is
/// lost; it only repeats what the status reports.
pub(super) async fn publish(
    client: &Client,
    object: ObjectReference,
    instance: &str,
    action: &str,
    record: &EventRecord,
) {
    let now = Timestamp::now();
    let namespace = object.namespace.clone().unwrap_or_else(|| CLUSTER_SCOPED.to_owned());
    let event = Event {
        metadata: ObjectMeta {
            name: Some(format!("{}.{:x}", object.name.as_deref().unwrap_or_default(), now.as_nanosecond())),
            namespace: Some(namespace.clone()),
            ..ObjectMeta::default()
        },
        involved_object: object,
        type_: Some(if record.warning { "Warning" } else { "Normal" }.into()),
        reason: Some(record.reason.into()),
        action: Some(action.into()),
        message: Some(record.message.chars().take(MAX_MESSAGE).collect()),
        event_time: Some(MicroTime(now)),
        first_timestamp: Some(Time(now)),
        last_timestamp: Some(Time(now)),
        count: Some(1),
        source: Some(EventSource { component: Some("sojourn".into()), host: None }),
        reporting_component: Some("sojourn".into()),
        reporting_instance: Some(instance.into()),
        ..Event::default()
    };
    let api: Api<Event> = Api::namespaced(client.clone(), &namespace);
    if let Err(error) = api::within(api.create(&PostParams::default(), &event)).await {
        tracing::debug!(%error, reason = record.reason, "event not published");
    }
}
