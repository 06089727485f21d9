//! Webhooks that answer the API server only: by the client certificate that its admission configuration names.

use crate::installation::Installation;
use http::StatusCode;
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use jiff::{SignedDuration, Timestamp};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use serde_json::json;
use sojourn_certs::{Authority, Bundle};
use sojourn_cluster::{WebhookClient, eventually};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A review that no API server has sent; returns the status and the body of the response.
async fn forge(installation: &Installation, client: Option<&WebhookClient>) -> (StatusCode, String) {
    let bundle: Bundle = installation.stored().await.unwrap().bundle;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(bundle.certificates());
    let builder = ClientConfig::builder().with_root_certificates(roots);
    let config = match client {
        None => builder.with_no_client_auth(),
        Some(client) => {
            let certificate = CertificateDer::from_pem_slice(client.certificate.as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(client.key.as_bytes()).unwrap();
            builder.with_client_auth_cert(vec![certificate], key).unwrap()
        }
    };
    let stream = TcpStream::connect(("127.0.0.1", installation.ports[0])).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "the-uid", "operation": "DELETE", "namespace": "ns", "name": "x",
        "userInfo": {"username": "system:admin", "groups": ["system:masters"]}}});
    let request = http::Request::post("/validate/amalthea.dev/v1alpha1/amaltheasessions")
        .header("host", "127.0.0.1")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(review.to_string())))
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_is_answered_and_nobody_else() {
    let installation = Installation::new("clients", 1).await;
    let client = installation.cluster.webhook_client().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.crt");
    let flag = format!("--webhook-client-ca={}", file.display());
    let replica = installation.start(0, SignedDuration::ZERO, &[&flag]).await;
    replica.says("/readyz?verbose", "ca.crt cannot be read").await;
    assert!(!replica.is_ready().await, "it would answer nobody");

    std::fs::copy(&client.authority, &file).unwrap();
    replica.becomes_ready().await;
    let good = json!({"session": {"image": "debian:12"}});
    let admitted = async || installation.admit(good.clone()).await.is_ok();
    eventually("the API server is answered", admitted).await.unwrap();
    let bad = json!({"session": {"image": "debian:12"}, "culling": {"maxAge": "1 day"}});
    let refused = installation.admit(bad).await.unwrap_err();
    assert!(refused.contains("spec.culling.maxAge"), "the webhooks are not asked: {refused}");
    let (status, text) = forge(&installation, None).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "{text}");
    assert!(text.contains("client certificate") && !text.contains("the-uid"), "{text}");
    assert_eq!(forge(&installation, Some(&client)).await.0, StatusCode::OK);
    replica.says("/metrics", "verdict=\"unauthenticated\"} 1").await;

    // A file that holds nothing useful changes nothing.
    std::fs::write(&file, "scrap").unwrap();
    replica.says("/readyz?verbose", "the file holds no certificate").await;
    assert!(replica.is_ready().await && admitted().await);

    // Another authority: open connections of the API server are not authenticated any more, either.
    let other = Authority::generate(Timestamp::now()).unwrap();
    std::fs::write(&file, other.certificate_pem()).unwrap();
    eventually("the API server is a stranger", async || !admitted().await).await.unwrap();
    std::fs::copy(&client.authority, &file).unwrap();
    eventually("the API server is answered again", admitted).await.unwrap();
    replica.ends().await;
}
