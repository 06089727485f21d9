//! The Secret of the authority is deleted, or is somebody else's.

use crate::{
    installation::{Installation, SECRET, must},
    load::Load,
    watchdog::{Watchdog, shake},
};
use jiff::SignedDuration;
use serde_json::json;
use sojourn_cluster::{eventually, kubectl};
use std::sync::Arc;

/// A Secret of our name that is nothing of ours.
async fn foreign(installation: &Installation) -> String {
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET, "namespace": installation.namespace},
        "stringData": {"password": "hunter2"},
    });
    must(kubectl(installation.cluster, &["create", "-f", "-"], Some(&secret.to_string())).await.unwrap());
    version(installation).await
}

async fn version(installation: &Installation) -> String {
    installation.secrets().get(SECRET).await.unwrap().metadata.resource_version.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_secret_is_made_anew_and_no_admission_fails() {
    let installation = Arc::new(Installation::new("deleted", 3).await);
    let _replicas = installation.start_all(&[SignedDuration::ZERO; 3]).await;
    let load = Load::start(&installation).await;
    let watchdog = Watchdog::start(&installation, &installation.ports);
    for _ in 0..2 {
        let old = installation.stored().await.unwrap().signer.unwrap().fingerprint();
        must(installation.kubectl(&["delete", "secret", SECRET]).await);
        eventually("everybody serves under another authority", async || {
            let Some(stored) = installation.stored().await else { return false };
            let Ok(signer) = &stored.signer else { return false };
            let new = signer.fingerprint();
            let replicas = stored.reports.iter().filter(|(name, _)| name.starts_with("replica-"));
            let mut serving = replicas.filter(|(_, report)| report.authority == new).count();
            serving *= usize::from(new != old);
            serving == 3
        })
        .await
        .unwrap();
        load.admits(20).await;
    }
    assert!(
        installation.stored().await.unwrap().bundle.len() > 1,
        "who else may serve is not known any more"
    );
    load.ends_without_a_failure();
    watchdog.ends_without_a_doubt();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_waits_for_a_name_that_is_taken() {
    let installation = Installation::new("taken", 1).await;
    let before = foreign(&installation).await;
    let replica = installation.start(0, SignedDuration::ZERO, &[]).await;
    replica.says("/readyz", "not the operator's and does not serve").await;
    assert!(!replica.is_ready().await);
    replica.says("/metrics", "sojourn_webhook_certificate_phase{phase=\"Foreign\"} 1").await;
    replica.says("/metrics", "sojourn_webhook_certificate_failures_total{what=\"Load\"}").await;
    eventually("an Event tells of it", async || {
        let events = installation.kubectl(&["get", "events", "-o", "json"]).await.stdout;
        events.contains("CertificateNotKept") && events.contains("not the operator's")
    })
    .await
    .unwrap();
    assert_eq!(version(&installation).await, before, "it is never written");

    must(installation.kubectl(&["delete", "secret", SECRET]).await);
    replica.becomes_ready().await;
    installation.settles().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_exchanged_for_somebody_elses_costs_nothing_that_is_served() {
    let installation = Arc::new(Installation::new("exchanged", 1).await);
    let replica = installation.start_all(&[SignedDuration::ZERO]).await.remove(0);
    installation.settles().await;
    let published = installation.published().await;
    // Nobody may make it anew in between.
    let stolen = installation.stored().await.unwrap();
    let strip =
        r#"{"metadata": {"labels": {"app.kubernetes.io/managed-by": "somebody"}}, "data": {"tls.key": ""}}"#;
    must(installation.kubectl(&["patch", "secret", SECRET, "-p", strip]).await);
    let before = version(&installation).await;
    replica.says("/readyz?verbose", "[!] webhook certificate: ").await;
    let page = replica.page("/readyz?verbose").await;
    assert!(page.contains("[+] webhook certificate ok"), "what is served is good: {page}");
    for bundle in &published {
        shake(installation.ports[0], bundle).await.unwrap();
    }
    assert_eq!(version(&installation).await, before, "it is never written");
    assert!(stolen.is_settled());

    let give_back = r#"{"metadata": {"labels": {"app.kubernetes.io/managed-by": "sojourn"}}}"#;
    let watchdog = Watchdog::start(&installation, &installation.ports);
    must(installation.kubectl(&["patch", "secret", SECRET, "-p", give_back]).await);
    eventually("another authority signs", async || {
        installation.stored().await.is_some_and(|stored| stored.signer.is_ok() && stored.next.is_none())
    })
    .await
    .unwrap();
    replica.becomes_ready().await;
    watchdog.ends_without_a_doubt();
}
