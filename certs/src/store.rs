//! The content of the shared Secret. The caller reads and writes the Secret; this module parses and changes the
//! content.
//!
//! | key | |
//! |---|---|
//! | `tls.crt`, `tls.key` | the authority that signs; empty while there is none |
//! | `next.crt`, `next.key` | the authority that signs next, once all API servers know it |
//! | `ca.crt` | the certificates to publish |
//! | `replica.NAME` | the authority under which a replica serves, and when its certificate expires |
//!
//! The reports of the replicas are in the same Secret, so that one version covers both: a write that removes an
//! authority has seen that no replica serves under it.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;

use crate::authority::{Authority, Reason};
use crate::bundle::Bundle;
use crate::dates::CLOCKS_DIFFER;
use crate::fingerprint::Fingerprint;

/// Data key of the certificate of the authority that signs.
pub const CERTIFICATE: &str = "tls.crt";
/// Data key of its private key.
pub const KEY: &str = "tls.key";
/// Data key of the certificate of the next authority.
pub const NEXT_CERTIFICATE: &str = "next.crt";
/// Data key of its private key.
pub const NEXT_KEY: &str = "next.key";
/// Data key of the bundle to publish.
pub const BUNDLE: &str = "ca.crt";
/// Prefix of the data keys of reports; the name of the replica follows.
pub const REPORT: &str = "replica.";
/// Type of the Secret.
pub const SECRET_TYPE: &str = "kubernetes.io/tls";
/// Label of a Secret that we wrote and may change.
pub const OWNER_LABEL: &str = "app.kubernetes.io/managed-by";
/// Value of [`OWNER_LABEL`].
pub const OWNER: &str = "sojourn";
/// Annotation that requests a new authority, by any new value.
pub const ROTATE: &str = "sojourn.dev/rotate";
/// Annotation with the last value of [`ROTATE`] that was handled.
pub const ROTATED: &str = "sojourn.dev/rotated";

/// Data keys have at most 253 characters.
const LONGEST_NAME: usize = 200;

/// The relevant content of the Secret. `Debug` shows no data.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretData {
    /// Labels of the Secret.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the Secret.
    pub annotations: BTreeMap<String, String>,
    /// Decoded data of the Secret.
    pub data: BTreeMap<String, Vec<u8>>,
}

/// The report of a replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The authority under which the replica serves or is about to serve.
    pub authority: Fingerprint,
    /// When its certificate expires.
    pub until: Timestamp,
}

/// The parsed content of the Secret.
#[derive(Debug)]
pub struct Stored {
    /// Whether the Secret has our label. A Secret without it is never written.
    pub ours: bool,
    /// The authority that signs, or why there is none. Its dates are not checked.
    pub signer: Result<Authority, Reason>,
    /// The next authority.
    pub next: Option<Authority>,
    /// The bundle to publish: the stored one and both authorities.
    pub bundle: Bundle,
    /// The reports by name of the replica.
    pub reports: BTreeMap<String, Report>,
    /// A request for a new authority that is not handled yet.
    pub asked: Option<String>,
}

impl SecretData {
    /// True when the Secret has our label.
    pub fn is_ours(&self) -> bool {
        self.labels.get(OWNER_LABEL).is_some_and(|owner| owner == OWNER)
    }

    /// Sets or removes the authority that signs.
    pub(crate) fn set_signer(&mut self, authority: Option<&Authority>) {
        // The type of the Secret requires both keys.
        let (certificate, key) = pair(authority).unwrap_or_default();
        self.data.insert(CERTIFICATE.to_owned(), certificate);
        self.data.insert(KEY.to_owned(), key);
    }

    /// Sets or removes the next authority.
    pub(crate) fn set_next(&mut self, authority: Option<&Authority>) {
        match pair(authority) {
            Some((certificate, key)) => {
                self.data.insert(NEXT_CERTIFICATE.to_owned(), certificate);
                self.data.insert(NEXT_KEY.to_owned(), key);
            }
            None => {
                self.data.remove(NEXT_CERTIFICATE);
                self.data.remove(NEXT_KEY);
            }
        }
    }

    /// Replaces the bundle.
    pub(crate) fn set_bundle(&mut self, bundle: &Bundle) {
        self.data.insert(BUNDLE.to_owned(), bundle.to_pem().into_bytes());
    }

    /// Sets or removes the report of a replica.
    pub fn set_report(&mut self, replica: &str, report: Option<&Report>) {
        let key = report_key(replica);
        match report {
            Some(report) => self.data.insert(key, report.to_string().into_bytes()),
            None => self.data.remove(&key),
        };
    }

    fn authority(&self, certificate: &'static str, key: &'static str) -> Result<Authority, Reason> {
        let text = |name: &'static str, otherwise: Reason| {
            let bytes = self.data.get(name).filter(|bytes| !bytes.is_empty()).ok_or(Reason::Missing(name))?;
            std::str::from_utf8(bytes).map_err(|_| otherwise)
        };
        Authority::read(text(certificate, Reason::UnreadableCertificate)?, text(key, Reason::UnreadableKey)?)
    }
}

