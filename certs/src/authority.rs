//! The certificate authority: made once, kept in a Secret, reloaded by every replica, and judged by
//! [`needs_regeneration`], which names its reason.

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SerialNumber,
};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::dates::Validity;
use crate::key::{KeyError, PrivateKey};

/// How long an authority lives.
pub const AUTHORITY_LIFE: SignedDuration = SignedDuration::from_hours(365 * 24);

/// The authority's common name.
pub const COMMON_NAME: &str = "sojourn webhook authority";

/// A certificate authority that can sign leaves.
#[derive(Debug)]
pub struct Authority {
    certificate_pem: String,
    key: PrivateKey,
    validity: Validity,
}

/// Why an authority has to be made anew.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// A part of the pair is absent.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// The certificate cannot be read.
    #[error("the certificate is not a readable PEM certificate")]
    UnreadableCertificate,
    /// The private key cannot be read.
    #[error("the private key is not a readable PEM key")]
    UnreadableKey,
    /// The key does not belong to the certificate.
    #[error("the private key does not belong to the certificate")]
    KeyMismatch,
    /// The certificate may not sign others.
    #[error("the certificate is not an authority that may sign certificates")]
    NotAnAuthority,
    /// The certificate's life has not begun.
    #[error("the certificate is not valid before {0}")]
    NotYetValid(Timestamp),
    /// The certificate's life is over.
    #[error("the certificate expired at {0}")]
    Expired(Timestamp),
    /// Less than a third of the certificate's life is left. It still works.
    #[error("less than a third of the certificate's life is left, renewal was due at {0}")]
    RenewalDue(Timestamp),
}

impl Reason {
    /// True when the authority still signs and verifies, so that renewal may wait.
    pub fn still_usable(&self) -> bool {
        matches!(self, Self::RenewalDue(_))
    }
}

/// Why an authority could not be made or used.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// No key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Signing the authority's own certificate failed.
    #[error("cannot sign the authority's certificate")]
    SignItself(#[source] rcgen::Error),
    /// The stored certificate does not serve as an issuer.
    #[error("cannot use the stored certificate as an issuer")]
    Issuer(#[source] rcgen::Error),
}

impl Authority {
    /// Makes a new authority whose life starts at `now`.
    pub fn generate(now: Timestamp) -> Result<Self, AuthorityError> {
        let key = PrivateKey::generate()?;
        let validity = Validity::starting(now, AUTHORITY_LIFE);
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, COMMON_NAME);
        params.serial_number = Some(random_serial());
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        validity.write(&mut params);
        let certificate = params.self_signed(key.pair()).map_err(AuthorityError::SignItself)?;
        Ok(Self { certificate_pem: certificate.pem(), key, validity })
    }

    /// Reads an authority from its PEM pair, or says why this pair is none at `now`. A pair that is only due
    /// for renewal is returned: ask [`Authority::renew_at`] about that.
    pub fn load(certificate_pem: &str, key_pem: &str, now: Timestamp) -> Result<Self, Reason> {
        let (_, pem) = x509_parser::pem::parse_x509_pem(certificate_pem.as_bytes())
            .map_err(|_| Reason::UnreadableCertificate)?;
        let certificate = pem.parse_x509().map_err(|_| Reason::UnreadableCertificate)?;
        let key = PrivateKey::from_pem(key_pem).map_err(|_| Reason::UnreadableKey)?;
        if certificate.public_key().subject_public_key.data.as_ref() != key.pair().public_key_raw() {
            return Err(Reason::KeyMismatch);
        }
        let may_sign = matches!(certificate.key_usage(), Ok(Some(usage)) if usage.value.key_cert_sign());
        if !certificate.is_ca() || !may_sign {
            return Err(Reason::NotAnAuthority);
        }
        let validity = Validity::of(&certificate);
        if now < validity.not_before {
            return Err(Reason::NotYetValid(validity.not_before));
        }
        if now >= validity.not_after {
            return Err(Reason::Expired(validity.not_after));
        }
        // Only the certificate that was judged is kept: whatever follows it in the text is not ours to sign with.
        Ok(Self { certificate_pem: first_block(certificate_pem).to_owned(), key, validity })
    }

    /// The certificate as PEM text.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The private key.
    pub fn key(&self) -> &PrivateKey {
        &self.key
    }

    /// When the certificate expires.
    pub fn not_after(&self) -> Timestamp {
        self.validity.not_after
    }

    /// When a third of the authority's life is left.
    pub fn renew_at(&self) -> Timestamp {
        self.validity.renew_at()
    }

    pub(crate) fn issuer(&self) -> Result<Issuer<'_, &KeyPair>, AuthorityError> {
        Issuer::from_ca_cert_pem(&self.certificate_pem, self.key.pair()).map_err(AuthorityError::Issuer)
    }
}

