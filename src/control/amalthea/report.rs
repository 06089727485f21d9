//! Writes what changed of a session's status, tells people, and does what the timeouts ask for.

use super::{Reconciler, watch::read_session};
use crate::{
    control::{context::status_patch, errors::CallError, key::Key, worker::Action},
    core::{
        amalthea::status::{Report, TimeoutAction},
        event::EventRecord,
    },
};
use k8s_openapi::jiff::Timestamp;
use kube::core::DynamicObject;
use serde_json::{Value, json};
use sojourn_crds::amalthea::{AmaltheaSession, AmaltheaSessionStatus};
use std::time::Duration;
use tokio::time::Instant;

/// How long a change that only concerns counts of containers waits for company. A starting pod changes
/// them several times; one write, mostly the one that says that it runs, tells it all.
const COUNTS_WAIT: Duration = Duration::from_secs(30);

impl Reconciler {
    /// Writes the status if it differs, and carries out what the timeouts ask for.
    pub(super) async fn report(
        &self,
        key: &Key,
        session: &AmaltheaSession,
        report: &Report,
        events: Vec<EventRecord>,
        now: Timestamp,
    ) -> Result<Action, CallError> {
        let old = session.status.as_ref();
        let mut next = Action::requeue_at(report.requeue_at, now);
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
        for note in &events {
            self.context.publish(session, note).await;
        }
        // Here too the watch tells nothing new.
        if report.cull.is_some() {
            next = next.no_later_than(Duration::ZERO);
        }
        match &report.cull {
            Some(TimeoutAction::Hibernate(_)) => self.hibernate(session).await?,
            Some(TimeoutAction::Delete(_)) => {
                if let Some(object) = self.context.delete(session).await? {
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
        self.learn_session(self.context.write_status(session, status).await?);
        Ok(())
    }

    /// Sets `spec.hibernated`, and nothing else, on the session as it is now: our own status write just moved its
    /// version, and what the user last wrote about other fields does not matter here.
    async fn hibernate(&self, session: &AmaltheaSession) -> Result<(), CallError> {
        self.learn_session(self.context.change_spec(session, json!({"hibernated": true})).await?);
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

    /// Takes in a session that the API server answered with, ahead of the watch.
    pub(super) fn learn_session(&self, object: DynamicObject) {
        if let Ok(session) = read_session(object) {
            self.index.write().apply_session(session);
        }
    }

    fn last_written(&self, key: &Key) -> Option<Instant> {
        self.passes.lock().get(key).and_then(|pass| pass.status_written)
    }

    fn written(&self, key: &Key) {
        self.passes.lock().entry(key.clone()).or_default().status_written = Some(Instant::now());
    }
}
