//! What the log server has to know of a session.

use super::Reconciler;
use crate::{
    control::key::Key,
    serve::logs::{SessionInfo, SessionLookup},
};
use tokio::sync::watch;

impl SessionLookup for Reconciler {
    fn find(&self, name: &str) -> Option<SessionInfo> {
        let session = self.index.read().session(&Key::new("", name))?;
        Some(SessionInfo {
            uid: session.uid().to_owned(),
            state: session.state(),
            deleting: session.metadata.deletion_timestamp.is_some(),
        })
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.index.read().changes()
    }

    fn keeps_logs(&self) -> bool {
        self.context.leadership.is_leader()
    }
}
