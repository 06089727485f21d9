//! Clients that authenticate themselves by a certificate, and the authorities that vouch for them.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use crate::bundle::{Bundle, BundleError};

/// Authorities whose clients are authenticated.
#[derive(Clone)]
pub struct ClientAuthorities {
    bundle: Bundle,
    verifier: Arc<dyn ClientCertVerifier>,
}

/// A text cannot be used as authorities of clients.
#[derive(Debug, thiserror::Error)]
pub enum ReadClientAuthoritiesError {
    /// It is not a list of certificates.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// It is empty.
    #[error("the file holds no certificate")]
    Nothing,
    /// None of its certificates can be an authority.
    #[error("the certificates cannot be used as authorities: {0}")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

impl ClientAuthorities {
    /// Reads certificates in PEM form.
    pub fn read(pem: &[u8]) -> Result<Self, ReadClientAuthoritiesError> {
        let bundle = Bundle::parse(pem)?;
        if bundle.is_empty() {
            return Err(ReadClientAuthoritiesError::Nothing);
        }
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(bundle.certificates());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        // What is served beside the webhooks has clients without a certificate.
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .allow_unauthenticated()
            .build()?;
        Ok(Self { bundle, verifier })
    }

    /// True when both are the same certificates.
    pub fn same_as(&self, other: &Self) -> bool {
        self.bundle.same_as(&other.bundle)
    }

    /// The verifier for handshakes: it requests a certificate, and requires none.
    pub(crate) fn verifier(&self) -> Arc<dyn ClientCertVerifier> {
        self.verifier.clone()
    }

    /// Whether the authorities vouch for a chain at `now`, leaf first.
    fn vouch_for(&self, chain: &[CertificateDer<'_>], now: UnixTime) -> bool {
        let Some((leaf, intermediates)) = chain.split_first() else { return false };
        self.verifier.verify_client_cert(leaf, intermediates, now).is_ok()
    }
}

impl fmt::Debug for ClientAuthorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientAuthorities").field(&self.bundle.len()).finish()
    }
}

/// The certificates that a client showed in the handshake of its connection; none if it is anonymous.
#[derive(Debug, Default)]
pub struct ClientChain {
    certificates: Vec<CertificateDer<'static>>,
    /// The authorities that were found to vouch for it.
    voucher: ArcSwapOption<ClientAuthorities>,
}

impl ClientChain {
    /// What a client showed, leaf first.
    pub fn new(certificates: &[CertificateDer<'static>]) -> Self {
        Self { certificates: certificates.to_vec(), voucher: ArcSwapOption::empty() }
    }

    /// Whether `authorities` vouch for the client. A connection outlives a change of the authorities, so the handshake
    /// alone does not say. It is verified once for each of them.
    pub fn is_vouched_for_by(&self, authorities: &Arc<ClientAuthorities>, now: UnixTime) -> bool {
        let known = self.voucher.load().as_ref().is_some_and(|voucher| Arc::ptr_eq(voucher, authorities));
        if known {
            return true;
        }
        let vouched = authorities.vouch_for(&self.certificates, now);
        if vouched {
            self.voucher.store(Some(authorities.clone()));
        }
        vouched
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::{SignedDuration, Timestamp};
    use rcgen::{CertificateParams, ExtendedKeyUsagePurpose};

    use super::*;
    use crate::{Authority, Leaf, Names};

    fn now() -> Timestamp {
        "2026-05-01T12:00:00Z".parse().unwrap()
    }

    fn moment(days: i64) -> UnixTime {
        let at = now() + SignedDuration::from_hours(24 * days);
        UnixTime::since_unix_epoch(Duration::from_secs(at.as_second().try_into().unwrap()))
    }

    fn authorities(authority: &Authority) -> Arc<ClientAuthorities> {
        Arc::new(ClientAuthorities::read(authority.certificate_pem().as_bytes()).unwrap())
    }

    /// The chain of a client of `authority`, valid for 30 days.
    fn client(authority: &Authority) -> ClientChain {
        let mut params = CertificateParams::default();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.not_before = rcgen::date_time_ymd(2026, 4, 1);
        params.not_after = rcgen::date_time_ymd(2026, 5, 31);
        let key = crate::PrivateKey::generate().unwrap();
        let certificate = params.signed_by(key.pair(), &authority.issuer().unwrap()).unwrap();
        ClientChain::new(&[certificate.der().clone()])
    }

    #[test]
    fn a_client_is_known_by_its_authority_and_while_that_is_one() {
        let (one, other) = (Authority::generate(now()).unwrap(), Authority::generate(now()).unwrap());
        let (known, replaced) = (authorities(&one), authorities(&other));
        let chain = client(&one);
        assert!(chain.is_vouched_for_by(&known, moment(0)));
        assert!(chain.is_vouched_for_by(&known, moment(0)), "once is enough");
        assert!(!chain.is_vouched_for_by(&replaced, moment(0)), "the connection is older than the change");
        assert!(!client(&one).is_vouched_for_by(&known, moment(31)), "it has expired");
        assert!(!ClientChain::default().is_vouched_for_by(&known, moment(0)), "anonymous");
    }

    #[test]
    fn a_certificate_for_servers_is_none_of_a_client() {
        let authority = Authority::generate(now()).unwrap();
        let leaf = Leaf::issue(&authority, &Names::loopback(), now()).unwrap();
        let chain = ClientChain::new(&[leaf.certificate().clone()]);
        assert!(!chain.is_vouched_for_by(&authorities(&authority), moment(0)));
    }

    #[test]
    fn what_holds_no_authority_is_refused() {
        let authority = Authority::generate(now()).unwrap();
        let refused = |pem: &str| ClientAuthorities::read(pem.as_bytes()).unwrap_err().to_string();
        assert!(refused("").contains("no certificate"));
        assert!(refused(&authority.key().to_pem()).contains("not a certificate"));
        assert!(refused(&authority.certificate_pem()[..120]).contains("cannot read"));
        let debug = format!("{:?}", authorities(&authority));
        assert_eq!(debug, "ClientAuthorities(1)");
    }
}
