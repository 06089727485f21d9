//! Three replicas behind one address, and authorities that follow one another under load.

use crate::{
    installation::{Installation, Replica, SECRET},
    load::Load,
    watchdog::Watchdog,
};
use jiff::SignedDuration;
use sojourn_cluster::eventually;
use std::sync::Arc;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Asks for a new authority and waits until all serve under it and the old one is gone.
async fn rotate(installation: &Installation, request: &str) {
    let old = installation.stored().await.unwrap().signer.unwrap().fingerprint();
    let asked = format!("sojourn.dev/rotate={request}");
    let output = installation.kubectl(&["annotate", "--overwrite", "secret", SECRET, &asked]).await;
    assert!(output.success(), "{}", output.stderr);
    eventually("another authority signs", async || {
        let stored = installation.stored().await.unwrap();
        stored.signer.is_ok_and(|signer| signer.fingerprint() != old)
    })
    .await
    .unwrap();
    installation.settles().await;
    assert!(!installation.stored().await.unwrap().bundle.contains(&old));
}

async fn rotate_under_load(name: &str, ahead: &[SignedDuration], times: usize) -> Vec<Replica> {
    let installation = Arc::new(Installation::new(name, ahead.len()).await);
    let replicas = installation.start_all(ahead).await;
    let load = Load::start(&installation).await;
    let watchdog = Watchdog::start(&installation, &installation.ports);
    for round in 0..times {
        rotate(&installation, &round.to_string()).await;
        load.admits(20).await;
    }
    let admitted = load.ends_without_a_failure();
    let (certificates, handshakes) = watchdog.ends_without_a_doubt();
    println!(
        "{times} rotations: {admitted} admissions, {handshakes} handshakes, {certificates} certificates"
    );
    assert!(certificates > times * ahead.len(), "each rotation gives each replica another certificate");
    replicas
}

#[tokio::test(flavor = "multi_thread")]
async fn five_rotations_in_a_row_fail_no_admission() {
    let replicas = rotate_under_load("rotation", &[SignedDuration::ZERO; 3], 5).await;
    for replica in &replicas {
        assert!(replica.is_ready().await);
        let metrics = replica.page("/metrics").await;
        for line in [
            "sojourn_webhook_certificate_rotations_total{of=\"Authority\"} 6",
            "sojourn_webhook_certificate_rotations_total{of=\"Leaf\"} 6",
            "sojourn_webhook_certificate_phase{phase=\"Settled\"} 1",
        ] {
            assert!(metrics.contains(line), "{line} is missing in {metrics}");
        }
        let state = replica.page("/debug/state").await;
        assert!(state.contains("\"fingerprint\":\"") && !state.contains("PRIVATE"), "{state}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_are_a_day_off_fail_no_admission() {
    rotate_under_load("skew", &[-DAY, SignedDuration::ZERO, DAY], 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_come_and_go_while_the_authority_changes() {
    let installation = Arc::new(Installation::new("come-and-go", 3).await);
    let mut replicas = installation.start_all(&[SignedDuration::ZERO; 2]).await;
    let watchdog = Watchdog::start(&installation, &installation.ports[..1]);
    for round in 0..3 {
        let other = installation.start(2, SignedDuration::ZERO, &[]).await;
        let asked = format!("sojourn.dev/rotate={round}");
        installation.kubectl(&["annotate", "--overwrite", "secret", SECRET, &asked]).await;
        other.becomes_ready().await;
        // It takes its report along, so that nobody waits for it.
        other.ends().await;
        replicas.pop().unwrap().ends().await;
        replicas.push(installation.start(1, SignedDuration::ZERO, &[]).await);
        installation.settles().await;
        eventually("the replica that came is known", async || {
            let reports = installation.stored().await.unwrap().reports;
            reports.into_keys().eq(["replica-0".to_owned(), "replica-1".to_owned()])
        })
        .await
        .unwrap();
        replicas[1].becomes_ready().await;
    }
    let (certificates, _) = watchdog.ends_without_a_doubt();
    assert!(certificates >= 2);
}
