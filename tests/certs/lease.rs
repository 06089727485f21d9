//! The Lease on a real API server: who writes, and when the next one may.

use crate::installation::{Installation, must};
use jiff::SignedDuration;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::{Api, Client};
use serde_json::Value;
use sojourn::{
    control::lease::{ApiLease, Election, LEASE_NAME, Leadership, elector::Timing},
    telemetry::metrics::Metrics,
};
use sojourn_cluster::eventually;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Shorter than in life, and longer than any pause of a busy machine.
const TIMING: Timing = Timing {
    lease: Duration::from_secs(6),
    renew_deadline: Duration::from_secs(4),
    retry: Duration::from_secs(1),
};

struct Candidate {
    leadership: Leadership,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Candidate {
    fn new(client: &Client, namespace: &str, me: &str) -> Self {
        let store = ApiLease::new(Api::namespaced(client.clone(), namespace), LEASE_NAME);
        let (election, leadership) =
            Election::new(store, me.to_owned(), TIMING, Metrics::default().lease).unwrap();
        let stop = CancellationToken::new();
        let task = tokio::spawn(election.run(stop.clone()));
        Self { leadership, stop, task }
    }

    async fn leads(&mut self) {
        tokio::time::timeout(sojourn_cluster::PATIENCE, self.leadership.acquired())
            .await
            .expect("nobody takes over");
    }
}

/// Two candidates, of which the first leads.
async fn two(name: &str) -> (Installation, Candidate, Candidate) {
    let installation = Installation::new(name, 0).await;
    let (client, namespace) = (&installation.client, &installation.namespace);
    let mut first = Candidate::new(client, namespace, "first");
    first.leads().await;
    let second = Candidate::new(client, namespace, "second");
    (installation, first, second)
}

async fn lease(installation: &Installation) -> Option<LeaseSpec> {
    let api: Api<Lease> = Api::namespaced(installation.client.clone(), &installation.namespace);
    api.get_opt(LEASE_NAME).await.unwrap()?.spec
}

async fn holder(installation: &Installation) -> Option<String> {
    lease(installation).await?.holder_identity
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_leader_is_followed_when_its_lease_is_over() {
    let (installation, first, mut second) = two("killed").await;
    first.task.abort();
    let renewed = lease(&installation).await.unwrap().renew_time.unwrap().0;
    second.leads().await;
    let next = lease(&installation).await.unwrap();
    let unled = next.acquire_time.unwrap().0.duration_since(renewed);
    println!("killed: the next one leads {unled:#} after the last renewal");
    let stops = SignedDuration::try_from(TIMING.renew_deadline).unwrap();
    assert!(unled > stops, "not before the killed one would have stopped by itself");
    assert_eq!(next.holder_identity.as_deref(), Some("second"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_ends_hands_over() {
    let (installation, first, mut second) = two("hand-over").await;
    // The watch of the one that waits is up once it has seen this.
    eventually("the first one renews", async || {
        let spec = lease(&installation).await.unwrap();
        spec.renew_time > spec.acquire_time
    })
    .await
    .unwrap();
    let ended = Instant::now();
    first.stop.cancel();
    second.leads().await;
    println!("handed over: the next one leads after {} ms", ended.elapsed().as_millis());
    first.task.await.unwrap();
    assert!(!first.leadership.is_leader());
    let spec: Value = serde_json::from_str(&must(
        installation.kubectl(&["get", "lease", LEASE_NAME, "-o", "jsonpath={.spec}"]).await,
    ))
    .unwrap();
    assert_eq!(
        (spec["holderIdentity"].as_str(), spec["leaseTransitions"].as_i64()),
        (Some("second"), Some(1))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_yields_to_a_holder_that_somebody_writes() {
    let (installation, mut first, second) = two("by-hand").await;
    let somebody = r#"{"spec": {"holderIdentity": "somebody"}}"#;
    must(installation.kubectl(&["patch", "lease", LEASE_NAME, "--type=merge", "-p", somebody]).await);
    tokio::time::timeout(sojourn_cluster::PATIENCE, first.leadership.lost()).await.expect("two lead");
    assert!(
        !second.leadership.is_leader(),
        "the holder that was written gives no sign of life, but has its time"
    );
    // It never does, so one of the two takes over.
    eventually("one of the two leads again", async || {
        first.leadership.is_leader() != second.leadership.is_leader()
    })
    .await
    .unwrap();
    assert_ne!(holder(&installation).await.as_deref(), Some("somebody"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_is_deleted_is_made_anew_by_one() {
    let (installation, first, second) = two("gone").await;
    must(installation.kubectl(&["delete", "lease", LEASE_NAME]).await);
    eventually("one of the two leads", async || {
        let open = [&first, &second].map(|candidate| candidate.leadership.is_leader());
        assert_ne!(open, [true, true], "two lead");
        open != [false, false] && holder(&installation).await.is_some()
    })
    .await
    .unwrap();
    let holder = holder(&installation).await.unwrap();
    eventually("the holder leads", async || {
        let leader = if holder == "first" { &first } else { &second };
        leader.leadership.is_leader()
    })
    .await
    .unwrap();
}
