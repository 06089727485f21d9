//! What a person wants to read in `kubectl describe`: Kubernetes Events on the session.

use super::{
    conditions::{ENDPOINT_READY, IDE_CONNECTED},
    world::World,
};
use crate::core::{
    conditions::{find, holds},
    note::Note,
};
use sojourn_crds::ide_session::{IdeSessionStatus, State};

/// What to tell of a session whose status becomes `new`.
pub fn of_status(world: &World, new: &IdeSessionStatus) -> Vec<Note> {
    let default = IdeSessionStatus::default();
    let old = world.session.status.as_ref().unwrap_or(&default);
    let mut notes = Vec::new();
    if old.state != new.state {
        notes.extend(arrived(new));
        notes.extend(left_behind(world, old, new));
    } else if new.message != old.message {
        notes.extend(new.message.clone().map(|message| Note::warning("IDEError", message)));
    }
    notes.extend(endpoint_missing(old, new));
    let lost = holds(&old.conditions, IDE_CONNECTED) && !holds(&new.conditions, IDE_CONNECTED);
    if let Some(condition) = find(&new.conditions, IDE_CONNECTED).filter(|_| lost) {
        notes.push(Note::warning("IDEDisconnected", condition.message.clone().unwrap_or_default()));
    }
    notes
}

fn arrived(new: &IdeSessionStatus) -> Option<Note> {
    let id = new.session_id.as_deref().unwrap_or_default();
    match new.state {
        State::Initial => None,
        State::Starting => Some(Note::normal("Starting", "The IDE is being asked to create the session")),
        State::Running => Some(Note::normal("Started", format!("The IDE has accepted the session {id}"))),
        State::Stopping => Some(Note::normal("Stopping", "The session is to end")),
        State::Stopped => Some(Note::normal("Stopped", "The session has ended")),
        State::Failed => Some(Note::warning("Failed", new.message.clone().unwrap_or_default())),
    }
}

/// What may go on in the IDE although nobody will ever ask it again to end.
fn left_behind(world: &World, old: &IdeSessionStatus, new: &IdeSessionStatus) -> Option<Note> {
    let unstopped = new.state == State::Failed && old.state == State::Stopping;
    let unknown = new.state == State::Failed && old.state == State::Starting && world.run.is_none();
    let text = match &new.session_id {
        Some(id) if unstopped => format!("The IDE may still run the session {id}; end it there"),
        _ if unknown => "The IDE may run a session that was created for this object; end it there".to_owned(),
        _ => return None,
    };
    Some(Note::warning("SessionMayRemain", text))
}

fn endpoint_missing(old: &IdeSessionStatus, new: &IdeSessionStatus) -> Option<Note> {
    let reason = |status: &IdeSessionStatus| {
        find(&status.conditions, ENDPOINT_READY)
            .filter(|condition| condition.status == "False")
            .and_then(|condition| condition.reason.clone())
    };
    let missing = reason(new).filter(|now| Some(now) != reason(old).as_ref());
    let condition = missing.and_then(|_| find(&new.conditions, ENDPOINT_READY))?;
    Some(Note::warning("EndpointNotReady", condition.message.clone().unwrap_or_default()))
}
