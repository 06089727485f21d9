//! Which step comes next, as a plain function of the Secret, of what is published, of what this replica serves,
//! and of now.
//!
//! The promise: **whatever a replica serves verifies against every published bundle**, for any interleaving of
//! any number of replicas, crashes and lost answers included, and with clocks that are a day off. A new
//! authority comes in three phases, each one write of the Secret:
//!
//! 1. [`Change::Begin`]: it is stored as the next one and published beside the old one.
//! 2. [`Change::Promote`]: once every configuration was seen to hold it, and API servers had the time to see
//!    that too, it signs. Each replica serves under it then, and says so in its report.
//! 3. [`Change::Retire`]: once all reports name it, the old one is published no more.
//!
//! Why it holds: every write names the version of the Secret that the decision was made on. A replica serves
//! only after its report is stored, and reports another authority only after it serves under that. So
//! whoever drops an authority has seen, at that version, that nobody serves under it, and nobody who comes
//! later will. No moment of another machine's clock takes part, but for reports of replicas that are gone:
//! they count until the certificate that they speak of is over by every clock.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use crate::authority::{Authority, AuthorityError, Reason};
use crate::bundle::{Bundle, Match};
use crate::fingerprint::Fingerprint;
use crate::leaf::LEAF_LIFE;
use crate::store::{OWNER, OWNER_LABEL, ROTATE, ROTATED, Report, SecretData, Stored};

/// A bundle does not grow beyond this, whatever is asked for: first the oldest replicas have to go.
const MOST_AUTHORITIES: usize = 8;

/// The name of the report that stands for replicas that nobody knows: those that served when the Secret went.
pub const UNKNOWN: &str = "unknown";

/// What a replica serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serving {
    /// The certificate of the authority that signed, in DER form.
    pub authority: Vec<u8>,
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// When another leaf is to be issued.
    pub renew_at: Timestamp,
    /// The end of the leaf's life.
    pub until: Timestamp,
}

/// All that is known when a replica asks what to do.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Name of the replica.
    pub me: &'a str,
    /// The Secret; `None` when there is none.
    pub stored: Option<&'a Stored>,
    /// All certificates that configurations publish.
    pub published: &'a Bundle,
    /// How long, by a steady clock, all configurations have been seen to hold the whole stored bundle.
    pub held_for: Option<Duration>,
    /// How long API servers may take to see a change of a configuration.
    pub propagation: Duration,
    /// What this replica serves.
    pub serving: Option<&'a Serving>,
    /// The present moment by the clock of this replica.
    pub now: Timestamp,
}

/// What to do next. When it is done, or turned out to be impossible, ask again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Create the Secret with what [`change`] makes of nothing.
    Create,
    /// Write to the Secret what [`change`] makes of it, if it is still the version that was seen.
    Write(Change),
    /// Issue a leaf under the authority that signs, and serve with it.
    Serve(RenewalReason),
    /// Somebody else's Secret has our name and does not serve: touch nothing, go on with what there is.
    Foreign(Reason),
    /// Nothing, until something changes or time passes.
    Wait(Phase),
}

/// A change of the Secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Make a new authority, and publish it beside those that are published.
    Begin(RotationReason),
    /// Sign with the next authority.
    Promote,
    /// Publish nothing but the authority that signs.
    Retire,
    /// Say under which authority this replica serves, or is about to.
    Report(Report),
    /// Add the authority under which this replica serves: somebody made the Secret anew without it.
    RepublishOwnCa,
    /// Remove reports of replicas whose certificates are over by every clock.
    Prune,
}

/// Why there is to be a new authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RotationReason {
    /// The one that signs cannot be used.
    Unusable(Reason),
    /// Less than a third of its life is left.
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

/// Why there is to be a new leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RenewalReason {
    /// Nothing is served yet.
    First,
    /// Another authority signs now.
    Authority,
    /// A third of the leaf's life is left.
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

/// Where the rotation of authorities is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// One authority, known to all.
    Settled,
    /// The next authority is being published.
    Publishing,
    /// Earlier authorities are still published, because some replica may serve under them.
    Retiring,
    /// Somebody else keeps the authority.
    Borrowed,
}

impl Stored {
    /// Where the rotation of authorities is.
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

/// Says which step comes next.
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

/// What this replica owes the others before anything else: that the Secret knows what it serves.
fn stand_by(view: &View<'_>, stored: &Stored, signer: Option<&Authority>) -> Option<Change> {
    let mine = stored.report(view.me);
    let Some(serving) = view.serving else {
        // Announced before the first leaf is served, so that its authority is not dropped meanwhile.
        let signer = signer.filter(|_| mine.is_none())?;
        let until = view.now.saturating_add(LEAF_LIFE).unwrap_or(Timestamp::MAX);
        return Some(Change::Report(Report { authority: signer.fingerprint(), until }));
    };
    if !stored.bundle.contains(&serving.fingerprint) && view.now < serving.until {
        return Some(Change::RepublishOwnCa);
    }
    let report = Report { authority: serving.fingerprint.clone(), until: serving.until };
    // A later end than is on record would let others forget this replica too early; an earlier one does no harm.
    let stale = mine.is_none_or(|mine| mine.authority != report.authority || mine.until < report.until);
    stale.then_some(Change::Report(report))
}

/// The next authority signs when everybody who verifies had the time to learn of it.
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

/// Another authority counts only once it is published. For a Secret of ours that is so when it signs, unless
/// somebody brought back an older Secret; for one of somebody else's nothing else says so.
fn renewal(view: &View<'_>, signer: &Authority) -> Option<RenewalReason> {
    match view.serving {
        None => (view.held_for.is_some() || view.published.is_empty()).then_some(RenewalReason::First),
        Some(serving) if serving.fingerprint != signer.fingerprint() => {
            view.held_for.is_some_and(|held| held >= view.propagation).then_some(RenewalReason::Authority)
        }
        // A leaf never outlives its authority: when that ends, another one would not live longer.
        Some(serving) => {
            (view.now >= serving.renew_at && serving.until < signer.not_after()).then_some(RenewalReason::Due)
        }
    }
}

/// Makes a change. What the Secret holds beside, such as labels of others, stays as it is.
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

/// The Secret where there is none.
pub fn create(view: &View<'_>) -> Result<SecretData, AuthorityError> {
    let mut secret = SecretData::default();
    secret.labels.insert(OWNER_LABEL.to_owned(), OWNER.to_owned());
    start_over(&mut secret, Bundle::default(), &Authority::generate(view.now)?, view);
    Ok(secret)
}

/// Stores an authority that follows on none. It signs at once when nobody can be verified anyway; otherwise
/// replicas may serve under what is published, and who they are is not known any more.
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

/// How long until time alone changes what [`decide`] says, but for wall clocks, which are to be looked at each
/// minute.
pub fn wake(view: &View<'_>) -> Option<Duration> {
    view.propagation.checked_sub(view.held_for?).filter(|left| !left.is_zero())
}

#[cfg(test)]
mod tests;
