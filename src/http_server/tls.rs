//! TLS of a port: its certificate, and the clients that are authenticated by theirs.
//!
//! A port that authenticates clients requests a certificate from each, and requires none: what is served beside the
//! webhooks has clients without one. The authorities of clients can be replaced at any time. The configuration is
//! replaced as a whole then, because it names them to clients.

use arc_swap::{ArcSwap, ArcSwapOption};
use rustls::{ServerConfig, pki_types::UnixTime};
use sojourn_certs::{
    CertResolver, ClientAuthorities, ClientChain,
    server::{ServerConfigError, authenticating_config, server_config},
};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// The TLS of one port.
pub struct PortTls {
    resolver: Arc<CertResolver>,
    config: ArcSwap<ServerConfig>,
    authenticates: bool,
    authorities: ArcSwapOption<ClientAuthorities>,
}

impl PortTls {
    /// A port that authenticates no client.
    pub fn new(resolver: Arc<CertResolver>) -> Result<Self, ServerConfigError> {
        let config = ArcSwap::new(server_config(resolver.clone())?);
        Ok(Self { resolver, config, authenticates: false, authorities: ArcSwapOption::empty() })
    }

    /// A port that authenticates clients, and none before [`Self::set_authorities`].
    pub fn authenticating(resolver: Arc<CertResolver>) -> Result<Self, ServerConfigError> {
        Ok(Self { authenticates: true, ..Self::new(resolver)? })
    }

    /// Authenticates the clients that `authorities` vouch for, and no others, from now on.
    pub fn set_authorities(&self, authorities: ClientAuthorities) -> Result<(), ServerConfigError> {
        let config = authenticating_config(self.resolver.clone(), &authorities)?;
        self.authorities.store(Some(Arc::new(authorities)));
        self.config.store(config);
        Ok(())
    }

    /// The authorities of clients.
    pub(crate) fn authorities(&self) -> Option<Arc<ClientAuthorities>> {
        self.authorities.load_full()
    }

    /// Holds the certificate of the port.
    pub(crate) fn resolver(&self) -> &Arc<CertResolver> {
        &self.resolver
    }

    /// Whether clients are authenticated at all.
    pub(crate) fn authenticates_clients(&self) -> bool {
        self.authenticates
    }

    /// Whether a client is one that the authorities vouch for.
    pub(crate) fn is_authenticated(&self, client: &ClientChain) -> bool {
        let authorities = self.authorities.load();
        authorities.as_ref().is_some_and(|authorities| client.is_vouched_for_by(authorities, UnixTime::now()))
    }

    /// The settings of the next handshake.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.config.load_full().into()
    }
}
