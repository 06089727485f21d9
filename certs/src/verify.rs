//! Verifies a served certificate as an API server does.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

use crate::bundle::Bundle;

/// Why a certificate does not verify.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// There is no certificate.
    #[error("there is no certificate")]
    Nothing,
    /// The name is not a valid server name.
    #[error("{0:?} is not the name of a server")]
    Name(String),
    /// The bundle cannot be used.
    #[error("the bundle holds no authority that a certificate can be verified with")]
    Bundle,
    /// The certificate is not trusted.
    #[error("{0}")]
    Refused(#[source] rustls::Error),
}

/// Verifies a chain, leaf first, against a bundle, for a server of that name at that time.
pub fn verify(
    chain: &[CertificateDer<'_>],
    bundle: &Bundle,
    name: &str,
    now: Timestamp,
) -> Result<(), VerifyError> {
    let (leaf, intermediates) = chain.split_first().ok_or(VerifyError::Nothing)?;
    let name = ServerName::try_from(name).map_err(|_| VerifyError::Name(name.to_owned()))?;
    let seconds = u64::try_from(now.as_second()).unwrap_or_default();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(bundle.certificates());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|_| VerifyError::Bundle)?;
    verifier.verify_server_cert(leaf, intermediates, &name, &[], now).map(drop).map_err(VerifyError::Refused)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::{Authority, Leaf, Names};

    #[test]
    fn what_an_api_server_would_refuse_is_refused() {
        let now: Timestamp = "2026-05-01T12:00:00Z".parse().unwrap();
        let (authority, other) = (Authority::generate(now).unwrap(), Authority::generate(now).unwrap());
        let leaf = Leaf::issue(&authority, &Names::service("hook", "ns", "cluster.local"), now).unwrap();
        let bundle = |authority: &Authority| Bundle::default().with(authority.certificate());
        let ask = |bundle: &Bundle, name: &str, days: i64| {
            let at = now + SignedDuration::from_hours(24 * days);
            verify(&[leaf.certificate().clone()], bundle, name, at).map_err(|error| error.to_string())
        };
        assert_eq!(ask(&bundle(&authority), "hook.ns.svc", 0), Ok(()));
        assert_eq!(ask(&bundle(&other).merge(&bundle(&authority)), "hook.ns.svc", 0), Ok(()));
        assert!(ask(&bundle(&other), "hook.ns.svc", 0).is_err());
        assert!(ask(&bundle(&authority), "hook.other.svc", 0).unwrap_err().contains("not valid for name"));
        assert!(ask(&bundle(&authority), "hook.ns.svc", 31).unwrap_err().contains("expired"));
        assert!(ask(&bundle(&authority), "hook.ns.svc", -3).unwrap_err().contains("not valid yet"));
        assert!(ask(&Bundle::default(), "hook.ns.svc", 0).unwrap_err().contains("no authority"));
        assert!(ask(&bundle(&authority), "a b", 0).unwrap_err().contains("not the name"));
        assert!(matches!(verify(&[], &bundle(&authority), "hook", now), Err(VerifyError::Nothing)));
    }
}
