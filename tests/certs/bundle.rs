//! Bundles that somebody blanks come back by themselves.

use crate::installation::{Installation, PATIENCE, must};
use jiff::SignedDuration;
use sojourn_cluster::eventually;
use std::time::Instant;

async fn comes_back(installation: &Installation, how: &str) {
    let blanked = Instant::now();
    let authority = installation.stored().await.unwrap().bundle;
    eventually("every bundle is back", PATIENCE, async || {
        installation.published().await.iter().all(|bundle| bundle.same_as(&authority))
    })
    .await
    .unwrap();
    println!("blanked by {how}: back after {} ms", blanked.elapsed().as_millis());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blanked_bundle_comes_back() {
    let installation = Installation::new("blank", 2).await;
    let replicas = installation.start_all(&[SignedDuration::ZERO; 2]).await;
    installation.settles().await;
    let name = installation.configuration();

    let blank = r#"[{"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"}]"#;
    for kind in ["validatingwebhookconfiguration", "mutatingwebhookconfiguration"] {
        must(installation.kubectl(&["patch", kind, &name, "--type=json", "-p", blank]).await);
        comes_back(&installation, "hand").await;
    }
    let scrap = r#"[{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": "AAAA"}]"#;
    let kind = "mutatingwebhookconfiguration";
    must(installation.kubectl(&["patch", kind, &name, "--type=json", "-p", scrap]).await);
    comes_back(&installation, "scrap").await;

    // `--force` replaces the objects, and with them the bundles; an ordinary upgrade leaves them.
    for args in [&["--force"][..], &["--set", "webhooks.trustedUsers={someone}"][..]] {
        installation.helm("upgrade", args).await;
        comes_back(&installation, &format!("helm upgrade {}", args.join(" "))).await;
    }

    // The whole configuration is made anew.
    must(installation.kubectl(&["delete", kind, &name]).await);
    replicas[0].says("/readyz", "there is no mutating webhook configuration").await;
    installation.helm("upgrade", &[]).await;
    comes_back(&installation, "deletion").await;
    for replica in &replicas {
        replica.becomes_ready().await;
    }
}
