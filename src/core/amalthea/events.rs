//! What a person wants to read in `kubectl describe`: Kubernetes Events on the session.

use super::{
    Applied, Observed,
    conditions::{FILES_KEPT, RECONCILED},
    deadlines::TimeoutReason,
    reasons::{ReconciledReason, SessionEvent},
    status::{Report, TimeoutAction},
};
use crate::{
    core::{
        conditions,
        event::EventRecord,
        manifest::{
            Write,
            changes::{Change, changes},
        },
        object::Kind,
        workload::{KeepReason, Plan},
    },
    reason::Reason,
};
use sojourn_crds::amalthea::{AmaltheaSession, AmaltheaSessionStatus, State};

/// What to tell of a plan.
pub fn for_plan(plan: &Plan) -> Vec<EventRecord> {
    let resumed = plan
        .begin_run
        .as_ref()
        .map(|_| EventRecord::new(SessionEvent::Resumed, "The session starts a new run"));
    let kept = plan.keep_secrets.iter().map(|kept| {
        let reason = match kept.reason {
            KeepReason::Shared => "other sessions refer to it",
            KeepReason::NotApproved => {
                "there is no record that a user who may delete it had it adopted; delete it if nothing needs it"
            }
        };
        let message = format!("The adopted secret {} stays: {reason}", kept.name);
        EventRecord::new(SessionEvent::SecretKept, message)
    });
    resumed.into_iter().chain(kept).collect()
}

/// Fields that an Event names.
const MOST_FIELDS: usize = 3;

/// What to tell of children that another client changed or deleted, and that are as they were now.
pub fn for_restored(observed: &Observed, plan: &Plan, applied: &Applied) -> Vec<EventRecord> {
    let session = &*observed.session;
    if session.metadata.deletion_timestamp.is_some() {
        return Vec::new();
    }
    let restored = plan.write.iter().filter_map(|write| {
        let (kind, name) = write.target();
        let after = applied.children.get(&(kind, name.to_owned()))?;
        let message = match write {
            // A Job is not made again but for another run.
            Write::Create { .. } if kind != Kind::Job && was_complete(session) => {
                format!("The {kind} {name} was deleted by another client, and was created again")
            }
            Write::Apply { manifest, reverts: true, .. } => {
                let before = observed.child(kind, name)?;
                // Where a webhook of the cluster changes what we apply, applying it again changes nothing.
                if before.content_fingerprint() == after.content_fingerprint() {
                    return None;
                }
                let fields = fields(&changes(before, manifest));
                format!("The {kind} {name} was changed by another client{fields}, and was changed back; change the session instead")
            }
            _ => return None,
        };
        Some(EventRecord::new(SessionEvent::ChildRestored, message).about(format!("{kind} {name}")))
    });
    restored.collect()
}

/// Whether it is on record that all children of the spec as it is now were there.
fn was_complete(session: &AmaltheaSession) -> bool {
    let conditions = session.status.as_ref().map_or(&[][..], |status| &status.conditions);
    conditions::find(conditions, RECONCILED).is_some_and(|reconciled| {
        reconciled.status == "True" && reconciled.observed_generation == session.metadata.generation
    })
}

/// The fields that differed, for people.
fn fields(changes: &[Change]) -> String {
    let path = |change: &Change| change.path.trim_start_matches('/').replace('/', ".").replace("~1", "/");
    let named: Vec<String> = changes.iter().take(MOST_FIELDS).map(path).collect();
    let more = changes.len() - named.len();
    match (named.join(", "), more) {
        (named, _) if named.is_empty() => named,
        (named, 0) => format!(" ({named})"),
        (named, more) => format!(" ({named} and {more} more)"),
    }
}

/// What to tell of a report, given the session as it was.
pub fn for_report(session: &AmaltheaSession, report: &Report) -> Vec<EventRecord> {
    let old = session.status.as_ref();
    let mut events = Vec::new();
    let not_kept = |status: &AmaltheaSessionStatus| {
        conditions::find(&status.conditions, FILES_KEPT).filter(|files| files.status == "False").cloned()
    };
    let lost = not_kept(&report.status);
    if let Some(lost) = &lost
        && old.and_then(not_kept).is_none_or(|told| told.reason != lost.reason)
    {
        let message = lost.message.clone().unwrap_or_default();
        events.push(EventRecord::new(SessionEvent::FilesLost, message));
    }
    let unchangeable = |status: &AmaltheaSessionStatus| {
        let reconciled = conditions::find(&status.conditions, RECONCILED)?;
        let is_it = reconciled.reason.as_deref() == Some(ReconciledReason::Unchangeable.as_str());
        reconciled.message.clone().filter(|_| is_it)
    };
    if let Some(message) =
        unchangeable(&report.status).filter(|now| old.and_then(unchangeable).as_ref() != Some(now))
    {
        events.push(EventRecord::new(SessionEvent::Unchangeable, message));
    }
    let changed = old.is_none_or(|old| old.state != report.status.state || old.error != report.status.error);
    match (&report.status.error, report.status.state) {
        (Some(error), State::Failed) if changed => {
            events.push(EventRecord::new(SessionEvent::Failed, error.clone()))
        }
        (Some(error), _) if changed => events.push(EventRecord::new(SessionEvent::Waiting, error.clone())),
        (None, State::Succeeded) if changed => {
            events.push(EventRecord::new(SessionEvent::Succeeded, "The batch job ended well"))
        }
        // Whoever asked for it: of what a timeout asked for, the reason was told before.
        (None, State::Hibernated) if old.is_some_and(|old| old.state != State::Hibernated) => {
            let message = match lost {
                Some(_) => "The session does not run",
                None => "The session does not run; its files are kept",
            };
            events.push(EventRecord::new(SessionEvent::Hibernated, message));
        }
        _ => {}
    }
    let over = |why: TimeoutReason| format!("{} is over", rule(session, why));
    match &report.timeout_action {
        Some(TimeoutAction::Hibernate(due)) => {
            events.push(EventRecord::new(SessionEvent::Hibernating, over(due.why)))
        }
        Some(TimeoutAction::Delete(due)) => {
            events.push(EventRecord::new(SessionEvent::Deleting, over(due.why)))
        }
        None => {}
    }
    events
}

/// The field that makes a rule, with its value.
pub fn rule(session: &AmaltheaSession, why: TimeoutReason) -> String {
    let culling = session.spec.as_ref().and_then(|spec| spec.culling.as_ref());
    let value = culling.and_then(|culling| match why.field() {
        "maxAge" => culling.max_age.clone(),
        "maxStartingDuration" => culling.max_starting_duration.clone(),
        "maxFailedDuration" => culling.max_failed_duration.clone(),
        "maxIdleDuration" => culling.max_idle_duration.clone(),
        _ => culling.max_hibernated_duration.clone(),
    });
    format!("spec.culling.{} ({})", why.field(), value.unwrap_or_default())
}
