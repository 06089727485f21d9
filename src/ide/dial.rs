//! Connecting to an endpoint: resolve, check the addresses, connect to a checked one, TLS. No proxy is used.

use super::{
    egress::{Egress, EgressError},
    endpoint::{Endpoint, Host, Origin},
    verify,
};
use futures::future::BoxFuture;
use rustls::CertificateError;
use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::either::Either;

/// Timeout for connecting to one address; the whole request has its own.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a connection is silent before TCP probes the peer.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// A connection to an endpoint.
pub(super) type Stream = Either<TcpStream, TlsStream<TcpStream>>;

/// Resolves host names, and knows the addresses of pods.
pub trait Lookup: Send + Sync + 'static {
    /// The addresses of a name.
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;

    /// Whether an address is that of a pod in `namespace`.
    fn is_pod_of(&self, namespace: &str, address: IpAddr) -> bool;
}

/// The resolver of the system, which knows no pods.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemLookup;

impl Lookup for SystemLookup {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
        })
    }

    fn is_pod_of(&self, _: &str, _: IpAddr) -> bool {
        false
    }
}

/// An endpoint cannot be connected to.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The name cannot be resolved.
    #[error("{host} cannot be resolved: {source}")]
    Resolve {
        /// Host of the endpoint.
        host: Host,
        /// Error of the system.
        source: io::Error,
    },
    /// The egress rules do not allow an address.
    #[error(transparent)]
    Egress(#[from] EgressError),
    /// The port is closed.
    #[error(
        "the connection to {host} at {address} was refused. An IDE must run in a pod, or be reached through a \
         tunnel that ends in a Service; a developer's machine cannot be reached from the cluster"
    )]
    Refused {
        /// Host of the endpoint.
        host: Host,
        /// Address that was tried.
        address: SocketAddr,
    },
    /// The address cannot be reached.
    #[error("{host} at {address} cannot be reached: {source}")]
    Connect {
        /// Host of the endpoint.
        host: Host,
        /// Address that was tried.
        address: SocketAddr,
        /// Error of the system.
        source: io::Error,
    },
    /// The certificate of the IDE is not trusted.
    #[error("the IDE cannot be trusted: {0}")]
    Trust(#[from] TrustError),
    /// TLS failed for another reason.
    #[error("TLS with the IDE failed: {0}")]
    Tls(#[source] io::Error),
}

/// The certificate of an IDE is not trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// It is not the pinned one.
    #[error("its certificate is not the one that it is known by")]
    Other,
    /// It is not for this name.
    #[error("its certificate is not for the name '{0}'")]
    Name(String),
    /// It has expired.
    #[error("its certificate has expired")]
    Expired,
    /// It is not valid yet.
    #[error("its certificate is not valid yet")]
    NotYet,
}

/// Opens connections to one endpoint.
pub(super) struct Dialer {
    endpoint: Arc<Endpoint>,
    egress: Egress,
    lookup: Arc<dyn Lookup>,
    tls: Option<TlsConnector>,
}

impl Dialer {
    pub(super) fn new(
        endpoint: Arc<Endpoint>,
        egress: Egress,
        lookup: Arc<dyn Lookup>,
    ) -> Result<Self, rustls::Error> {
        let tls = endpoint.tls.as_ref().map(verify::client_config).transpose()?;
        Ok(Self { endpoint, egress, lookup, tls: tls.map(|config| Arc::new(config).into()) })
    }

    /// A new connection.
    pub(super) async fn dial(&self) -> Result<Stream, DialError> {
        let addresses = self.addresses().await?;
        let stream = self.connect(&addresses).await?;
        let (Some(tls), Some(pinned)) = (&self.tls, &self.endpoint.tls) else {
            return Ok(Either::Left(stream));
        };
        let name = pinned.name.clone();
        let shaken = tls.connect(name.clone(), stream).await;
        shaken.map(Either::Right).map_err(|error| match distrust(&error, &name.to_str()) {
            Some(distrust) => distrust.into(),
            None => DialError::Tls(error),
        })
    }

    /// The addresses of the host, all of which are allowed.
    async fn addresses(&self) -> Result<Vec<IpAddr>, DialError> {
        let addresses = match &self.endpoint.host {
            Host::Ip(address) => vec![*address],
            Host::Name(name) => self
                .lookup
                .resolve(name)
                .await
                .map_err(|source| DialError::Resolve { host: self.endpoint.host.clone(), source })?,
        };
        let is_pod = |address| match &self.endpoint.origin {
            Origin::Environment => false,
            Origin::Secret { namespace } => self.lookup.is_pod_of(namespace, address),
        };
        self.egress.judge(&self.endpoint, &addresses, is_pod)?;
        Ok(addresses)
    }

    /// Connects to the first address that accepts.
    async fn connect(&self, addresses: &[IpAddr]) -> Result<TcpStream, DialError> {
        let mut failed = None;
        for address in addresses {
            let address = SocketAddr::new(*address, self.endpoint.port);
            let connected = tokio::time::timeout(CONNECT, TcpStream::connect(address)).await;
            match connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).and_then(prepared) {
                Ok(stream) => return Ok(stream),
                Err(source) => failed = Some(self.failed(address, source)),
            }
        }
        Err(failed.unwrap_or_else(|| EgressError::NoAddress(self.endpoint.host.clone()).into()))
    }

    fn failed(&self, address: SocketAddr, source: io::Error) -> DialError {
        let host = self.endpoint.host.clone();
        match source.kind() {
            io::ErrorKind::ConnectionRefused => DialError::Refused { host, address },
            _ => DialError::Connect { host, address, source },
        }
    }
}

/// Disables Nagle's algorithm, and enables TCP keepalive for protocol versions without pings.
fn prepared(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    let keepalive = socket2::TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
    socket2::SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
    Ok(stream)
}

fn distrust(error: &io::Error, name: &str) -> Option<TrustError> {
    let rustls::Error::InvalidCertificate(problem) = error.get_ref()?.downcast_ref()? else { return None };
    Some(match problem {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TrustError::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => TrustError::NotYet,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            TrustError::Name(name.to_owned())
        }
        _ => TrustError::Other,
    })
}
