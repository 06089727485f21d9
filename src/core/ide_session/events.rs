//! What a person wants to read in `kubectl describe`: Kubernetes Events on the session.

use super::{
    conditions::{ENDPOINT_READY, IDE_CONNECTED},
    observed::Observed,
    reasons::SessionEvent,
};
use crate::{
    core::{
        conditions::{find, holds},
        event::EventRecord,
    },
    ide::ConnectionReason,
    reason::Reason,
};
use sojourn_crds::ide_session::{IdeSessionStatus, State};

/// What to tell of a session whose status becomes `new`.
pub fn for_status(observed: &Observed, new: &IdeSessionStatus) -> Vec<EventRecord> {
    let default = IdeSessionStatus::default();
    let old = observed.session.status.as_ref().unwrap_or(&default);
    let mut events = Vec::new();
    if old.state != new.state {
        events.extend(arrived(new));
        events.extend(left_behind(observed, old, new));
    } else if new.message != old.message {
        events.extend(new.message.clone().map(|message| EventRecord::new(SessionEvent::IDEError, message)));
    }
    events.extend(
        not_so(old, new, ENDPOINT_READY).map(|why| EventRecord::new(SessionEvent::EndpointNotReady, why)),
    );
    events.extend(ide_away(old, new));
    events
}

fn arrived(new: &IdeSessionStatus) -> Option<EventRecord> {
    let id = new.session_id.as_deref().unwrap_or_default();
    match new.state {
        State::Initial => None,
        State::Starting if new.start_attempt_time.is_none() => {
            Some(EventRecord::new(SessionEvent::Starting, "The session starts when its IDE is connected"))
        }
        State::Starting => {
            Some(EventRecord::new(SessionEvent::Starting, "The IDE is being asked to create the session"))
        }
        State::Running => {
            Some(EventRecord::new(SessionEvent::Started, format!("The IDE has accepted the session {id}")))
        }
        State::Stopping => Some(EventRecord::new(SessionEvent::Stopping, "The session is to end")),
        State::Stopped => Some(EventRecord::new(SessionEvent::Stopped, "The session has ended")),
        State::Failed => {
            Some(EventRecord::new(SessionEvent::Failed, new.message.clone().unwrap_or_default()))
        }
    }
}

/// What may go on in the IDE although nobody will ever ask it again to end.
fn left_behind(observed: &Observed, old: &IdeSessionStatus, new: &IdeSessionStatus) -> Option<EventRecord> {
    let unstopped = new.state == State::Failed && old.state == State::Stopping;
    let unknown = new.state == State::Failed && old.state == State::Starting && observed.run.is_none();
    let text = match &new.session_id {
        Some(id) if unstopped => format!("The IDE may still run the session {id}; end it there"),
        _ if unknown => "The IDE may run a session that was created for this object; end it there".to_owned(),
        _ => return None,
    };
    Some(EventRecord::new(SessionEvent::SessionMayRemain, text))
}

/// An IDE that is lost, or one that is waited for and cannot be connected.
fn ide_away(old: &IdeSessionStatus, new: &IdeSessionStatus) -> Option<EventRecord> {
    let lost = holds(&old.conditions, IDE_CONNECTED);
    let concerned = lost || new.state == State::Starting && holds(&new.conditions, ENDPOINT_READY);
    let why = not_so(old, new, IDE_CONNECTED).filter(|_| concerned)?;
    let reason = find(&new.conditions, IDE_CONNECTED).and_then(|condition| condition.reason.as_deref());
    match reason {
        _ if lost => Some(EventRecord::new(SessionEvent::IDEDisconnected, why)),
        // It may yet go well.
        Some(reason) if reason == ConnectionReason::Connecting.as_str() => None,
        _ => Some(EventRecord::new(SessionEvent::IDENotConnected, why)),
    }
}

/// Why a condition is false, when that is news.
fn not_so(old: &IdeSessionStatus, new: &IdeSessionStatus, kind: &str) -> Option<String> {
    let said = |status: &IdeSessionStatus| {
        let condition = find(&status.conditions, kind).filter(|condition| condition.status == "False")?;
        Some((condition.reason.clone(), condition.message.clone()))
    };
    let (reason, message) = said(new)?;
    let news = said(old).is_none_or(|(before, _)| before != reason);
    news.then_some(message.unwrap_or_default())
}