/// Says why the pair must be replaced at `now`, or `None` when it is good for a while.
pub fn needs_regeneration(certificate_pem: &str, key_pem: &str, now: Timestamp) -> Option<Reason> {
    match Authority::load(certificate_pem, key_pem, now) {
        Err(reason) => Some(reason),
        Ok(authority) if now >= authority.renew_at() => Some(Reason::RenewalDue(authority.renew_at())),
        Ok(_) => None,
    }
}

/// A random serial number of 128 bits, so that two replicas never issue the same one.
pub(crate) fn random_serial() -> SerialNumber {
    SerialNumber::from_slice(&rand::random::<[u8; 16]>())
}

/// Reads the period of validity of a DER certificate.
pub(crate) fn validity_of(der: &[u8]) -> Option<Validity> {
    X509Certificate::from_der(der).ok().map(|(_, certificate)| Validity::of(&certificate))
}

fn first_block(pem: &str) -> &str {
    const END: &str = "-----END CERTIFICATE-----";
    pem.find(END).map_or(pem, |at| &pem[..at + END.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-05-01T12:00:00Z".parse().unwrap()
    }

    fn days(n: i64) -> SignedDuration {
        SignedDuration::from_hours(24 * n)
    }

    fn verdict(at: Timestamp) -> Option<Reason> {
        let made = Authority::generate(now()).unwrap();
        needs_regeneration(made.certificate_pem(), &made.key().to_pem(), at)
    }

    #[test]
    fn a_fresh_authority_is_good_and_reloads() {
        let made = Authority::generate(now()).unwrap();
        let read = Authority::load(made.certificate_pem(), &made.key().to_pem(), now()).unwrap();
        assert_eq!(read.not_after(), now() + days(365));
        assert_eq!(read.not_after(), made.not_after());
        assert_eq!(needs_regeneration(made.certificate_pem(), &made.key().to_pem(), now()), None);
    }

    #[test]
    fn life_ends_in_three_steps() {
        assert_eq!(verdict(now() + days(240)), None);
        assert!(matches!(verdict(now() + days(250)), Some(Reason::RenewalDue(_))));
        assert!(matches!(verdict(now() + days(366)), Some(Reason::Expired(_))));
        assert!(matches!(verdict(now() - days(1)), Some(Reason::NotYetValid(_))));
        assert_eq!(verdict(now() - SignedDuration::from_mins(4)), None, "the start is backdated");
    }

    #[test]
    fn foreign_or_broken_parts_are_told_apart() {
        let one = Authority::generate(now()).unwrap();
        let two = Authority::generate(now()).unwrap();
        let key = one.key().to_pem();
        let says = |cert: &str, key: &str| needs_regeneration(cert, key, now());
        assert_eq!(says(one.certificate_pem(), &two.key().to_pem()), Some(Reason::KeyMismatch));
        assert_eq!(says("", &key), Some(Reason::UnreadableCertificate));
        assert_eq!(says(&one.certificate_pem()[..200], &key), Some(Reason::UnreadableCertificate));
        assert_eq!(says(one.certificate_pem(), "key"), Some(Reason::UnreadableKey));
    }

    #[test]
    fn a_leaf_is_no_authority() {
        let authority = Authority::generate(now()).unwrap();
        let key = PrivateKey::generate().unwrap();
        let leaf = CertificateParams::new(vec!["x.example".to_owned()])
            .unwrap()
            .signed_by(key.pair(), &authority.issuer().unwrap())
            .unwrap();
        assert_eq!(needs_regeneration(&leaf.pem(), &key.to_pem(), now()), Some(Reason::NotAnAuthority));
    }

    #[test]
    fn the_certificate_is_what_the_checklist_says() {
        let authority = Authority::generate(now()).unwrap();
        let (_, pem) = x509_parser::pem::parse_x509_pem(authority.certificate_pem().as_bytes()).unwrap();
        let certificate = pem.parse_x509().unwrap();
        let constraints = certificate.basic_constraints().unwrap().unwrap();
        assert!(constraints.critical && constraints.value.ca);
        assert_eq!(constraints.value.path_len_constraint, Some(0));
        assert!(certificate.raw_serial().len() >= 14, "{}", certificate.raw_serial_as_string());
        assert_eq!(certificate.signature_algorithm.algorithm.to_id_string(), "1.2.840.10045.4.3.2");
    }
}