impl Stored {
    /// Parses the content of the Secret. Unreadable parts count as missing.
    pub fn read(secret: &SecretData) -> Self {
        let signer = secret.authority(CERTIFICATE, KEY);
        let next = secret.authority(NEXT_CERTIFICATE, NEXT_KEY).ok();
        let mut bundle = Bundle::default();
        for authority in signer.iter().chain(&next) {
            bundle = bundle.with(authority.certificate());
        }
        let stored = secret.data.get(BUNDLE).and_then(|pem| Bundle::parse(pem).ok()).unwrap_or_default();
        let reports = secret.data.iter().filter_map(|(key, text)| {
            Some((key.strip_prefix(REPORT)?.to_owned(), Report::read(std::str::from_utf8(text).ok()?)?))
        });
        let asked =
            secret.annotations.get(ROTATE).filter(|asked| secret.annotations.get(ROTATED) != Some(asked));
        Self {
            ours: secret.is_ours(),
            bundle: bundle.merge(&stored),
            reports: reports.collect(),
            asked: asked.cloned(),
            signer,
            next,
        }
    }

    /// The authority that signs, if it can be used at `now`.
    pub fn signer(&self, now: Timestamp) -> Result<&Authority, Reason> {
        let signer = self.signer.as_ref().map_err(Clone::clone)?;
        signer.usable(now).map(|()| signer)
    }

    /// The report of a replica.
    pub fn report(&self, replica: &str) -> Option<&Report> {
        self.reports.get(report_name(replica).as_str())
    }

    /// True when no replica can serve under any other authority than the one that signs.
    pub fn is_settled(&self) -> bool {
        self.ours && self.next.is_none() && self.signer.is_ok() && self.bundle.len() == 1
    }
}

impl Report {
    /// True when the certificate of the report has expired by every clock.
    pub fn is_over(&self, now: Timestamp) -> bool {
        now.saturating_sub(CLOCKS_DIFFER).unwrap_or(now) > self.until
    }

    fn read(text: &str) -> Option<Self> {
        let (authority, until) = text.trim().split_once(' ')?;
        Some(Self { authority: authority.parse().ok()?, until: until.parse().ok()? })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.authority, self.until)
    }
}

impl fmt::Debug for SecretData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<_> = self.data.keys().collect();
        f.debug_struct("SecretData").field("labels", &self.labels).field("keys", &keys).finish()
    }
}

fn pair(authority: Option<&Authority>) -> Option<(Vec<u8>, Vec<u8>)> {
    let authority = authority?;
    Some((authority.certificate_pem().as_bytes().to_vec(), authority.key().to_pem().into_bytes()))
}

fn report_key(replica: &str) -> String {
    format!("{REPORT}{}", report_name(replica))
}

/// The name of a replica in the characters that a data key allows.
fn report_name(replica: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    replica.chars().map(|c| if fits(c) { c } else { '-' }).take(LONGEST_NAME).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-05-01T12:00:00Z".parse().unwrap()
    }

    fn authority() -> Authority {
        Authority::generate(now()).unwrap()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let (signer, next) = (authority(), authority());
        let report = Report { authority: signer.fingerprint(), until: now() };
        let mut secret = SecretData::default();
        secret.labels.insert(OWNER_LABEL.to_owned(), OWNER.to_owned());
        secret.set_signer(Some(&signer));
        secret.set_next(Some(&next));
        secret.set_report("pod/0", Some(&report));
        let stored = Stored::read(&secret);
        assert_eq!(stored.signer(now()).unwrap().fingerprint(), signer.fingerprint());
        assert_eq!(stored.next.as_ref().unwrap().fingerprint(), next.fingerprint());
        assert_eq!(stored.bundle.len(), 2, "both authorities are published, whatever the bundle says");
        assert_eq!(stored.report("pod/0"), Some(&report));
        assert!(stored.ours && !stored.is_settled());

        secret.set_next(None);
        secret.set_report("pod/0", None);
        let stored = Stored::read(&secret);
        assert!(stored.is_settled() && stored.reports.is_empty());
        secret.set_signer(None);
        assert!(matches!(Stored::read(&secret).signer, Err(Reason::Missing(CERTIFICATE))));
    }

    #[test]
    fn scrap_counts_as_nothing() {
        let mut secret = SecretData::default();
        for key in [CERTIFICATE, KEY, NEXT_CERTIFICATE, NEXT_KEY, BUNDLE, "replica.", "replica.a"] {
            secret.data.insert(key.to_owned(), vec![0xff, b'\n']);
        }
        let stored = Stored::read(&secret);
        assert!(stored.signer.is_err() && stored.next.is_none() && stored.bundle.is_empty());
        assert!(stored.reports.is_empty() && !stored.ours);
    }

    #[test]
    fn a_request_is_answered_once() {
        let mut secret = SecretData::default();
        assert_eq!(Stored::read(&secret).asked, None);
        secret.annotations.insert(ROTATE.to_owned(), "1".to_owned());
        assert_eq!(Stored::read(&secret).asked.as_deref(), Some("1"));
        secret.annotations.insert(ROTATED.to_owned(), "1".to_owned());
        assert_eq!(Stored::read(&secret).asked, None);
        secret.annotations.insert(ROTATE.to_owned(), "2".to_owned());
        assert_eq!(Stored::read(&secret).asked.as_deref(), Some("2"));
    }

    #[test]
    fn debug_output_holds_no_data() {
        let mut secret = SecretData::default();
        secret.set_signer(Some(&authority()));
        let text = format!("{secret:?} {:?}", Stored::read(&secret).signer.unwrap().key());
        assert!(!text.contains("BEGIN") && !text.contains("45, 45, 45"), "{text}");
    }
}
