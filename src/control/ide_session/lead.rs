//! What begins and ends with leadership: sessions on record are made ours before anything is decided about them, and
//! connections are closed when another replica is to open them.

use super::Reconciler;
use std::sync::Arc;

impl Reconciler {
    /// Opens and closes the gate of the workers, for as long as the process runs. To be started when the watches have
    /// seen all that there is.
    pub async fn lead(self: Arc<Self>) {
        let mut outer = self.outer.clone();
        loop {
            outer.opened().await;
            let sessions: Vec<_> = self.index().sessions().cloned().collect();
            let alive = sessions.iter().map(|session| session.uid().to_owned()).collect();
            self.outputs.sweep(alive).await;
            self.runs.lead(sessions).await;
            self.keeper.send_replace(true);
            self.index().tell();
            outer.closed().await;
            self.retire().await;
        }
    }

    /// Closes the gate of the workers and all connections to IDEs. Sessions go on.
    pub async fn retire(&self) {
        self.keeper.send_replace(false);
        // Who follows a log here is let go.
        self.index().tell();
        self.runs.retire().await;
    }
}
