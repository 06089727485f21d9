//! The runs of a session. A run is the time from a start or resume to the next hibernation; its ID is a
//! ULID, so the ID also says when the run began.
//!
//! The first run's ID follows from the session's UID and creation time. It is the same however often it is
//! worked out, so a session can start without having it written down first. A resumed session's ID is new
//! and is written down before anything else, so it is never minted twice either.

use k8s_openapi::jiff::Timestamp;
use sha2::{Digest, Sha256};
use sojourn_crds::amalthea::{AmaltheaSession, State};
use ulid::Ulid;

/// The run that a session is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Run {
    /// Hibernated: no run.
    None,
    /// In a run.
    Current(String),
    /// About to begin a run; its ID has to be written down first.
    Begin(String),
}

/// The run of a session at `now`.
pub fn run(session: &AmaltheaSession, now: Timestamp) -> Run {
    let status = session.status.as_ref();
    if session.spec.as_ref().is_some_and(|spec| spec.hibernated) {
        return Run::None;
    }
    if let Some(id) = status.and_then(|status| status.run_id.as_ref()).filter(|id| !id.is_empty()) {
        return Run::Current(id.clone());
    }
    let resumed =
        status.is_some_and(|status| status.hibernated_since.is_some() || status.state == State::Hibernated);
    if resumed {
        return Run::Begin(mint(now, &[session.uid(), &now.to_string()]));
    }
    Run::Current(mint(created(session).unwrap_or(now), &[session.uid()]))
}

/// When the current run began: what its ID says, or for an ID that is no ULID the session's creation.
pub fn began(session: &AmaltheaSession, id: &str) -> Option<Timestamp> {
    let ulid = Ulid::from_string(id).ok();
    ulid.and_then(|ulid| Timestamp::from_millisecond(i64::try_from(ulid.timestamp_ms()).ok()?).ok())
        .or_else(|| created(session))
}

fn created(session: &AmaltheaSession) -> Option<Timestamp> {
    session.metadata.creation_timestamp.as_ref().map(|time| time.0)
}

fn mint(at: Timestamp, from: &[&str]) -> String {
    let digest = Sha256::digest(from.join("/"));
    let random = digest.iter().take(10).fold(0u128, |sum, byte| sum << 8 | u128::from(*byte));
    let millis = u64::try_from(at.as_millisecond()).unwrap_or_default();
    Ulid::from_parts(millis, random).to_string()
}
