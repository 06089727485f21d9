//! A handshake with the webhook server, as the API server makes it: the server must show a certificate that the
//! `caBundle` of the configurations vouches for, for the name that the API server calls.

use super::facts::Handshake;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use std::{io, sync::Arc, time::Duration};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How long the server may take; the API server waits for five seconds at most.
const DEADLINE: Duration = Duration::from_secs(5);

/// Shakes hands with the server at `address` under `name`.
pub(super) async fn shake(address: (&str, u16), name: &str, bundle: &[u8]) -> Handshake {
    let mut roots = RootCertStore::empty();
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(bundle).flatten().collect();
    if roots.add_parsable_certificates(certificates).0 == 0 {
        return Handshake::NoBundle;
    }
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let Ok(name) = ServerName::try_from(name.to_owned()) else {
        return Handshake::Refused(format!("{name:?} is not a name that a certificate can have"));
    };
    let stream = match in_time(TcpStream::connect(address)).await {
        Ok(stream) => stream,
        Err(error) => return Handshake::Unreachable(error.to_string()),
    };
    match in_time(TlsConnector::from(Arc::new(config)).connect(name, stream)).await {
        Ok(_) => Handshake::Verified,
        Err(error) => Handshake::Refused(error.to_string()),
    }
}

async fn in_time<T>(action: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match tokio::time::timeout(DEADLINE, action).await {
        Ok(result) => result,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "no answer within 5 s")),
    }
}
