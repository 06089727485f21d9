//! What the shared Secret holds, and what to do about it. The caller reads and writes the Secret; this module
//! only looks at the content and says which step comes next.
//!
//! The Secret is of type `kubernetes.io/tls`: [`CERTIFICATE`] and [`KEY`] hold the pair that signs leaves, and
//! [`BUNDLE`] the certificates to publish. The bundle is the pair's own certificate today; a rotation in phases
//! keeps the old and the new one there side by side.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;

use crate::authority::{Authority, Reason};
use crate::bundle::Bundle;

/// Data key of the authority's certificate.
pub const CERTIFICATE: &str = "tls.crt";
/// Data key of the authority's private key.
pub const KEY: &str = "tls.key";
/// Data key of the bundle to publish.
pub const BUNDLE: &str = "ca.crt";
/// Type of the Secret.
pub const SECRET_TYPE: &str = "kubernetes.io/tls";
/// Label that marks the Secret as written by us, and so as ours to replace.
pub const OWNER_LABEL: &str = "app.kubernetes.io/managed-by";
/// Value of [`OWNER_LABEL`].
pub const OWNER: &str = "sojourn";

/// The content of the Secret as far as it matters here. `Debug` shows no data.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretData {
    /// Labels of the Secret.
    pub labels: BTreeMap<String, String>,
    /// Decoded data of the Secret.
    pub data: BTreeMap<String, Vec<u8>>,
}

/// The next step for a replica that wants an authority.
#[derive(Debug)]
pub enum Step {
    /// There is no Secret: make an authority and create the Secret. A conflict means another replica was faster:
    /// read again.
    Create,
    /// Serve with this authority and publish this bundle.
    Use(Box<Authority>, Bundle),
    /// The Secret is ours and its content no longer serves: make an authority and replace the content, on the
    /// condition that the Secret did not change in between.
    Replace(Reason),
    /// The Secret is not ours and its content does not serve: touch nothing and report it.
    Foreign(Reason),
}

impl SecretData {
    /// The content that stores `authority`.
    pub fn of(authority: &Authority) -> Self {
        let certificate = authority.certificate_pem().as_bytes().to_vec();
        Self {
            labels: BTreeMap::from([(OWNER_LABEL.to_owned(), OWNER.to_owned())]),
            data: BTreeMap::from([
                (CERTIFICATE.to_owned(), certificate.clone()),
                (KEY.to_owned(), authority.key().to_pem().into_bytes()),
                (BUNDLE.to_owned(), certificate),
            ]),
        }
    }

    /// True when the Secret carries our label.
    pub fn is_ours(&self) -> bool {
        self.labels.get(OWNER_LABEL).is_some_and(|owner| owner == OWNER)
    }

    fn text(&self, key: &'static str) -> Result<&str, Reason> {
        let bytes = self.data.get(key).filter(|bytes| !bytes.is_empty()).ok_or(Reason::Missing(key))?;
        let unreadable = if key == KEY { Reason::UnreadableKey } else { Reason::UnreadableCertificate };
        std::str::from_utf8(bytes).map_err(|_| unreadable)
    }

    fn authority(&self, now: Timestamp) -> Result<Authority, Reason> {
        Authority::load(self.text(CERTIFICATE)?, self.text(KEY)?, now)
    }

    /// The bundle to publish: always with the signing certificate, whatever the stored bundle says.
    fn bundle(&self, authority: &Authority, now: Timestamp) -> Result<Bundle, Reason> {
        let own = Bundle::parse(authority.certificate_pem().as_bytes())
            .map_err(|_| Reason::UnreadableCertificate)?;
        let stored = self.data.get(BUNDLE).and_then(|pem| Bundle::parse(pem).ok()).unwrap_or_default();
        Ok(own.merge(&stored.without_expired(now)))
    }
}

