//! Writes what changed of a session's status, tells people, and does what the timeouts ask for.

use super::{
    api,
    errors::CallError,
    index::Key,
    reconcile::{Next, Operator},
};
use crate::core::{
    amalthea::{
        notes::Note,
        status::{Cull, Report},
    },
    merge,
};
use crate::telemetry::metrics::Verb;
use k8s_openapi::{
    api::core::v1::{Event, EventSource, ObjectReference},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta, Time},
    jiff::Timestamp,
};
use kube::{Api, api::PostParams, core::DynamicObject};
use serde_json::{Value, json};
use sojourn_crds::amalthea::{API_VERSION, AmaltheaSession, AmaltheaSessionStatus, KIND};
use std::time::Duration;
use tokio::time::Instant;

/// How long a change that only concerns counts of containers waits for company. A starting pod changes
/// them several times; one write, mostly the one that says that it runs, tells it all.
const COUNTS_WAIT: Duration = Duration::from_secs(30);

impl Operator {
    /// Writes the status if it differs, and carries out what the timeouts ask for.
    pub(super) async fn report(
        &self,
        key: &Key,
        session: &AmaltheaSession,
        report: &Report,
        notes: Vec<Note>,
        now: Timestamp,
    ) -> Result<Next, CallError> {
        let old = session.status.as_ref();
        let mut next = Next::At(report.wake.map(|at| until(at, now)));
        if let Some(patch) = status_patch(old, &report.status)? {
            match self.counts_may_wait(key, old, &report.status) {
                Some(wait) => next = next.no_later_than(wait),
                None => {
                    self.write_status(session, patch).await?;
                    self.written(key);
                    // Some plans follow from what is on record, such as letting a Job go whose result is. The
                    // echo of our own write is no news, so nobody else asks for them.
                    next = next.no_later_than(Duration::ZERO);
                }
            }
        }
        for note in &notes {
            self.publish(session, note).await;
        }
        match &report.cull {
            Some(Cull::Hibernate(_)) => self.hibernate(session).await?,
            Some(Cull::Delete(_)) => {
                self.may_write()?;
                self.wrote(Verb::Delete);
                let api = api::of_resource(&self.client, &api::sessions(), Some(session.namespace()));
                if let Some(object) = api::delete(&api, session.name(), session.uid()).await? {
                    self.learn_session(object);
                }
            }
            None => {}
        }
        Ok(next)
    }

    /// Writes fields of the status, unless somebody changed the session since it was read.
    pub(super) async fn write_status(
        &self,
        session: &AmaltheaSession,
        status: Value,
    ) -> Result<(), CallError> {
        let api = api::of_resource(&self.client, &api::sessions(), Some(session.namespace()));
        let patch = json!({
            "metadata": {"resourceVersion": session.metadata.resource_version},
            "status": status,
        });
        let object = api::merge_status(&api, session.name(), &patch).await?;
        self.learn_session(object);
        Ok(())
    }

    /// Sets `spec.hibernated`, and nothing else, on the session as it is now.
    async fn hibernate(&self, session: &AmaltheaSession) -> Result<(), CallError> {
        self.may_write()?;
        self.wrote(Verb::Patch);
        let api = api::of_resource(&self.client, &api::sessions(), Some(session.namespace()));
        // By UID, not by version: our own status write just moved that, and what the user last wrote about
        // other fields does not matter here.
        let patch = json!({"metadata": {"uid": session.uid()}, "spec": {"hibernated": true}});
        let object = api::merge(&api, session.name(), &patch).await?;
        self.learn_session(object);
        Ok(())
    }

    /// How long a change of nothing but counts may wait; `None` when the change is of more.
    fn counts_may_wait(
        &self,
        key: &Key,
        old: Option<&AmaltheaSessionStatus>,
        new: &AmaltheaSessionStatus,
    ) -> Option<Duration> {
        let old = old?;
        let only_counts = AmaltheaSessionStatus {
            container_counts: old.container_counts,
            init_container_counts: old.init_container_counts,
            ..new.clone()
        } == *old;
        let waited = self.last_written(key)?.elapsed();
        (only_counts && waited < COUNTS_WAIT).then(|| COUNTS_WAIT - waited)
    }

    /// Publishes an Event on the session. One that cannot be published is lost: it repeats what the status
    /// says.
    pub(super) async fn publish(&self, session: &AmaltheaSession, note: &Note) {
        if self.may_write().is_err() {
            return;
        }
        self.wrote(Verb::Event);
        let now = Timestamp::now();
        let event = Event {
            metadata: ObjectMeta {
                name: Some(format!("{}.{:x}", session.name(), now.as_nanosecond())),
                namespace: Some(session.namespace().to_owned()),
                ..ObjectMeta::default()
            },
            involved_object: ObjectReference {
                api_version: Some(API_VERSION.into()),
                kind: Some(KIND.into()),
                name: Some(session.name().to_owned()),
                namespace: Some(session.namespace().to_owned()),
                uid: Some(session.uid().to_owned()),
                ..ObjectReference::default()
            },
            type_: Some(if note.warning { "Warning" } else { "Normal" }.into()),
            reason: Some(note.reason.into()),
            action: Some("Reconcile".into()),
            // The API server's limit for messages.
            message: Some(note.message.chars().take(1000).collect()),
            event_time: Some(MicroTime(now)),
            first_timestamp: Some(Time(now)),
            last_timestamp: Some(Time(now)),
            count: Some(1),
            source: Some(EventSource { component: Some("sojourn".into()), host: None }),
            reporting_component: Some("sojourn".into()),
            reporting_instance: Some(self.identity.clone()),
            ..Event::default()
        };
        let api: Api<Event> = Api::namespaced(self.client.clone(), session.namespace());
        if let Err(error) = api::within(api.create(&PostParams::default(), &event)).await {
            tracing::debug!(%error, reason = note.reason, "event not published");
        }
    }

    /// Takes in a session that the API server answered with, ahead of the watch.
    pub(super) fn learn_session(&self, object: DynamicObject) {
        if let Ok(session) = super::watch::read_session(object) {
            self.index_mut().apply_session(session);
        }
    }

    fn last_written(&self, key: &Key) -> Option<Instant> {
        self.passes().get(key).and_then(|pass| pass.status_written)
    }

    fn written(&self, key: &Key) {
        self.passes().entry(key.clone()).or_default().status_written = Some(Instant::now());
    }
}

/// The merge patch from one status to the other; `None` when they are equal.
fn status_patch(
    old: Option<&AmaltheaSessionStatus>,
    new: &AmaltheaSessionStatus,
) -> Result<Option<Value>, CallError> {
    let old = old.map(serde_json::to_value).transpose()?.unwrap_or_else(|| json!({}));
    Ok(merge::difference(&old, &serde_json::to_value(new)?))
}

fn until(at: Timestamp, now: Timestamp) -> Duration {
    // Just after the moment, so that it has passed when it is looked at.
    at.duration_since(now).try_into().unwrap_or(Duration::ZERO).saturating_add(Duration::from_millis(1))
}
