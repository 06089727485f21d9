//! TLS for the server: a resolver whose certificate can be replaced while connections are open, and the configuration
//! that uses it.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ConfigBuilder, ServerConfig, WantsVerifier};

use crate::clients::ClientAuthorities;

/// Returns the certificate that was set last. A replacement affects new connections only. Before the first one is set,
/// handshakes are refused.
#[derive(Default)]
pub struct CertResolver {
    current: ArcSwapOption<CertifiedKey>,
}

impl CertResolver {
    /// Serves `key` from now on.
    pub fn set(&self, key: Arc<CertifiedKey>) {
        self.current.store(Some(key));
    }

    /// The current certificate.
    pub fn current(&self) -> Option<Arc<CertifiedKey>> {
        self.current.load_full()
    }
}

impl ResolvesServerCert for CertResolver {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current()
    }
}

impl fmt::Debug for CertResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertResolver").field("loaded", &self.current.load().is_some()).finish()
    }
}

/// Why there is no TLS configuration.
#[derive(Debug, thiserror::Error)]
pub enum ServerConfigError {
    /// The library supports none of the protocol versions that we serve.
    #[error("cannot choose the TLS protocol versions")]
    ProtocolVersions(#[source] rustls::Error),
}

/// The server's TLS configuration: 1.3 and 1.2, HTTP/2 and HTTP/1.1, certificates from `resolver`. The provider is
/// explicit, so that the one that the process installed does not matter.
pub fn server_config(resolver: Arc<CertResolver>) -> Result<Arc<ServerConfig>, ServerConfigError> {
    let config = versions()?.with_no_client_auth().with_cert_resolver(resolver);
    Ok(Arc::new(with_protocols(config)))
}

/// The same for a server that requests certificates from its clients, and requires none: who shows one that
/// `authorities` do not vouch for is refused.
///
/// No TLS session is resumed. The client of a resumed one shows no certificate; the one it had may have expired.
pub fn authenticating_config(
    resolver: Arc<CertResolver>,
    authorities: &ClientAuthorities,
) -> Result<Arc<ServerConfig>, ServerConfigError> {
    let mut config =
        versions()?.with_client_cert_verifier(authorities.verifier()).with_cert_resolver(resolver);
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(with_protocols(config)))
}

fn versions() -> Result<ConfigBuilder<ServerConfig, WantsVerifier>, ServerConfigError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(ServerConfigError::ProtocolVersions)
}

fn with_protocols(mut config: ServerConfig) -> ServerConfig {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}
