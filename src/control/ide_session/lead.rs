//! What begins and ends with leadership: sessions on record are made ours before anything is decided about them, and
//! connections are closed when another replica is to open them.

use super::Reconciler;
use std::{sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};

/// How long the end of a process is put off at most for starts that it sent.
const LAST_STARTS: Duration = Duration::from_secs(5);
/// How often they are looked at then.
const LOOK: Duration = Duration::from_millis(50);

impl Reconciler {
    /// Opens and closes the leadership of the workers, for as long as the process runs. To be started when the watches have
    /// seen all that there is.
    pub async fn lead(self: Arc<Self>) {
        let mut process_leadership = self.process_leadership.clone();
        loop {
            process_leadership.acquired().await;
            let sessions: Vec<_> = self.index.read().sessions().cloned().collect();
            let alive = sessions.iter().map(|session| session.uid().to_owned()).collect();
            self.outputs.sweep(alive).await;
            self.runs.lead(sessions).await;
            self.readiness_tx.send_replace(true);
            self.index.read().tell();
            process_leadership.lost().await;
            self.retire().await;
        }
    }

    /// Waits for a short time until the outcome of every start that was sent is on record: the next leader has to treat
    /// one without an outcome as failed. The workers must still run.
    pub async fn settle(&self) {
        let settled = async {
            while self.context.leadership.is_leader() && self.runs.is_starting() {
                sleep(LOOK).await;
            }
        };
        if timeout(LAST_STARTS, settled).await.is_err() {
            tracing::warn!("a start is not waited for any longer; its session will be said to have failed");
        }
    }

    /// Closes the leadership of the workers and all connections to IDEs, and writes down what these said last. Sessions go
    /// on.
    pub async fn retire(&self) {
        self.readiness_tx.send_replace(false);
        // Who follows a log here is let go.
        self.index.read().tell();
        self.runs.retire().await;
        self.outputs.store().flush().await;
    }
}
