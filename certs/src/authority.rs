//! The certificate authority. It is generated once and stored in a Secret, and every replica reads it.
//! [`Authority::usable`] says why one cannot be used.

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SerialNumber,
};

use crate::dates::Validity;
use crate::fingerprint::Fingerprint;
use crate::key::{KeyError, PrivateKey};

/// How long an authority is valid.
pub const AUTHORITY_LIFE: SignedDuration = SignedDuration::from_hours(365 * 24);

/// The authority's common name.
pub const COMMON_NAME: &str = "sojourn webhook authority";

/// A certificate authority that can sign leaves.
#[derive(Debug)]
pub struct Authority {
    certificate_pem: String,
    der: Vec<u8>,
    fingerprint: Fingerprint,
    key: PrivateKey,
    validity: Validity,
}

/// Why an authority has to be replaced.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// A part of the pair is missing.
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
    /// The certificate is not valid yet.
    #[error("the certificate is not valid before {0}")]
    NotYetValid(Timestamp),
    /// The certificate has expired.
    #[error("the certificate expired at {0}")]
    Expired(Timestamp),
}

/// Why an authority could not be generated or used.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// There is no usable key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Signing the authority's own certificate failed.
    #[error("cannot sign the authority's certificate")]
    SignItself(#[source] rcgen::Error),
    /// The stored certificate cannot be used as an issuer.
    #[error("cannot use the stored certificate as an issuer")]
    Issuer(#[source] rcgen::Error),
}

impl Authority {
    /// Generates a new authority that is valid from `now`.
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
        let der = certificate.der().to_vec();
        Ok(Self {
            certificate_pem: certificate.pem(),
            fingerprint: Fingerprint::of(&der),
            der,
            key,
            validity,
        })
    }

    /// Reads an authority from its PEM pair, or says why the pair is not one. It does not check dates; see
    /// [`Authority::usable`].
    pub fn read(certificate_pem: &str, key_pem: &str) -> Result<Self, Reason> {
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
        // Only the first certificate was checked, so the rest of the text is dropped.
        let certificate_pem = first_block(certificate_pem).to_owned();
        let der = pem.contents.clone();
        Ok(Self { certificate_pem, fingerprint: Fingerprint::of(&der), der, key, validity })
    }

    /// Returns why the authority cannot be used at `now`. An authority that is due for renewal can be used.
    pub fn usable(&self, now: Timestamp) -> Result<(), Reason> {
        if now < self.validity.not_before {
            return Err(Reason::NotYetValid(self.validity.not_before));
        }
        if now >= self.validity.not_after {
            return Err(Reason::Expired(self.validity.not_after));
        }
        Ok(())
    }

    /// The certificate in DER form.
    pub fn certificate(&self) -> &[u8] {
        &self.der
    }

    /// The fingerprint of the certificate.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint.clone()
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

    /// When a third of the authority's lifetime is left.
    pub fn renew_at(&self) -> Timestamp {
        self.validity.renew_at()
    }

    pub(crate) fn issuer(&self) -> Result<Issuer<'_, &KeyPair>, AuthorityError> {
        Issuer::from_ca_cert_pem(&self.certificate_pem, self.key.pair()).map_err(AuthorityError::Issuer)
    }
}

/// A random serial number of 128 bits, so that no two replicas issue the same one.
pub(crate) fn random_serial() -> SerialNumber {
    SerialNumber::from_slice(&rand::random::<[u8; 16]>())
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

    #[test]
    fn a_fresh_authority_is_good_and_is_read_back() {
        let made = Authority::generate(now()).unwrap();
        let read = Authority::read(made.certificate_pem(), &made.key().to_pem()).unwrap();
        assert_eq!(read.not_after(), now() + days(365));
        assert_eq!((read.not_after(), read.fingerprint()), (made.not_after(), made.fingerprint()));
        assert_eq!(read.usable(now()), Ok(()));
    }

    #[test]
    fn life_has_a_beginning_and_an_end() {
        let made = Authority::generate(now()).unwrap();
        assert!(now() + days(240) < made.renew_at() && made.renew_at() < now() + days(250));
        assert_eq!(made.usable(now() + days(364)), Ok(()));
        assert!(matches!(made.usable(now() + days(366)), Err(Reason::Expired(_))));
        assert_eq!(made.usable(now() - days(2)), Ok(()), "by a clock that is behind while another is ahead");
        assert!(matches!(made.usable(now() - days(3)), Err(Reason::NotYetValid(_))));
    }

    #[test]
    fn foreign_or_broken_parts_are_told_apart() {
        let one = Authority::generate(now()).unwrap();
        let two = Authority::generate(now()).unwrap();
        let key = one.key().to_pem();
        let says = |cert: &str, key: &str| Authority::read(cert, key).err();
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
        assert_eq!(Authority::read(&leaf.pem(), &key.to_pem()).err(), Some(Reason::NotAnAuthority));
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
