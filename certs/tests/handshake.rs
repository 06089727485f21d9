//! Real handshakes over loopback: what a client that trusts our bundle accepts, and what it refuses.

#![allow(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use sojourn_certs::{Authority, CertResolver, Leaf, Names, server_config};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

struct Served {
    resolver: Arc<CertResolver>,
    address: std::net::SocketAddr,
}

async fn serve() -> Served {
    let resolver = Arc::new(CertResolver::default());
    let acceptor = TlsAcceptor::from(server_config(Arc::clone(&resolver)).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A refused handshake is the client's to report.
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    tokio::io::AsyncWriteExt::shutdown(&mut stream).await.ok();
                }
            });
        }
    });
    Served { resolver, address }
}

fn client(trusted: &[&Authority], version: &'static SupportedProtocolVersion, alpn: &[&str]) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    for authority in trusted {
        roots.add(CertificateDer::from_pem_slice(authority.certificate_pem().as_bytes()).unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

async fn connect(served: &Served, client: &TlsConnector, host: &str) -> Result<Option<Vec<u8>>, String> {
    let stream = TcpStream::connect(served.address).await.unwrap();
    let host = ServerName::try_from(host.to_owned()).unwrap();
    let stream = client.connect(host, stream).await.map_err(|error| error.to_string())?;
    Ok(stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec))
}

fn names() -> Names {
    Names::service("hook", "sessions", "cluster.local").and(Names::loopback())
}

fn leaf_at(authority: &Authority, at: Timestamp) -> Arc<rustls::sign::CertifiedKey> {
    Leaf::issue(authority, &names(), at).unwrap().certified_key().unwrap()
}

#[tokio::test]
async fn both_protocol_versions_and_all_names_are_served() {
    let authority = Authority::generate(Timestamp::now()).unwrap();
    let served = serve().await;
    served.resolver.set(leaf_at(&authority, Timestamp::now()));
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        for host in ["hook.sessions.svc", "hook.sessions.svc.cluster.local", "127.0.0.1", "localhost"] {
            let got = connect(&served, &client(&[&authority], version, &["http/1.1"]), host).await;
            assert_eq!(got, Ok(Some(b"http/1.1".to_vec())), "{host} {version:?}");
        }
    }
    let both = client(&[&authority], &rustls::version::TLS13, &["h2", "http/1.1"]);
    assert_eq!(connect(&served, &both, "127.0.0.1").await, Ok(Some(b"h2".to_vec())));
}

#[tokio::test]
async fn wrong_host_wrong_authority_and_expired_leaf_are_refused() {
    let (authority, other) =
        (Authority::generate(Timestamp::now()).unwrap(), Authority::generate(Timestamp::now()).unwrap());
    let served = serve().await;
    served.resolver.set(leaf_at(&authority, Timestamp::now()));
    let good = client(&[&authority], &rustls::version::TLS13, &[]);
    assert!(connect(&served, &good, "other.sessions.svc").await.unwrap_err().contains("not valid for name"));
    let stranger = client(&[&other], &rustls::version::TLS13, &[]);
    assert!(connect(&served, &stranger, "127.0.0.1").await.is_err());

    let past = Timestamp::now() - SignedDuration::from_hours(24 * 60);
    let old = Authority::generate(past).unwrap();
    served.resolver.set(leaf_at(&old, past));
    let trusting = client(&[&old], &rustls::version::TLS13, &[]);
    assert!(connect(&served, &trusting, "127.0.0.1").await.unwrap_err().contains("expired"));
}

#[tokio::test]
async fn nothing_is_served_before_a_certificate_is_set_and_a_swap_needs_no_restart() {
    let now = Timestamp::now();
    let (first, second) = (Authority::generate(now).unwrap(), Authority::generate(now).unwrap());
    let served = serve().await;
    let trusts_first = client(&[&first], &rustls::version::TLS13, &[]);
    let trusts_second = client(&[&second], &rustls::version::TLS13, &[]);
    let trusts_both = client(&[&first, &second], &rustls::version::TLS13, &[]);
    assert!(connect(&served, &trusts_both, "localhost").await.is_err());
    served.resolver.set(leaf_at(&first, now));
    assert!(connect(&served, &trusts_first, "localhost").await.is_ok());
    assert!(connect(&served, &trusts_both, "localhost").await.is_ok());
    served.resolver.set(leaf_at(&second, now));
    assert!(connect(&served, &trusts_second, "localhost").await.is_ok());
    assert!(connect(&served, &trusts_first, "localhost").await.is_err());
    assert!(connect(&served, &trusts_both, "localhost").await.is_ok());
}
