//! A certificate and its key, in two files that another program maintains. They are checked before they are served.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;

use crate::dates::Validity;
use crate::fingerprint::Fingerprint;

/// A chain and its key that can be served.
#[derive(Clone)]
pub struct Pair {
    key: Arc<CertifiedKey>,
    validity: Validity,
}

/// Why a pair cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum JudgePairError {
    /// There is no certificate.
    #[error("the certificate file holds no readable PEM certificate")]
    NoCertificate,
    /// There is no key.
    #[error("the key file holds no readable PEM private key")]
    NoKey,
    /// Certificate and key do not belong together, or are of an unknown kind.
    #[error("certificate and key do not fit together: {0}")]
    Mismatch(#[source] rustls::Error),
    /// The certificate is for another server.
    #[error("the certificate is not valid for {0}, the name that API servers call")]
    Name(String),
    /// The certificate is not valid yet.
    #[error("the certificate is not valid before {0}")]
    NotYetValid(Timestamp),
    /// The certificate has expired.
    #[error("the certificate expired at {0}")]
    Expired(Timestamp),
}

impl Pair {
    /// Checks the content of both files for a server of this name at `now`. Intermediate certificates may follow the
    /// certificate.
    pub fn read(certificate: &[u8], key: &[u8], name: &str, now: Timestamp) -> Result<Self, JudgePairError> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate)
            .collect::<Result<_, _>>()
            .map_err(|_| JudgePairError::NoCertificate)?;
        let leaf = chain.first().ok_or(JudgePairError::NoCertificate)?.clone();
        let validity = Validity::of_der(&leaf).ok_or(JudgePairError::NoCertificate)?;
        let parsed = ParsedCertificate::try_from(&leaf).map_err(|_| JudgePairError::NoCertificate)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| JudgePairError::NoKey)?;
        let provider = rustls::crypto::ring::default_provider();
        let key = CertifiedKey::from_der(chain, key, &provider).map_err(JudgePairError::Mismatch)?;
        let other = || JudgePairError::Name(name.to_owned());
        let host = ServerName::try_from(name).map_err(|_| other())?;
        rustls::client::verify_server_name(&parsed, &host).map_err(|_| other())?;
        if now < validity.not_before {
            return Err(JudgePairError::NotYetValid(validity.not_before));
        }
        if now >= validity.not_after {
            return Err(JudgePairError::Expired(validity.not_after));
        }
        Ok(Self { key: Arc::new(key), validity })
    }

    /// Certificate and key in the form of the TLS library.
    pub fn certified_key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.key)
    }

    /// When the certificate expires.
    pub fn not_after(&self) -> Timestamp {
        self.validity.not_after
    }

    /// The fingerprint of the certificate.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.key.cert.first().map(|leaf| Fingerprint::of(leaf))
    }
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").field("validity", &self.validity).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::{Authority, Leaf, Names};

    fn now() -> Timestamp {
        "2026-05-01T12:00:00Z".parse().unwrap()
    }

    fn pair() -> (String, String) {
        let authority = Authority::generate(now()).unwrap();
        let names = Names::service("hook", "ns", "cluster.local");
        let leaf = Leaf::issue(&authority, &names, now()).unwrap();
        (leaf.to_pem() + authority.certificate_pem(), leaf.key().to_pem())
    }

    fn judge((certificate, key): &(String, String), name: &str, days: i64) -> Result<Pair, String> {
        let at = now() + SignedDuration::from_hours(24 * days);
        Pair::read(certificate.as_bytes(), key.as_bytes(), name, at).map_err(|error| error.to_string())
    }

    #[test]
    fn a_chain_with_its_key_is_served() {
        let pair = judge(&pair(), "hook.ns.svc", 0).unwrap();
        assert_eq!(pair.certified_key().cert.len(), 2);
        assert_eq!(pair.not_after(), now() + SignedDuration::from_hours(24 * 30));
        assert!(pair.fingerprint().is_some() && !format!("{pair:?}").contains("key"));
    }

    #[test]
    fn every_way_to_be_unfit_is_named() {
        let (one, two) = (pair(), pair());
        let refused = |pair: (&str, &str), name: &str, days: i64| {
            judge(&(pair.0.to_owned(), pair.1.to_owned()), name, days).unwrap_err()
        };
        assert!(refused((&one.0, &two.1), "hook.ns.svc", 0).contains("do not fit"));
        assert!(refused(("", &one.1), "hook.ns.svc", 0).contains("certificate file"));
        assert!(refused((&one.0[..300], &one.1), "hook.ns.svc", 0).contains("certificate file"));
        assert!(refused((&one.0, &one.1[..60]), "hook.ns.svc", 0).contains("key file"));
        assert!(refused((&one.0, &one.1), "other.ns.svc", 0).contains("not valid for other.ns.svc"));
        assert!(refused((&one.0, &one.1), "hook.ns.svc", 31).contains("expired"));
        assert!(refused((&one.0, &one.1), "hook.ns.svc", -4).contains("not valid before"));
    }
}
