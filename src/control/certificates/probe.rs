//! Dials the own port as an API server would: trusting the live bundle only.

use super::Clock;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{InvalidDnsNameError, ServerName, UnixTime},
    time_provider::TimeProvider,
};
use sojourn_certs::Bundle;
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const DEADLINE: Duration = Duration::from_secs(5);

/// An API server would not trust the own port.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialSelfError {
    /// The name cannot be one of a server.
    #[error("the name that API servers call: {0}")]
    Name(#[from] InvalidDnsNameError),
    /// The TLS settings do not fit together.
    #[error("the TLS settings of a client: {0}")]
    Settings(#[from] rustls::Error),
    /// The connection or the TLS handshake failed.
    #[error("our own port: {0}")]
    Shake(#[from] io::Error),
    /// There is no answer.
    #[error("our own port does not answer within {DEADLINE:?}")]
    Timeout,
}

#[derive(Debug)]
struct Time(Clock);

impl TimeProvider for Time {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.now().as_second()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

/// Dials the own port once for each of the bundles.
pub(super) async fn dial(
    listener: SocketAddr,
    name: &str,
    bundles: &[Bundle],
    clock: Clock,
) -> Result<(), DialSelfError> {
    let name = ServerName::try_from(name.to_owned())?;
    for bundle in bundles {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(bundle.certificates());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_details(provider, Arc::new(Time(clock)))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let shake = async {
            let stream = TcpStream::connect(reachable(listener)).await?;
            TlsConnector::from(Arc::new(config)).connect(name.clone(), stream).await
        };
        tokio::time::timeout(DEADLINE, shake).await.map_err(|_| DialSelfError::Timeout)??;
    }
    Ok(())
}

/// Where a listener can be reached from its own machine.
fn reachable(listener: SocketAddr) -> SocketAddr {
    let ip = match listener.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listener.port())
}
