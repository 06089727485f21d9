//! Writes what changed of a session's status, publishes Events, and does what is due to the session itself.

use super::{ControlledKind, Reconciler};
use crate::{
    control::{context::status_patch, errors::CallError, key::Key, worker::Action},
    core::workload::{Report, SessionAction, WorkloadKind},
};
use k8s_openapi::jiff::Timestamp;
use std::time::Duration;
use tokio::time::Instant;

/// How long a minor change of a status waits for others to be written with. A starting pod changes container counts
/// several times; one write, mostly the one that reports it as running, carries them all.
const MINOR_CHANGE_DELAY: Duration = Duration::from_secs(30);

impl<K: ControlledKind> Reconciler<K> {
    /// Writes the status if it differs, publishes Events, and carries out the report's action. `observed` is the session
    /// that the report was made for.
    pub(super) async fn report(
        &self,
        key: &Key,
        observed: &K,
        report: Report<K::Status>,
        now: Timestamp,
    ) -> Result<Action, CallError> {
        // An apply may have moved the session's own version (its finalizers), or let it go.
        let session =
            self.index.read().session(key).filter(|session| WorkloadKind::uid(&**session) == observed.uid());
        let mut action = Action::requeue_at(report.requeue_at, now);
        if let Some(session) = &session
            && let Some(patch) = status_patch(session.recorded(), &report.status)?
        {
            match self.minor_change_delay(key, session.recorded(), &report.status) {
                Some(delay) => action = action.no_later_than(delay),
                None => {
                    self.store_session(self.context.write_status(&**session, patch).await?);
                    self.memory.lock().entry(key.clone()).or_default().status_written = Some(Instant::now());
                    // Some plans follow from what is on record, such as releasing a Job whose result is. The watch event
                    // of our own write is not news, so it triggers nothing.
                    action = action.changed().no_later_than(Duration::ZERO);
                }
            }
        }
        for event in &report.events {
            self.context.publish(session.as_deref().unwrap_or(observed), event).await;
        }
        let (Some(session), Some(act)) = (session, report.action) else {
            return Ok(if self.index.read().session(key).is_some() {
                action
            } else {
                Action::await_change()
            });
        };
        match act {
            // On the session as it is now: our own status write just moved its version, and what the user last wrote
            // about other fields does not matter.
            SessionAction::ChangeSpec(patch) => {
                self.store_session(self.context.change_spec(&*session, patch).await?);
            }
            SessionAction::Delete => {
                if let Some(object) = self.context.delete(&*session).await? {
                    self.store_session(object);
                }
            }
        }
        // The watch event of our own write is not news here either.
        Ok(action.changed().no_later_than(Duration::ZERO))
    }

    /// How long a minor change of the status may wait; `None` when the change is written now.
    fn minor_change_delay(&self, key: &Key, old: Option<&K::Status>, new: &K::Status) -> Option<Duration> {
        let minor = K::is_minor(old?, new);
        let waited = self.memory.lock().get(key).and_then(|memory| memory.status_written)?.elapsed();
        (minor && waited < MINOR_CHANGE_DELAY).then(|| MINOR_CHANGE_DELAY - waited)
    }
}
