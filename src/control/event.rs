//! Events: what a person reads in `kubectl describe`.

use super::api;
use crate::core::event::EventRecord;
use k8s_openapi::{
    api::core::v1::{Event, EventSource, ObjectReference},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta, Time},
    jiff::Timestamp,
};
use kube::{Api, Client, api::PostParams};

/// Where Events about objects are that belong to no namespace, by the convention of Kubernetes.
const NAMESPACE_OF_NONE: &str = "default";
/// The API server's limit for messages of Events.
const LONGEST_MESSAGE: usize = 1000;

/// Publishes an Event on an object: what the replica `from` did, as `action`. One that cannot be published is lost: it
/// repeats what is said elsewhere.
pub(super) async fn publish(
    client: &Client,
    about: ObjectReference,
    from: &str,
    action: &str,
    note: &EventRecord,
) {
    let now = Timestamp::now();
    let namespace = about.namespace.clone().unwrap_or_else(|| NAMESPACE_OF_NONE.to_owned());
    let event = Event {
        metadata: ObjectMeta {
            name: Some(format!("{}.{:x}", about.name.as_deref().unwrap_or_default(), now.as_nanosecond())),
            namespace: Some(namespace.clone()),
            ..ObjectMeta::default()
        },
        involved_object: about,
        type_: Some(if note.warning { "Warning" } else { "Normal" }.into()),
        reason: Some(note.reason.into()),
        action: Some(action.into()),
        message: Some(note.message.chars().take(LONGEST_MESSAGE).collect()),
        event_time: Some(MicroTime(now)),
        first_timestamp: Some(Time(now)),
        last_timestamp: Some(Time(now)),
        count: Some(1),
        source: Some(EventSource { component: Some("sojourn".into()), host: None }),
        reporting_component: Some("sojourn".into()),
        reporting_instance: Some(from.into()),
        ..Event::default()
    };
    let api: Api<Event> = Api::namespaced(client.clone(), &namespace);
    if let Err(error) = api::within(api.create(&PostParams::default(), &event)).await {
        tracing::debug!(%error, reason = note.reason, "event not published");
    }
}
