//! The leaf certificate that a replica serves with. It is issued in memory, and never outlives its authority.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyUsagePurpose, SanType,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use crate::authority::{Authority, AuthorityError, random_serial};
use crate::bundle::pem_block;
use crate::dates::Validity;
use crate::key::{KeyError, PrivateKey};
use crate::names::Names;

/// How long a leaf is valid at most.
pub const LEAF_LIFE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A server certificate with its key.
#[derive(Debug)]
pub struct Leaf {
    certificate: CertificateDer<'static>,
    key: PrivateKey,
    validity: Validity,
}

/// Why no leaf could be issued.
#[derive(Debug, thiserror::Error)]
pub enum LeafError {
    /// The caller gave no name.
    #[error("a server certificate needs at least one DNS name or address")]
    NoNames,
    /// The authority has expired.
    #[error("the authority expired at {0}")]
    AuthorityExpired(Timestamp),
    /// A name is not allowed in a certificate.
    #[error("`{name}` cannot be a DNS name of a certificate")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        #[source]
        source: rcgen::Error,
    },
    /// There is no usable key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The authority cannot sign.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// Signing failed.
    #[error("cannot sign the server certificate")]
    Sign(#[source] rcgen::Error),
    /// The TLS library refused the pair.
    #[error("cannot load the server certificate into the TLS library")]
    Load(#[source] rustls::Error),
}

impl Leaf {
    /// Issues a leaf for `names`, valid from `now` for [`LEAF_LIFE`] or until the authority ends.
    pub fn issue(authority: &Authority, names: &Names, now: Timestamp) -> Result<Self, LeafError> {
        if names.is_empty() {
            return Err(LeafError::NoNames);
        }
        if now >= authority.not_after() {
            return Err(LeafError::AuthorityExpired(authority.not_after()));
        }
        let mut validity = Validity::starting(now, LEAF_LIFE);
        validity.not_after = validity.not_after.min(authority.not_after());

        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "sojourn webhook");
        params.serial_number = Some(random_serial());
        params.subject_alt_names = subject_alt_names(names)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        validity.write(&mut params);

        let key = PrivateKey::generate()?;
        let certificate = params.signed_by(key.pair(), &authority.issuer()?).map_err(LeafError::Sign)?;
        Ok(Self { certificate: certificate.der().clone(), key, validity })
    }

    /// When the leaf expires.
    pub fn not_after(&self) -> Timestamp {
        self.validity.not_after
    }

    /// When a third of the leaf's lifetime is left, and a new leaf has to be issued.
    pub fn renew_at(&self) -> Timestamp {
        self.validity.renew_at()
    }

    /// The certificate in DER form, for comparison with the one that the port serves.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The certificate as PEM text.
    pub fn to_pem(&self) -> String {
        pem_block(&self.certificate)
    }

    /// The private key.
    pub fn key(&self) -> &PrivateKey {
        &self.key
    }

    /// Certificate and key in the form of the TLS library. The authority is not part of the chain: clients have it in
    /// their bundle.
    pub fn certified_key(&self) -> Result<Arc<CertifiedKey>, LeafError> {
        let key = PrivateKeyDer::Pkcs8(self.key.pair().serialize_der().into());
        let provider = rustls::crypto::ring::default_provider();
        CertifiedKey::from_der(vec![self.certificate.clone()], key, &provider)
            .map(Arc::new)
            .map_err(LeafError::Load)
    }
}

fn subject_alt_names(names: &Names) -> Result<Vec<SanType>, LeafError> {
    let dns = names.dns().map(|name| {
        let checked = name.try_into().map_err(|source| LeafError::Name { name: name.to_owned(), source })?;
        Ok(SanType::DnsName(checked))
    });
    dns.chain(names.ips().map(|ip| Ok(SanType::IpAddress(ip)))).collect()
}

#[cfg(test)]
mod tests {
    use x509_parser::prelude::FromDer;

    use super::*;

    fn now() -> Timestamp {
        "2026-05-01T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_leaf_lives_thirty_days_and_is_renewed_with_a_third_left() {
        let authority = Authority::generate(now()).unwrap();
        let leaf = Leaf::issue(&authority, &Names::loopback(), now()).unwrap();
        assert_eq!(leaf.not_after(), now() + LEAF_LIFE);
        let left = leaf.not_after().duration_since(leaf.renew_at());
        assert!(left > SignedDuration::from_hours(240) && left < SignedDuration::from_hours(264), "{left}");
    }

    #[test]
    fn a_leaf_never_outlives_its_authority() {
        let authority = Authority::generate(now()).unwrap();
        let late = authority.not_after() - SignedDuration::from_hours(5);
        let leaf = Leaf::issue(&authority, &Names::loopback(), late).unwrap();
        assert_eq!(leaf.not_after(), authority.not_after());
        let after = authority.not_after() + SignedDuration::from_secs(1);
        assert!(matches!(
            Leaf::issue(&authority, &Names::loopback(), after),
            Err(LeafError::AuthorityExpired(_))
        ));
    }

    #[test]
    fn a_leaf_names_every_spelling_of_the_service() {
        let authority = Authority::generate(now()).unwrap();
        let names = Names::service("hook", "ns", "cluster.local").and(Names::loopback());
        let leaf = Leaf::issue(&authority, &names, now()).unwrap();
        let (_, parsed) = x509_parser::prelude::X509Certificate::from_der(leaf.certificate()).unwrap();
        let sans = format!("{:?}", parsed.subject_alternative_name().unwrap().unwrap().value);
        for name in
            ["\"hook\"", "\"hook.ns\"", "\"hook.ns.svc\"", "\"hook.ns.svc.cluster.local\"", "[127, 0, 0, 1]"]
        {
            assert!(sans.contains(name), "{name} not in {sans}");
        }
    }

    #[test]
    fn a_leaf_without_names_is_refused() {
        let authority = Authority::generate(now()).unwrap();
        assert!(matches!(Leaf::issue(&authority, &Names::default(), now()), Err(LeafError::NoNames)));
    }
}
