//! Writes what changed of a session, and tells people.

use super::{Reconciler, watch::read_session};
use crate::{
    control::{context::status_patch, errors::CallError},
    core::event::EventRecord,
};
use kube::core::DynamicObject;
use sojourn_crds::ide_session::{IdeSession, IdeSessionStatus};

impl Reconciler {
    /// Writes the status if it differs. Returns whether there was anything to write.
    pub(super) async fn report(
        &self,
        session: &IdeSession,
        status: &IdeSessionStatus,
    ) -> Result<bool, CallError> {
        let Some(patch) = status_patch(session.status.as_ref(), status)? else { return Ok(false) };
        self.learn(self.context.write_status(session, patch).await?);
        Ok(true)
    }

    /// Tells people what is new.
    pub(super) async fn tell(&self, session: &IdeSession, events: Vec<EventRecord>) {
        for note in &events {
            self.context.publish(session, note).await;
        }
    }

    /// Sets the finalizers, unless somebody changed the session since it was read.
    pub(super) async fn set_finalizers(
        &self,
        session: &IdeSession,
        finalizers: &[String],
    ) -> Result<(), CallError> {
        let object = self.context.set_finalizers(session, finalizers).await?;
        if session.metadata.deletion_timestamp.is_some() && finalizers.is_empty() {
            // It is gone with this; the watch says so.
            return Ok(());
        }
        self.learn(object);
        Ok(())
    }

    /// Takes in a session that the API server answered with, ahead of the watch.
    fn learn(&self, object: DynamicObject) {
        if let Ok(session) = read_session(object) {
            let gone = self.index.write().apply(session).gone;
            self.lose(gone.as_deref());
        }
    }
}
