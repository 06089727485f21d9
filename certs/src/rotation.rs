//! The next step, as a function of the Secret, the published bundles, the certificate that this replica serves, and the
//! current time.
//!
//! The guarantee: **the certificate of every replica verifies against every published bundle**. It holds for any number
//! of replicas in any interleaving, with crashes and lost responses, and with clocks that are a day off. The rotation
//! to a new authority has three phases. Each is one write of the Secret:
//!
//! 1. [`Change::Begin`] stores the new authority as the next one. It is published beside the old one.
//! 2. [`Change::Promote`] makes it sign, once every configuration holds it and API servers had the time to see that.
//!    Each replica then serves under it and reports that.
//! 3. [`Change::Retire`] removes the old authority from the bundle, once all reports name the new one.
//!
//! Why the guarantee holds: every write names the version of the Secret that the decision was made on. A replica serves
//! only after its report is stored, and reports another authority only after it serves under that. So a replica that
//! removes an authority has seen, at that version, that no replica serves under it, and no later replica will.
//! Clocks of other machines do not take part, with one exception: the report of a replica that is gone counts until its
//! certificate has expired by every clock.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use crate::authority::{Authority, AuthorityError, Reason};
use crate::bundle::{Bundle, Match};
use crate::fingerprint::Fingerprint;
use crate::leaf::LEAF_LIFE;
use crate::store::{OWNER, OWNER_LABEL, ROTATE, ROTATED, Report, SecretData, Stored};

/// The largest number of authorities in a bundle. A further rotation waits until old replicas are gone.
const MOST_AUTHORITIES: usize = 8;

/// The name of the report for unknown replicas: those that served when the Secret was lost.
pub const UNKNOWN: &str = "unknown";

/// What a replica serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serving {
    /// The certificate of the authority that signed the leaf, in DER form.
    pub authority: Vec<u8>,
    /// The fingerprint of that authority.
    pub fingerprint: Fingerprint,
    /// When the next leaf has to be issued.
    pub renew_at: Timestamp,
    /// When the leaf expires.
    pub until: Timestamp,
}

/// The input of a decision.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Name of the replica.
    pub me: &'a str,
    /// The Secret; `None` when there is none.
    pub stored: Option<&'a Stored>,
    /// All certificates that configurations publish.
    pub published: &'a Bundle,
    /// How long all configurations have held the whole stored bundle, by a monotonic clock.
    pub held_for: Option<Duration>,
    /// How long API servers may take to see a change of a configuration.
    pub propagation: Duration,
    /// What this replica serves.
    pub serving: Option<&'a Serving>,
    /// The current time by the clock of this replica.
    pub now: Timestamp,
}

/// The next step. After it succeeded or failed, [`decide`] has to be called again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Create the Secret with the content from [`create`].
    Create,
    /// Write the content from [`change`] to the Secret, if it still has the version that was read.
    Write(Change),
    /// Issue a leaf under the authority that signs, and serve with it.
    Serve(RenewalReason),
    /// The Secret is not ours and cannot be used: change nothing, and keep serving.
    Foreign(Reason),
    /// Wait until something changes or time passes.
    Wait(Phase),
}

/// A change of the Secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Generate a new authority, and publish it beside the present ones.
    Begin(RotationReason),
    /// Sign with the next authority.
    Promote,
    /// Publish only the authority that signs.
    Retire,
    /// Report the authority under which this replica serves or is about to serve.
    Report(Report),
    /// Add the authority under which this replica serves: the Secret was recreated without it.
    RepublishOwnCa,
    /// Remove reports of replicas whose certificates have expired by every clock.
    Prune,
}

/// Why a new authority is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RotationReason {
    /// The authority that signs cannot be used.
    Unusable(Reason),
    /// Less than a third of its lifetime is left.
    Due(Timestamp),
    /// The annotation asks for it.
    Asked(String),
}

impl fmt::Display for RotationReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unusable(reason) => write!(f, "{reason}"),
            Self::Due(due) => {
                write!(f, "less than a third of the authority's life is left: renewal was due at {due}")
            }
            Self::Asked(value) => write!(f, "the annotation {ROTATE}={value:?} asks for it"),
        }
    }
}

