//! A session that is being deleted, and what holds it.
//!
//! Other software may hold a session by a finalizer of its own for as long as it likes. Its children stay until the
//! session is gone, so the workload would go on making pods for a session that nobody wants any more.

use sojourn_crds::amalthea::{AmaltheaSession, names};

/// By which the garbage collector deletes the children first.
const FOREGROUND: &str = "foregroundDeletion";
/// By which the garbage collector lets the children stay.
const ORPHAN: &str = "orphan";

/// Finalizers that a message names.
const MOST_NAMED: usize = 5;

/// The finalizers of others that hold the session.
pub(super) fn holders(session: &AmaltheaSession) -> impl Iterator<Item = &str> {
    let ours = [names::SECRETS_FINALIZER, FOREGROUND, ORPHAN];
    finalizers(session).filter(move |finalizer| !ours.contains(finalizer))
}

/// Whether the workload is stopped although the session is still there: somebody else holds the session, and nobody
/// asked for the children to outlive it.
pub(super) fn stops_workload(session: &AmaltheaSession) -> bool {
    holders(session).next().is_some() && !finalizers(session).any(|finalizer| finalizer == ORPHAN)
}

/// What holds the session, for people, as the end of a sentence about the session; `None` when nobody else does.
pub(super) fn held_by(session: &AmaltheaSession) -> Option<String> {
    let holders: Vec<&str> = holders(session).collect();
    let more = holders.len().saturating_sub(MOST_NAMED);
    let named = holders[..holders.len() - more].join(", ");
    let (named, owner) = match (holders.len(), more) {
        (0, _) => return None,
        (1, _) => (format!("the finalizer {named}"), "it"),
        (_, 0) => (format!("the finalizers {named}"), "them"),
        (_, more) => (format!("the finalizers {named} and {more} more"), "them"),
    };
    Some(format!("session is being deleted, and is held by {named}; what set {owner} has to remove {owner}"))
}

/// What a session waits for that is being deleted and that nobody else holds.
pub(super) fn waits_for(session: &AmaltheaSession) -> &'static str {
    if finalizers(session).any(|finalizer| finalizer == FOREGROUND) {
        "The session is being deleted; its children are deleted first"
    } else {
        "The session is being deleted"
    }
}

fn finalizers(session: &AmaltheaSession) -> impl Iterator<Item = &str> {
    session.metadata.finalizers.iter().flatten().map(String::as_str)
}
