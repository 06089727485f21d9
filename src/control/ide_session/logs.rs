//! What whoever reads a log has to know of its session.

use super::Reconciler;
use crate::{
    control::key::Key,
    serve::logs::{Found, Sessions},
};
use tokio::sync::watch;

impl Sessions for Reconciler {
    fn find(&self, name: &str) -> Option<Found> {
        let session = self.index.read().session(&Key::new("", name))?;
        Some(Found {
            uid: session.uid().to_owned(),
            state: session.state(),
            deleting: session.metadata.deletion_timestamp.is_some(),
        })
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.index.read().changes()
    }

    fn keeps(&self) -> bool {
        self.context.leadership.is_leader()
    }
}
