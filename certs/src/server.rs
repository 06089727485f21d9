//! TLS for the server: a resolver whose certificate can be replaced while connections are open, and the configuration
//! that uses it.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

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
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(ServerConfigError::ProtocolVersions)?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
