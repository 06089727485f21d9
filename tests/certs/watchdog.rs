//! Shakes hands with every replica all the time, trusting nothing but what each webhook publishes at that moment:
//! the question that a new connection of an API server asks.

use crate::installation::Installation;
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use sojourn_certs::Bundle;
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{net::TcpStream, task::JoinSet};
use tokio_rustls::TlsConnector;

#[derive(Debug, Default)]
struct Seen {
    handshakes: u64,
    certificates: BTreeSet<Vec<u8>>,
    refused: Vec<String>,
}

/// A watch over the replicas, until it is ended.
pub(crate) struct Watchdog {
    seen: Arc<Mutex<Seen>>,
    _tasks: JoinSet<()>,
}

/// Shakes hands with a port, and returns the certificate that it shows.
pub(crate) async fn shake(port: u16, bundle: &Bundle) -> Result<Vec<u8>, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(bundle.certificates());
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let stream = TcpStream::connect(("127.0.0.1", port)).await.map_err(|error| error.to_string())?;
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    let stream = stream.map_err(|error| error.to_string())?;
    Ok(stream.get_ref().1.peer_certificates().unwrap()[0].to_vec())
}

impl Watchdog {
    /// Watches the replicas at these ports from now on.
    pub(crate) fn start(installation: &Arc<Installation>, ports: &[u16]) -> Self {
        let seen = Arc::<Mutex<Seen>>::default();
        let mut tasks = JoinSet::new();
        for port in ports.iter().copied() {
            let (installation, seen) = (installation.clone(), seen.clone());
            tasks.spawn(async move {
                loop {
                    // A blanked bundle is none: nobody can be believed then.
                    let bundles = installation.published().await;
                    for bundle in bundles.into_iter().filter(|bundle| !bundle.is_empty()) {
                        let shaken = shake(port, &bundle).await;
                        let mut seen = seen.lock().unwrap();
                        seen.handshakes += 1;
                        match shaken {
                            Ok(certificate) => drop(seen.certificates.insert(certificate)),
                            Err(error) => seen.refused.push(format!("port {port}: {error}")),
                        }
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            });
        }
        Self { seen, _tasks: tasks }
    }

    /// Ends the watch, in which everybody must have been believed. Returns how many certificates were shown, and how
    /// often hands were shaken.
    pub(crate) fn ends_without_a_doubt(self) -> (usize, u64) {
        let seen = self.seen.lock().unwrap();
        assert!(seen.refused.is_empty(), "of {} handshakes: {:#?}", seen.handshakes, seen.refused);
        (seen.certificates.len(), seen.handshakes)
    }
}
