//! Bundles that somebody blanks come back by themselves.

use crate::installation::{Installation, must};
use futures::StreamExt;
use jiff::SignedDuration;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use kube::{
    Api,
    runtime::{WatchStreamExt, watcher},
};
use sojourn_cluster::eventually;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};
use tokio::task::JoinSet;

/// Counts how often the mutating configuration was seen without a bundle.
fn count_blanks(installation: &Installation, tasks: &mut JoinSet<()>) -> Arc<AtomicU64> {
    let api: Api<MutatingWebhookConfiguration> = Api::all(installation.client.clone());
    let named = watcher::Config::default().fields(&format!("metadata.name={}", installation.configuration()));
    let blanks = Arc::<AtomicU64>::default();
    let count = blanks.clone();
    tasks.spawn(async move {
        let mut seen = std::pin::pin!(watcher(api, named).applied_objects());
        while let Some(Ok(live)) = seen.next().await {
            let blank =
                live.webhooks.iter().flatten().any(|webhook| webhook.client_config.ca_bundle.is_none());
            count.fetch_add(u64::from(blank), Ordering::Relaxed);
        }
    });
    blanks
}

async fn comes_back(installation: &Installation, how: &str) {
    let blanked = Instant::now();
    let authority = installation.stored().await.unwrap().bundle;
    eventually("every bundle is back", async || {
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
    let mut tasks = JoinSet::new();
    let blanks = count_blanks(&installation, &mut tasks);

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
    for args in [&["--set", "webhooks.trustedUsers={someone}"][..], &["--force"][..]] {
        let before = blanks.load(Ordering::Relaxed);
        installation.helm("upgrade", args).await;
        comes_back(&installation, &format!("helm upgrade {}", args.join(" "))).await;
        if args == ["--force"] {
            eventually("the upgrade blanked the bundle", async || blanks.load(Ordering::Relaxed) > before)
                .await
                .unwrap();
        }
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
