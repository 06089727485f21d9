//! The CA bundle that webhook configurations publish. Bundles are sets of certificates: they are compared by content,
//! so that the order, spacing and comments of the PEM text never cause a write.

use std::fmt;

use base64::Engine as _;
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use x509_parser::pem::Pem;

use crate::dates::{CLOCKS_DIFFER, Validity};
use crate::fingerprint::Fingerprint;

/// A set of CA certificates in the order in which they were added.
#[derive(Debug, Clone, Default)]
pub struct Bundle {
    certificates: Vec<Certificate>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Certificate {
    der: Vec<u8>,
    fingerprint: Fingerprint,
}

/// Why a bundle could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The text is truncated or is not PEM.
    #[error("cannot read certificate {position} of the bundle")]
    Read {
        /// Which certificate, counted from 1.
        position: usize,
        /// What is wrong with it.
        #[source]
        source: x509_parser::error::PEMError,
    },
    /// A PEM block is something else, for example a key.
    #[error("block {position} of the bundle is not a certificate but `{label}`")]
    NotACertificate {
        /// Which block, counted from 1.
        position: usize,
        /// The label of the block.
        label: String,
    },
    /// A block is labelled as a certificate and is not one.
    #[error("block {position} of the bundle is not a readable certificate")]
    Malformed {
        /// Which block, counted from 1.
        position: usize,
    },
}

/// Why a published bundle has to be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublishReason {
    /// Nothing is published. An upgrade of the configuration clears the bundle.
    Blank,
    /// The published text is not a bundle.
    Unreadable,
    /// The published bundle is a different set of certificates.
    Different,
}

impl fmt::Display for PublishReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blank => "the bundle is empty",
            Self::Unreadable => "the published bundle cannot be read",
            Self::Different => "the published bundle holds other certificates",
        })
    }
}

impl Bundle {
    /// Reads all certificates of a PEM text. An empty text is an empty bundle.
    pub fn parse(pem: &[u8]) -> Result<Self, BundleError> {
        let mut bundle = Self::default();
        for (index, block) in Pem::iter_from_buffer(pem).enumerate() {
            let position = index + 1;
            let block = block.map_err(|source| BundleError::Read { position, source })?;
            if block.label != "CERTIFICATE" {
                return Err(BundleError::NotACertificate { position, label: block.label });
            }
            if Validity::of_der(&block.contents).is_none() {
                return Err(BundleError::Malformed { position });
            }
            bundle = bundle.with(&block.contents);
        }
        Ok(bundle)
    }

    /// All certificates of both bundles without duplicates, those of `self` first.
    pub fn merge(mut self, other: &Bundle) -> Self {
        for certificate in &other.certificates {
            if !self.certificates.contains(certificate) {
                self.certificates.push(certificate.clone());
            }
        }
        self
    }

    /// The bundle without the certificates that have expired at `now` by every clock.
    pub fn without_expired(mut self, now: Timestamp) -> Self {
        let over = now.saturating_sub(CLOCKS_DIFFER).unwrap_or(now);
        self.certificates.retain(|it| Validity::of_der(&it.der).is_some_and(|life| over < life.not_after));
        self
    }

    /// The bundle with one more certificate, in DER form.
    pub fn with(self, certificate: &[u8]) -> Self {
        let certificate =
            Certificate { der: certificate.to_vec(), fingerprint: Fingerprint::of(certificate) };
        self.merge(&Self { certificates: vec![certificate] })
    }

    /// True when the bundle contains the certificate.
    pub fn contains(&self, fingerprint: &Fingerprint) -> bool {
        self.certificates.iter().any(|certificate| certificate.fingerprint == *fingerprint)
    }

    /// True when the bundle contains every certificate of `other`.
    pub fn covers(&self, other: &Bundle) -> bool {
        other.certificates.iter().all(|certificate| self.certificates.contains(certificate))
    }

    /// The certificates in DER form.
    pub fn certificates(&self) -> impl Iterator<Item = CertificateDer<'_>> {
        self.certificates.iter().map(|certificate| CertificateDer::from(certificate.der.as_slice()))
    }

    /// True when both contain the same certificates, in any order.
    pub fn same_as(&self, other: &Bundle) -> bool {
        self.certificates.len() == other.certificates.len() && self.covers(other)
    }

    /// The number of certificates.
    pub fn len(&self) -> usize {
        self.certificates.len()
    }

    /// True when the bundle is empty.
    pub fn is_empty(&self) -> bool {
        self.certificates.is_empty()
    }

    /// The fingerprints of the certificates.
    pub fn fingerprints(&self) -> impl Iterator<Item = &Fingerprint> {
        self.certificates.iter().map(|certificate| &certificate.fingerprint)
    }

    /// The bundle as PEM text.
    pub fn to_pem(&self) -> String {
        self.certificates.iter().map(|certificate| pem_block(&certificate.der)).collect()
    }
}

/// How a published bundle is compared with the desired one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// It has to contain the desired certificates and no others.
    Exactly,
    /// It has to contain at least the desired certificates: a replica may serve under another one that it contains.
    AtLeast,
}

