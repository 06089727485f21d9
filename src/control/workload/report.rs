//! Writes what changed of a session's status, publishes Events, and does what is due to the session itself.

use super::{ControlledKind, Reconciler};
use crate::{
    control::{context::status_patch, errors::CallError, key::Key, worker::Action},
    core::{
        event::EventRecord,
        workload::{Report, SessionAction, Urgency, WorkloadKind},
    },
};
use k8s_openapi::jiff::Timestamp;
use std::time::Duration;
use tokio::time::Instant;

/// How long a change of container counts waits for others to be written with. A starting pod changes them several
/// times; one write, mostly the one that reports it as running, carries them all.
const COUNTS_DELAY: Duration = Duration::from_secs(30);
/// How long progress is not reported at most while many sessions start.
const LONGEST_PROGRESS_DELAY: Duration = Duration::from_secs(120);
/// How often it is tried meanwhile. No call is made for it.
const PROGRESS_RETRY: Duration = Duration::from_secs(15);
/// How often an Event is published about the same. Two clients that write to one child could fill the API server.
const TOPIC_INTERVAL: Duration = Duration::from_secs(600);

impl<K: ControlledKind> Reconciler<K> {
    /// Writes the status if it differs, publishes Events, and carries out the report's action. `observed` is the
    /// session that the report was made for.
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
        // What was done is told once, whatever becomes of the status.
        let (done, news): (Vec<_>, Vec<_>) =
            report.events.into_iter().partition(|event| event.topic.is_some());
        for event in done.iter().filter(|event| self.may_publish(key, event)) {
            self.context.publish(session.as_deref().unwrap_or(observed), event).await;
        }
        let mut action = Action::requeue_at(report.requeue_at, now);
        if let Some(session) = &session
            && let Some(patch) = status_patch(session.recorded(), &report.status)?
        {
            let urgency = session.urgency(&report.status);
            match self.delay(key, urgency).filter(|_| report.action.is_none()) {
                // Its Events report the same news, so they wait too.
                Some(delay) if urgency == Urgency::Progress => return Ok(action.no_later_than(delay)),
                Some(delay) => action = action.no_later_than(delay),
                None => {
                    self.store_session(self.context.write_status(&**session, patch).await?);
                    self.memory.lock().entry(key.clone()).or_default().deferred_since = None;
                    // Some plans follow from what is on record, such as releasing a Job whose result is. The watch event
                    // of our own write is not news, so it triggers nothing.
                    action = action.changed().no_later_than(Duration::ZERO);
                }
            }
        }
        for event in &news {
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

    /// Whether it is long enough since an Event was published about the same.
    fn may_publish(&self, key: &Key, event: &EventRecord) -> bool {
        let Some(topic) = &event.topic else { return true };
        let mut memory = self.memory.lock();
        let published = &mut memory.entry(key.clone()).or_default().published;
        let due = published.get(topic).is_none_or(|at| at.elapsed() >= TOPIC_INTERVAL);
        if due {
            published.insert(topic.clone(), Instant::now());
        }
        due
    }

    /// How long a status of that urgency may wait; `None` when it is written now.
    fn delay(&self, key: &Key, urgency: Urgency) -> Option<Duration> {
        if urgency == Urgency::Now {
            return None;
        }
        let waited = {
            let mut memory = self.memory.lock();
            memory.entry(key.clone()).or_default().deferred_since.get_or_insert_with(Instant::now).elapsed()
        };
        if urgency == Urgency::Counts {
            return COUNTS_DELAY.checked_sub(waited).filter(|rest| !rest.is_zero());
        }
        (waited < LONGEST_PROGRESS_DELAY && !self.progress.take()).then_some(PROGRESS_RETRY)
    }
}
