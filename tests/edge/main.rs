//! The webhook server against clients that are not as they should be, over real TLS on loopback: each gets an answer
//! or is cut off, and the next request is served.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed step of a test is a failed test")]

mod bodies;
mod client;
mod clients;
mod crowd;
mod http2;
mod logs;
mod panics;
mod slow;
mod stalls;

use axum::Router;
use client::{Protocol, Target};
use jiff::Timestamp;
use serde_json::{Value, json};
use sojourn::{
    http_server::{Limits, Shutdown},
    serve::{
        intake::IntakeLimits,
        webhooks::{PortLimits, serve_router},
    },
};
use sojourn_certs::{Authority, CertResolver, Leaf, Names};
use sojourn_webhooks::{
    AdmissionSettings, Offline,
    http::{WebhookState, router},
    table::{VALIDATE_SESSION, row},
};
use std::{sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A cluster without sessions.
fn guard() -> WebhookState {
    let facts = Arc::new(Offline::new(Timestamp::UNIX_EPOCH, AdmissionSettings::default()));
    WebhookState { facts: facts.clone(), authorizer: facts, metrics: Arc::default() }
}

/// As the operator serves, but bodies may take for ever.
fn patient() -> PortLimits {
    let hour = Duration::from_secs(3600);
    let intake = IntakeLimits { wait: hour, ..IntakeLimits::default() };
    let connections = Limits { answer: hour, ..Limits::default() };
    PortLimits { connections, intake }
}

/// A running server; it ends when this is dropped.
struct Served {
    target: Target,
    _stop: DropGuard,
}

impl Served {
    /// The webhooks as the operator serves them.
    async fn start(limits: impl Into<PortLimits>) -> Self {
        Self::start_with(router(guard()), limits, CancellationToken::new()).await
    }

    async fn start_with(routes: Router, limits: impl Into<PortLimits>, leaving: CancellationToken) -> Self {
        let now = Timestamp::now();
        let authority = Authority::generate(now).unwrap();
        let leaf = Leaf::issue(&authority, &Names::loopback(), now).unwrap();
        let resolver = Arc::new(CertResolver::default());
        resolver.set(leaf.certified_key().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = Target::new(listener.local_addr().unwrap(), authority.certificate_pem());
        let stop = CancellationToken::new();
        let ending = Shutdown { leaving, stop: stop.clone() };
        tokio::spawn(serve_router(listener, resolver, routes, limits.into(), ending));
        Self { target, _stop: stop.drop_guard() }
    }

    /// A stranger's request is served, whatever came before.
    async fn still_serves(&self) {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let mut client = self.target.connect(protocol).await.unwrap();
            let (status, answer) = client.post(&path(), "application/json", good_review()).await.unwrap();
            assert_eq!((status, &answer["response"]["allowed"]), (200, &json!(true)), "{protocol:?}");
        }
    }
}

/// The path of the webhook that judges sessions.
fn path() -> String {
    row(VALIDATE_SESSION).unwrap().path()
}

fn review(new: &Value) -> Value {
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "the-uid", "operation": "CREATE", "namespace": "ns", "name": "x",
        "userInfo": {"username": "alice", "groups": ["a"]}, "object": new, "oldObject": null}})
}

fn good_session() -> Value {
    json!({"apiVersion": "amalthea.dev/v1alpha1", "kind": "AmaltheaSession", "metadata": {"name": "x"},
           "spec": {"hibernated": false, "session": {"image": "i", "readinessProbe": {"type": "none"}}}})
}

fn good_review() -> Vec<u8> {
    review(&good_session()).to_string().into_bytes()
}