/// What to publish in place of `live`, and why; `None` when `live` needs no change.
pub fn to_publish(live: &[u8], wanted: &Bundle, matching: Match) -> Option<(PublishReason, Bundle)> {
    let blank = live.trim_ascii().is_empty();
    let (reason, found) = match Bundle::parse(live) {
        Err(_) => (PublishReason::Unreadable, Bundle::default()),
        Ok(found) if found.is_empty() && !blank => (PublishReason::Unreadable, found),
        Ok(found) if found.same_as(wanted) => return None,
        Ok(found) if matching == Match::AtLeast && found.covers(wanted) => return None,
        Ok(found) if blank => (PublishReason::Blank, found),
        Ok(found) => (PublishReason::Different, found),
    };
    Some(match matching {
        Match::Exactly => (reason, wanted.clone()),
        Match::AtLeast => (reason, wanted.clone().merge(&found)),
    })
}

/// A certificate in DER form as PEM text.
pub(crate) fn pem_block(der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    for (index, character) in text.chars().enumerate() {
        if index > 0 && index % 64 == 0 {
            pem.push('\n');
        }
        pem.push(character);
    }
    pem.push_str("\n-----END CERTIFICATE-----\n");
    pem
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::authority::Authority;
    use crate::fingerprint::ReadFingerprintError;

    fn now() -> Timestamp {
        "2026-05-01T12:00:00Z".parse().unwrap()
    }

    fn authority() -> Authority {
        Authority::generate(now()).unwrap()
    }

    fn bundle(pem: &str) -> Bundle {
        Bundle::parse(pem.as_bytes()).unwrap()
    }

    #[test]
    fn merging_keeps_each_certificate_once() {
        let (one, two) = (bundle(authority().certificate_pem()), bundle(authority().certificate_pem()));
        let both = one.clone().merge(&two).merge(&one);
        assert_eq!(both.len(), 2);
        assert!(both.same_as(&two.merge(&one)), "order does not matter");
        assert!(bundle(&both.to_pem()).same_as(&both), "survives its text");
    }

    #[test]
    fn spacing_and_comments_do_not_matter() {
        let pem = authority().certificate_pem().to_owned();
        let odd = format!("# the authority\n\n{}\n\n", pem.trim());
        assert!(to_publish(odd.as_bytes(), &bundle(&pem), Match::Exactly).is_none());
    }

    fn reason(live: &[u8], wanted: &Bundle) -> Option<PublishReason> {
        to_publish(live, wanted, Match::Exactly).map(|(reason, publish)| {
            assert!(publish.same_as(wanted));
            reason
        })
    }

    #[test]
    fn every_way_to_be_wrong_is_named() {
        let wanted = bundle(authority().certificate_pem());
        let other = authority();
        assert_eq!(reason(b"", &wanted), Some(PublishReason::Blank));
        assert_eq!(reason(b"\n", &wanted), Some(PublishReason::Blank));
        assert_eq!(reason(b"Cg==", &wanted), Some(PublishReason::Unreadable));
        let cut = &other.certificate_pem().as_bytes()[..120];
        assert_eq!(reason(cut, &wanted), Some(PublishReason::Unreadable));
        assert_eq!(reason(other.certificate_pem().as_bytes(), &wanted), Some(PublishReason::Different));
        let more = wanted.clone().merge(&bundle(other.certificate_pem())).to_pem();
        assert_eq!(reason(more.as_bytes(), &wanted), Some(PublishReason::Different));
    }

    #[test]
    fn what_somebody_may_serve_under_stays_published() {
        let (wanted, other) = (bundle(authority().certificate_pem()), bundle(authority().certificate_pem()));
        let at_least = |live: &Bundle| to_publish(live.to_pem().as_bytes(), &wanted, Match::AtLeast);
        let both = wanted.clone().merge(&other);
        assert!(at_least(&both).is_none());
        let (reason, publish) = at_least(&other).unwrap();
        assert_eq!(reason, PublishReason::Different);
        assert!(publish.same_as(&both));
    }

    #[test]
    fn a_fingerprint_survives_its_text() {
        let made = authority();
        let fingerprint = made.fingerprint();
        assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint.clone()));
        assert!(bundle(made.certificate_pem()).contains(&fingerprint));
        for bad in ["", "abc", &fingerprint.to_string().to_uppercase()] {
            assert_eq!(bad.parse::<Fingerprint>(), Err(ReadFingerprintError), "{bad}");
        }
    }

    #[test]
    fn a_key_in_a_bundle_is_refused() {
        let key = authority().key().to_pem();
        assert!(matches!(Bundle::parse(key.as_bytes()), Err(BundleError::NotACertificate { .. })));
    }

    #[test]
    fn expired_certificates_are_dropped() {
        let old = Authority::generate(now() - SignedDuration::from_hours(24 * 400)).unwrap();
        let both = bundle(old.certificate_pem()).merge(&bundle(authority().certificate_pem()));
        assert_eq!(both.without_expired(now()).len(), 1);
    }
}
