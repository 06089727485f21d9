//! The webhooks of the product, served by this process, and an empty handler in the same server to compare with.

use axum::{Json, Router, body::Bytes, routing::post};
use jiff::Timestamp;
use serde_json::json;
use sojourn::{http_server::Limits, serve::webhooks::serve_router};
use sojourn_certs::{Authority, CertResolver, Leaf, Names};
use sojourn_webhooks::{
    AdmissionSettings, Offline,
    http::{WebhookState, router},
};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};
use tokio_util::sync::CancellationToken;

/// Path of the handler that reads the body and allows everything.
pub(crate) const EMPTY: &str = "/empty";

/// Path of the handler that reads the review as JSON, as it must to know what it answers, and allows everything.
pub(crate) const DECODING: &str = "/decoding";

/// A running server. It ends when this is dropped.
pub(crate) struct Webhooks {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Who vouches for it.
    pub(crate) ca_pem: String,
    /// How many bytes the empty handler has read: proof that it did what it is compared for.
    pub(crate) read: Arc<AtomicUsize>,
    stop: CancellationToken,
}

impl Webhooks {
    /// Serves on threads of its own, as the operator's process would.
    pub(crate) fn serve() -> anyhow::Result<Self> {
        let now = Timestamp::now();
        let authority = Authority::generate(now)?;
        let leaf = Leaf::issue(&authority, &Names::loopback(), now)?;
        let resolver = Arc::new(CertResolver::default());
        resolver.set(leaf.certified_key()?);
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        // A cluster without sessions. Nothing that is measured here asks for rights.
        let facts = Arc::new(Offline::new(now, AdmissionSettings::default()));
        let guard = WebhookState { facts: facts.clone(), authorizer: facts, metrics: Arc::default() };
        let read = Arc::new(AtomicUsize::default());
        let counted = read.clone();
        let allow = async move |body: Bytes| {
            counted.fetch_add(body.len(), Ordering::Relaxed);
            allow().await
        };
        let routes: Router = router(guard).route(EMPTY, post(allow)).route(DECODING, post(decode_and_allow));
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        thread::spawn(move || {
            let served = runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                anyhow::Ok(serve_router(listener, resolver, routes, Limits::default(), stopped).await?)
            });
            if let Err(error) = served {
                eprintln!("the webhooks are not served any more: {error:#}");
            }
        });
        Ok(Self { address, ca_pem: authority.certificate_pem().to_owned(), read, stop })
    }
}

impl Drop for Webhooks {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn allow() -> Json<serde_json::Value> {
    Json(json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {"uid": "705ab4f5-6393-11e8-b7cc-42010a800002", "allowed": true},
    }))
}

async fn decode_and_allow(Json(review): Json<serde_json::Value>) -> Json<serde_json::Value> {
    Json(json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {"uid": review["request"]["uid"], "allowed": true},
    }))
}
