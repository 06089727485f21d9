//! A port whose webhooks answer authenticated clients only, and whose APIs answer those with a token.

use crate::{
    client::{Identity, Protocol, Target},
    good_review, guard, path,
};
use axum::{Router, http::HeaderMap, routing::get};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rstest::rstest;
use sojourn::{
    http_server::tls::PortTls,
    serve::webhooks::{PortLimits, serve_port},
};
use sojourn_certs::{Authority, CertResolver, ClientAuthorities, Leaf, Names};
use sojourn_webhooks::http::authenticated_router;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// An authority of clients.
struct Signer {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Signer {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    fn authorities(&self) -> ClientAuthorities {
        ClientAuthorities::read(self.pem.as_bytes()).unwrap()
    }

    fn client(&self) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

struct Port {
    tls: Arc<PortTls>,
    target: Target,
    _stop: DropGuard,
}

impl Port {
    async fn start() -> Self {
        let now = Timestamp::now();
        let authority = Authority::generate(now).unwrap();
        let leaf = Leaf::issue(&authority, &Names::loopback(), now).unwrap();
        let resolver = Arc::new(CertResolver::default());
        resolver.set(leaf.certified_key().unwrap());
        let tls = Arc::new(PortTls::authenticating(resolver).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = Target::new(listener.local_addr().unwrap(), authority.certificate_pem());
        let stop = CancellationToken::new();
        let log = async |headers: HeaderMap| headers["authorization"].to_str().unwrap().to_owned();
        let routes = authenticated_router(guard()).merge(Router::new().route("/log", get(log)));
        tokio::spawn(serve_port(listener, tls.clone(), routes, PortLimits::default(), stop.clone()));
        Self { tls, target, _stop: stop.drop_guard() }
    }
}

#[rstest]
#[tokio::test]
async fn the_webhooks_answer_authenticated_clients_and_the_apis_everybody(
    #[values(Protocol::Http1, Protocol::Http2)] protocol: Protocol,
) {
    let port = Port::start().await;
    let signer = Signer::new();
    let known = port.target.shown_by(signer.client());
    let post = async |target: &Target| {
        let mut client = target.connect(protocol).await.unwrap();
        client.post(&path(), "application/json", good_review()).await.map(|(status, _)| status).ok()
    };
    assert_eq!(post(&known).await, Some(401), "no authority is known yet");
    port.tls.set_authorities(signer.authorities()).unwrap();
    assert_eq!(post(&port.target).await, Some(401));
    assert_eq!(post(&known).await, Some(200));
    let stranger = port.target.shown_by(Signer::new().client());
    let refused = match stranger.connect(protocol).await {
        Ok(mut client) => client.post(&path(), "application/json", good_review()).await.is_err(),
        Err(_) => true,
    };
    assert!(refused, "its authority is unknown");
    let mut client = port.target.connect(protocol).await.unwrap();
    let log = client.get("/log", "alice").await.unwrap();
    let log = log.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(log, "Bearer alice");
}

#[rstest]
#[tokio::test]
async fn an_open_connection_is_a_stranger_under_other_authorities(
    #[values(Protocol::Http1, Protocol::Http2)] protocol: Protocol,
) {
    let port = Port::start().await;
    let (one, other) = (Signer::new(), Signer::new());
    port.tls.set_authorities(one.authorities()).unwrap();
    let mut client = port.target.shown_by(one.client()).connect(protocol).await.unwrap();
    let mut post = async || client.post(&path(), "application/json", good_review()).await.unwrap().0;
    assert_eq!(post().await, 200);
    port.tls.set_authorities(other.authorities()).unwrap();
    assert_eq!(post().await, 401);
    port.tls.set_authorities(one.authorities()).unwrap();
    assert_eq!(post().await, 200);
}
