//! Writes what changed of a session, and tells people.

use super::{Reconciler, watch::read_session};
use crate::{
    control::{errors::CallError, replica::status_patch},
    core::note::Note,
};
use kube::core::DynamicObject;
use sojourn_crds::ide_session::{IdeSession, IdeSessionStatus};

impl Reconciler {
    /// Writes the status if it differs, and tells what is new. Returns whether there was anything to write.
    pub(super) async fn report(
        &self,
        session: &IdeSession,
        status: &IdeSessionStatus,
        notes: Vec<Note>,
    ) -> Result<bool, CallError> {
        let patch = status_patch(session.status.as_ref(), status)?;
        let wrote = patch.is_some();
        if let Some(patch) = patch {
            self.learn(self.replica.write_status(session, patch).await?);
        }
        for note in &notes {
            self.replica.publish(session, note).await;
        }
        Ok(wrote)
    }

    /// Sets the finalizers, unless somebody changed the session since it was read.
    pub(super) async fn set_finalizers(
        &self,
        session: &IdeSession,
        finalizers: &[String],
    ) -> Result<(), CallError> {
        let object = self.replica.set_finalizers(session, finalizers).await?;
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
            let gone = self.index_mut().apply(session).gone;
            self.lose(gone.as_deref());
        }
    }
}
