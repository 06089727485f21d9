//! The claim of the session's files. It is made once: when it is gone, the files are, and no empty disk takes its place
//! before somebody says so.

use super::{Observed, conditions::FILES_KEPT, reasons::FilesReason};
use crate::{
    core::{
        conditions::{self, ConditionUpdate, whole_seconds},
        error::ErrorClass,
        object::Kind,
        workload::ChildError,
    },
    reason::Reason,
};
use k8s_openapi::jiff::Timestamp;
use sojourn_crds::amalthea::{AmaltheaSession, Condition};

/// Annotation by which somebody accepts that a session whose claim was lost gets an empty disk. Its value is the moment
/// at which the condition became false, so that it speaks of one loss only.
pub const ACCEPT_EMPTY_DISK: &str = "sojourn.dev/accept-empty-disk";

/// What is known of the claim of the session's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Files {
    /// There was none yet.
    New,
    /// It is the session's own.
    Kept,
    /// It belongs to nobody.
    Unowned,
    /// It goes when no pod uses it any more.
    Deleting,
    /// The watches do not know it any more, and the API server was not asked or did not answer.
    Unconfirmed,
    /// It is gone.
    Lost,
    /// It is gone, and somebody accepted that.
    Accepted,
}

impl Files {
    /// What is known, from what is on record and what there is.
    pub(super) fn of(observed: &Observed) -> Self {
        let session = &*observed.session;
        let claim = observed.claim(session.name());
        let Some(record) = record(session) else {
            return claim.map_or(Self::New, |claim| Self::present(observed.owns(claim), claim.deleting));
        };
        match claim {
            Some(claim) => Self::present(observed.owns(claim), claim.deleting),
            None if is_accepted(session, record) => Self::Accepted,
            None if is_lost(record) || is_replaced(observed) || observed.measurements.claim_is_gone => {
                Self::Lost
            }
            None => Self::Unconfirmed,
        }
    }

    const fn present(owned: bool, deleting: bool) -> Self {
        match (deleting, owned) {
            (true, _) => Self::Deleting,
            (false, true) => Self::Kept,
            (false, false) => Self::Unowned,
        }
    }

    /// Whether no claim is made now, and nothing is started that would wait for it.
    pub(super) const fn are_missing(self) -> bool {
        matches!(self, Self::Lost | Self::Unconfirmed | Self::Deleting)
    }
}

/// Whether another owner's claim has the name by now.
fn is_replaced(observed: &Observed) -> bool {
    observed.child(Kind::PersistentVolumeClaim, observed.session.name()).is_some()
}

/// Whether the API server has to be asked for the claim: what the watches do not know for a moment is not lost.
pub fn must_be_confirmed(observed: &Observed) -> bool {
    let session = &*observed.session;
    session.metadata.deletion_timestamp.is_none() && Files::of(observed) == Files::Unconfirmed
}

/// The error of a pass in which the API server did not say whether the claim is there.
pub(super) fn unconfirmed(session: &AmaltheaSession) -> ChildError {
    ChildError {
        kind: Kind::PersistentVolumeClaim,
        name: session.name().to_owned(),
        class: ErrorClass::Transient,
        message: "it is not known whether the claim of the session's files is still there".to_owned(),
    }
}

/// What there is to say of the files: nothing before there is a claim.
pub(super) fn tell(conditions: &mut Vec<Condition>, session: &AmaltheaSession, files: Files, now: Timestamp) {
    let (holds, reason) = match files {
        Files::New | Files::Unconfirmed => return,
        Files::Kept => (true, FilesReason::ClaimExists),
        Files::Unowned => (true, FilesReason::ClaimUnowned),
        Files::Deleting => (false, FilesReason::ClaimDeleting),
        Files::Lost | Files::Accepted => (false, FilesReason::ClaimLost),
    };
    let name = session.name();
    let message = match reason {
        FilesReason::ClaimExists => "The claim with the files of the session exists".to_owned(),
        FilesReason::ClaimUnowned => {
            format!("The claim {name} belongs to nobody: it is neither changed nor deleted with the session")
        }
        FilesReason::ClaimDeleting => format!(
            "The claim {name} is being deleted, and its files go with it when no pod uses it any more. Copy the files \
             that are needed while the session runs"
        ),
        FilesReason::ClaimLost => loss(session, now),
    };
    let update = ConditionUpdate { kind: FILES_KEPT, holds, reason: reason.as_str(), message };
    conditions::set(conditions, update, session.metadata.generation, now);
}

/// What is said of a claim that is gone.
pub(super) fn loss(session: &AmaltheaSession, now: Timestamp) -> String {
    let name = session.name();
    let known = record(session).filter(|record| record.status == "False");
    let since = known.and_then(|record| record.last_transition_time.clone());
    let since = since.unwrap_or_else(|| whole_seconds(now)).0;
    format!(
        "The claim {name} with the files of the session was deleted. The session starts when the claim is put back from a \
         backup, or with an empty disk after: kubectl annotate ams {name} --overwrite {ACCEPT_EMPTY_DISK}={since}"
    )
}

/// What is on record of the claim, once there was one.
fn record(session: &AmaltheaSession) -> Option<&Condition> {
    conditions::find(&session.status.as_ref()?.conditions, FILES_KEPT)
}

fn is_lost(record: &Condition) -> bool {
    record.reason.as_deref() == Some(FilesReason::ClaimLost.as_str())
}

/// Whether somebody accepted the loss that is on record.
fn is_accepted(session: &AmaltheaSession, record: &Condition) -> bool {
    let accepted = session.metadata.annotations.as_ref().and_then(|all| all.get(ACCEPT_EMPTY_DISK));
    let accepted = accepted.and_then(|text| text.parse::<Timestamp>().ok());
    let since = record.last_transition_time.as_ref().filter(|_| record.status == "False");
    accepted.is_some_and(|at| since.is_some_and(|since| since.0.as_second() == at.as_second()))
}
