//! The CA bundle that webhook configurations publish: a set of certificates that is merged, pruned and compared
//! by content, so that order, spacing and comments of the PEM text never cause a write.

use base64::Engine as _;
use jiff::Timestamp;
use x509_parser::pem::Pem;

use crate::authority::validity_of;

/// A set of CA certificates in the order in which they were added.
#[derive(Debug, Clone, Default)]
pub struct Bundle {
    certificates: Vec<Vec<u8>>,
}

/// Why a bundle could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The text breaks off or is not PEM.
    #[error("cannot read certificate {position} of the bundle")]
    Read {
        /// Which certificate, counted from 1.
        position: usize,
        /// What is wrong with it.
        #[source]
        source: x509_parser::error::PEMError,
    },
    /// A PEM block holds something else, for example a key.
    #[error("block {position} of the bundle is not a certificate but `{label}`")]
    NotACertificate {
        /// Which block, counted from 1.
        position: usize,
        /// What the block says it is.
        label: String,
    },
    /// A block says it is a certificate and is not.
    #[error("block {position} of the bundle is not a readable certificate")]
    Malformed {
        /// Which block, counted from 1.
        position: usize,
    },
}

/// Why a published bundle has to be written again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Publish {
    /// Nothing is published; an upgrade of the configuration blanks it.
    #[error("the bundle is empty")]
    Blank,
    /// What is published is not a bundle.
    #[error("the published bundle cannot be read")]
    Unreadable,
    /// What is published is a different set of certificates.
    #[error("the published bundle holds other certificates")]
    Different,
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
            if validity_of(&block.contents).is_none() {
                return Err(BundleError::Malformed { position });
            }
            bundle.add(block.contents);
        }
        Ok(bundle)
    }

    /// All certificates of both bundles, each once, ours first.
    pub fn merge(mut self, other: &Bundle) -> Self {
        other.certificates.iter().for_each(|certificate| self.add(certificate.clone()));
        self
    }

    /// Without the certificates whose life is over at `now`.
    pub fn without_expired(mut self, now: Timestamp) -> Self {
        self.certificates.retain(|der| validity_of(der).is_some_and(|life| now < life.not_after));
        self
    }

    /// True when both hold the same certificates, in whatever order.
    pub fn same_as(&self, other: &Bundle) -> bool {
        self.certificates.len() == other.certificates.len()
            && self.certificates.iter().all(|certificate| other.certificates.contains(certificate))
    }

    /// How many certificates there are.
    pub fn len(&self) -> usize {
        self.certificates.len()
    }

    /// True when there is no certificate.
    pub fn is_empty(&self) -> bool {
        self.certificates.is_empty()
    }

    /// The bundle as PEM text.
    pub fn to_pem(&self) -> String {
        self.certificates.iter().map(|der| pem_block(der)).collect()
    }

    fn add(&mut self, certificate: Vec<u8>) {
        if !self.certificates.contains(&certificate) {
            self.certificates.push(certificate);
        }
    }
}

/// Compares what a configuration publishes now with what it should publish.
pub fn needs_publishing(live: &[u8], wanted: &Bundle) -> Option<Publish> {
    match Bundle::parse(live) {
        Err(_) => Some(Publish::Unreadable),
        Ok(found) if found.same_as(wanted) => None,
        Ok(found) if found.is_empty() && live.trim_ascii().is_empty() => Some(Publish::Blank),
        Ok(found) if found.is_empty() => Some(Publish::Unreadable),
        Ok(_) => Some(Publish::Different),
    }
}

fn pem_block(der: &[u8]) -> String {
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
        assert_eq!(needs_publishing(odd.as_bytes(), &bundle(&pem)), None);
    }

    #[test]
    fn every_way_to_be_wrong_is_named() {
        let wanted = bundle(authority().certificate_pem());
        let other = authority();
        assert_eq!(needs_publishing(b"", &wanted), Some(Publish::Blank));
        assert_eq!(needs_publishing(b"\n", &wanted), Some(Publish::Blank));
        assert_eq!(needs_publishing(b"Cg==", &wanted), Some(Publish::Unreadable));
        let cut = &other.certificate_pem().as_bytes()[..120];
        assert_eq!(needs_publishing(cut, &wanted), Some(Publish::Unreadable));
        assert_eq!(needs_publishing(other.certificate_pem().as_bytes(), &wanted), Some(Publish::Different));
        let more = wanted.clone().merge(&bundle(other.certificate_pem())).to_pem();
        assert_eq!(needs_publishing(more.as_bytes(), &wanted), Some(Publish::Different));
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
