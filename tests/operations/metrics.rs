//! Secure metrics, scraped as Prometheus does: with the token of a service account, and without verifying the server.

use crate::{
    replica::free_port,
    stage::{Stage, must},
};
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::ring::default_provider,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use sojourn_cluster::eventually;
use std::sync::Arc;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Takes any certificate.
#[derive(Debug)]
struct Trusting;

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// What a scraper gets that shows `token`.
async fn scrape(port: u16, token: Option<&str>) -> String {
    let config = ClientConfig::builder()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Trusting))
        .with_no_client_auth();
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let mut stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    let token = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let request = format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\n{token}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    // The end of the connection may come without that of TLS.
    stream.read_to_string(&mut text).await.ok();
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_read_them_gets_metrics() {
    let stage = Stage::set().await;
    must(stage.upgrade(crate::stage::CHART, &["--set", "extraArgs={--metrics-secure}"]).await);
    let port = free_port();
    let bind = format!("--metrics-bind-address=127.0.0.1:{port}");
    let _replica = stage.replica(&["--metrics-secure", &bind]).await;
    stage.ready(1).await;
    must(stage.kubectl(&["create", "serviceaccount", "prometheus"]).await);
    must(stage.kubectl(&["create", "serviceaccount", "somebody"]).await);
    let role = ["--clusterrole=sojourn-metrics-reader", "--serviceaccount=default:prometheus"];
    must(stage.kubectl(&[&["create", "clusterrolebinding", "scrape"], &role[..]].concat()).await);
    let welcome = must(stage.kubectl(&["create", "token", "prometheus"]).await);
    let refused = must(stage.kubectl(&["create", "token", "somebody"]).await);

    // A token that was made for another server is none for this one, whoever has it.
    let elsewhere = must(stage.kubectl(&["create", "token", "prometheus", "--audience=elsewhere"]).await);

    assert!(scrape(port, None).await.starts_with("HTTP/1.1 401 "));
    assert!(scrape(port, Some("made.up.token")).await.starts_with("HTTP/1.1 401 "));
    let told = scrape(port, Some(refused.trim())).await;
    assert!(told.starts_with("HTTP/1.1 403 ") && !told.contains("sojourn_build_info"), "{told}");
    // The authorizer learns of the binding a moment later.
    let figures = async || scrape(port, Some(welcome.trim())).await.contains("sojourn_build_info{");
    eventually("Prometheus gets metrics", figures).await.unwrap();
    assert!(scrape(port, Some(elsewhere.trim())).await.starts_with("HTTP/1.1 401 "));
    stage.cluster.stop().await;
}