/// Why a new leaf is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RenewalReason {
    /// Nothing is served yet.
    First,
    /// Another authority signs now.
    Authority,
    /// A third of the leaf's lifetime is left.
    Due,
}

impl fmt::Display for RenewalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::First => "nothing is served yet",
            Self::Authority => "another authority signs now",
            Self::Due => "a third of the certificate's life is left",
        })
    }
}

/// The phase of the rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// There is one authority, and it is published everywhere.
    Settled,
    /// The next authority is being published.
    Publishing,
    /// Earlier authorities are still published, because a replica may serve under them.
    Retiring,
    /// The Secret is not ours: another program maintains the authority.
    Borrowed,
}

impl Stored {
    /// The phase of the rotation.
    pub fn phase(&self) -> Phase {
        if !self.ours {
            Phase::Borrowed
        } else if self.next.is_some() {
            Phase::Publishing
        } else if self.is_settled() {
            Phase::Settled
        } else {
            Phase::Retiring
        }
    }

    /// How configurations are compared with the stored bundle.
    pub fn matching(&self) -> Match {
        if self.is_settled() { Match::Exactly } else { Match::AtLeast }
    }
}

/// Returns the next step.
pub fn decide(view: &View<'_>) -> Step {
    let Some(stored) = view.stored else { return Step::Create };
    let signer = stored.signer(view.now);
    if !stored.ours {
        return match signer {
            Ok(signer) => renewal(view, signer).map_or(Step::Wait(Phase::Borrowed), Step::Serve),
            Err(reason) => Step::Foreign(reason),
        };
    }
    if let Some(change) = stand_by(view, stored, signer.as_ref().ok().copied()) {
        return Step::Write(change);
    }
    let signer = match signer {
        Ok(signer) => signer,
        Err(_) if stored.next.is_some() => return advance(view, stored),
        Err(reason) => return Step::Write(Change::Begin(RotationReason::Unusable(reason))),
    };
    if let Some(renew) = renewal(view, signer) {
        return Step::Serve(renew);
    }
    if stored.next.is_some() {
        return advance(view, stored);
    }
    if stored.bundle.len() < MOST_AUTHORITIES
        && let Some(why) = wanted(view, stored, signer)
    {
        return Step::Write(Change::Begin(why));
    }
    let signs = signer.fingerprint();
    let others = stored.reports.values().any(|report| !report.is_over(view.now) && report.authority != signs);
    if !stored.is_settled() && !others {
        return Step::Write(Change::Retire);
    }
    if stored.reports.values().any(|report| report.is_over(view.now)) {
        return Step::Write(Change::Prune);
    }
    Step::Wait(stored.phase())
}

/// The write that comes before all others: the Secret has to say what this replica serves.
fn stand_by(view: &View<'_>, stored: &Stored, signer: Option<&Authority>) -> Option<Change> {
    let mine = stored.report(view.me);
    let Some(serving) = view.serving else {
        // The report comes before the first leaf, so that the authority is not removed in between.
        let signer = signer.filter(|_| mine.is_none())?;
        let until = view.now.saturating_add(LEAF_LIFE).unwrap_or(Timestamp::MAX);
        return Some(Change::Report(Report { authority: signer.fingerprint(), until }));
    };
    if !stored.bundle.contains(&serving.fingerprint) && view.now < serving.until {
        return Some(Change::RepublishOwnCa);
    }
    let report = Report { authority: serving.fingerprint.clone(), until: serving.until };
    // If the recorded end were too early, other replicas would drop this report too soon. A later one is harmless.
    let stale = mine.is_none_or(|mine| mine.authority != report.authority || mine.until < report.until);
    stale.then_some(Change::Report(report))
}

/// The next authority signs once all API servers had the time to see it.
fn advance(view: &View<'_>, stored: &Stored) -> Step {
    if view.held_for.is_some_and(|held| held >= view.propagation) {
        Step::Write(Change::Promote)
    } else {
        Step::Wait(stored.phase())
    }
}

fn wanted(view: &View<'_>, stored: &Stored, signer: &Authority) -> Option<RotationReason> {
    let due = signer.renew_at();
    match &stored.asked {
        Some(asked) => Some(RotationReason::Asked(asked.clone())),
        None => (view.now >= due).then_some(RotationReason::Due(due)),
    }
}