impl fmt::Debug for SecretData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<_> = self.data.keys().collect();
        f.debug_struct("SecretData").field("labels", &self.labels).field("keys", &keys).finish()
    }
}

/// Says what to do about the Secret at `now`.
///
/// A good authority that somebody else put there is used; it is only never overwritten.
pub fn decide(secret: Option<&SecretData>, now: Timestamp) -> Step {
    let Some(secret) = secret else { return Step::Create };
    let loaded = secret.authority(now).and_then(|authority| {
        let bundle = secret.bundle(&authority, now)?;
        Ok((authority, bundle))
    });
    match loaded {
        Ok((authority, _)) if secret.is_ours() && now >= authority.renew_at() => {
            Step::Replace(Reason::RenewalDue(authority.renew_at()))
        }
        Ok((authority, bundle)) => Step::Use(Box::new(authority), bundle),
        Err(reason) if secret.is_ours() => Step::Replace(reason),
        Err(reason) => Step::Foreign(reason),
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn now() -> Timestamp {
        "2026-05-01T12:00:00Z".parse().unwrap()
    }

    fn stored() -> SecretData {
        SecretData::of(&Authority::generate(now()).unwrap())
    }

    fn later(days: i64) -> Timestamp {
        now() + SignedDuration::from_hours(24 * days)
    }

    #[test]
    fn no_secret_means_create() {
        assert!(matches!(decide(None, now()), Step::Create));
    }

    #[test]
    fn what_was_stored_is_used_again() {
        let authority = Authority::generate(now()).unwrap();
        let Step::Use(read, bundle) = decide(Some(&SecretData::of(&authority)), later(100)) else {
            panic!("not used")
        };
        assert_eq!(read.certificate_pem().trim(), authority.certificate_pem().trim());
        assert_eq!(bundle.len(), 1);
    }

    #[test]
    fn a_bundle_with_an_older_authority_is_kept_until_that_expires() {
        let old = Authority::generate(later(-200)).unwrap();
        let mut secret = stored();
        let both = [old.certificate_pem().as_bytes(), &secret.data[BUNDLE]].concat();
        secret.data.insert(BUNDLE.to_owned(), both);
        let Step::Use(_, bundle) = decide(Some(&secret), now()) else { panic!("not used") };
        assert_eq!(bundle.len(), 2);
        let Step::Use(_, bundle) = decide(Some(&secret), later(170)) else { panic!("not used") };
        assert_eq!(bundle.len(), 1);
    }

    #[test]
    fn our_own_is_replaced_when_due_broken_or_incomplete() {
        assert!(matches!(decide(Some(&stored()), later(250)), Step::Replace(Reason::RenewalDue(_))));
        assert!(matches!(decide(Some(&stored()), later(400)), Step::Replace(Reason::Expired(_))));
        let mut secret = stored();
        secret.data.insert(KEY.to_owned(), b"scrap".to_vec());
        assert!(matches!(decide(Some(&secret), now()), Step::Replace(Reason::UnreadableKey)));
        secret.data.remove(CERTIFICATE);
        assert!(matches!(decide(Some(&secret), now()), Step::Replace(Reason::Missing(CERTIFICATE))));
    }

    #[test]
    fn a_foreign_secret_is_used_when_good_and_never_replaced() {
        let mut secret = stored();
        secret.labels.clear();
        assert!(matches!(decide(Some(&secret), now()), Step::Use(..)));
        assert!(matches!(decide(Some(&secret), later(250)), Step::Use(..)));
        assert!(matches!(decide(Some(&secret), later(400)), Step::Foreign(Reason::Expired(_))));
        secret.data.clear();
        assert!(matches!(decide(Some(&secret), now()), Step::Foreign(Reason::Missing(CERTIFICATE))));
    }

    #[test]
    fn debug_output_holds_no_data() {
        let text = format!("{:?}", stored());
        assert!(!text.contains("BEGIN") && !text.contains("45, 45, 45"), "{text}");
    }
}