/// A replica changes to another authority only once it is published. In a Secret of ours an authority is published
/// before it signs, unless an older Secret was restored. In other Secrets nothing ensures the order.
fn renewal(view: &View<'_>, signer: &Authority) -> Option<RenewalReason> {
    match view.serving {
        None => (view.held_for.is_some() || view.published.is_empty()).then_some(RenewalReason::First),
        Some(serving) if serving.fingerprint != signer.fingerprint() => {
            view.held_for.is_some_and(|held| held >= view.propagation).then_some(RenewalReason::Authority)
        }
        // A leaf never outlives its authority, so a new leaf would not expire later.
        Some(serving) => {
            (view.now >= serving.renew_at && serving.until < signer.not_after()).then_some(RenewalReason::Due)
        }
    }
}

/// The content of the Secret after a change. Everything else in the Secret, such as other labels, is kept.
pub fn change(view: &View<'_>, secret: &SecretData, change: &Change) -> Result<SecretData, AuthorityError> {
    let mut secret = secret.clone();
    let stored = Stored::read(&secret);
    match change {
        Change::Begin(_) => {
            if let Some(asked) = &stored.asked {
                secret.annotations.insert(ROTATED.to_owned(), asked.clone());
            }
            let authority = Authority::generate(view.now)?;
            if stored.signer(view.now).is_ok() {
                secret.set_bundle(&stored.bundle.with(authority.certificate()));
                secret.set_next(Some(&authority));
            } else {
                start_over(&mut secret, stored.bundle, &authority, view);
            }
        }
        Change::Promote => {
            secret.set_bundle(&stored.bundle);
            secret.set_signer(stored.next.as_ref());
            secret.set_next(None);
        }
        Change::Retire => {
            let signer = stored.signer.iter().map(|signer| signer.certificate());
            secret.set_bundle(&signer.fold(Bundle::default(), Bundle::with));
            forget(&mut secret, &stored, view.now);
        }
        Change::Report(report) => secret.set_report(view.me, Some(report)),
        Change::RepublishOwnCa => {
            if let Some(serving) = view.serving {
                secret.set_bundle(&stored.bundle.with(&serving.authority));
            }
        }
        Change::Prune => forget(&mut secret, &stored, view.now),
    }
    Ok(secret)
}

/// The content of a new Secret.
pub fn create(view: &View<'_>) -> Result<SecretData, AuthorityError> {
    let mut secret = SecretData::default();
    secret.labels.insert(OWNER_LABEL.to_owned(), OWNER.to_owned());
    start_over(&mut secret, Bundle::default(), &Authority::generate(view.now)?, view);
    Ok(secret)
}

/// Stores an authority that has no predecessor. It signs at once when no authority is published. Otherwise replicas
/// that are not known any more may serve under the published ones.
fn start_over(secret: &mut SecretData, known: Bundle, authority: &Authority, view: &View<'_>) {
    let served = view.serving.map(|serving| serving.authority.as_slice());
    let before = served.into_iter().fold(known, Bundle::with).merge(view.published).without_expired(view.now);
    secret.set_bundle(&before.clone().with(authority.certificate()));
    let Some(any) = before.fingerprints().next() else {
        secret.set_next(None);
        return secret.set_signer(Some(authority));
    };
    secret.set_signer(None);
    secret.set_next(Some(authority));
    let until = view.now.saturating_add(LEAF_LIFE).unwrap_or(Timestamp::MAX);
    secret.set_report(UNKNOWN, Some(&Report { authority: any.clone(), until }));
}

fn forget(secret: &mut SecretData, stored: &Stored, now: Timestamp) {
    for (replica, _) in stored.reports.iter().filter(|(_, report)| report.is_over(now)) {
        secret.set_report(replica, None);
    }
}

/// How long until the result of [`decide`] changes without an event. This does not cover wall clocks, which the caller
/// has to check each minute.
pub fn wake(view: &View<'_>) -> Option<Duration> {
    view.propagation.checked_sub(view.held_for?).filter(|left| !left.is_zero())
}

#[cfg(test)]
mod tests;
