//! The cluster itself is in trouble: the API server crashes, etcd stands still. Every session ends as if nothing had
//! happened.

use crate::{
    plots,
    stage::{Stage, cluster},
    story::{AT_ONCE, Telling, tell, undisturbed},
};
use futures::{FutureExt, future::join_all};
use sojourn_cluster::{Cluster, eventually, kubectl};
use std::time::Duration;

/// Tells stories side by side while `trouble` comes round after round.
async fn in_trouble(trouble: impl AsyncFn(&Cluster, u32)) {
    let cluster = cluster().await;
    let stage = &Stage::on(&cluster).await;
    let plots = [plots::always(), plots::held_back(), plots::finishes(), plots::fails()];
    let undisturbed = join_all(plots.iter().map(undisturbed)).await;
    let stories = join_all(plots.iter().zip(&undisturbed).map(async |(plot, undisturbed)| {
        tell(stage, plot, Telling { fault: None, lag: AT_ONCE, undisturbed: Some(undisturbed) }).await
    }));
    let mut stories = std::pin::pin!(stories.fuse());
    let mut round = 0;
    let told = loop {
        tokio::select! {
            told = &mut stories => break told,
            () = trouble(&cluster, round) => round += 1,
        }
    };
    let failures: Vec<String> = told.into_iter().filter_map(Result::err).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_crashes_again_and_again() {
    in_trouble(async |cluster, round| {
        // With each crash Kubernetes' own controllers wait longer before they look again, up to half a minute.
        tokio::time::sleep(Duration::from_secs(6 << round.min(3))).await;
        cluster.crash("kube-apiserver").await.unwrap();
        eventually("the API server is back", async || {
            kubectl(cluster, &["get", "--raw", "/readyz"], None).await.is_ok_and(|answer| answer.success())
        })
        .await
        .unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn etcd_stands_still_again_and_again() {
    in_trouble(async |cluster, _| {
        for still in [100, 300, 1000, 3000] {
            let frozen = cluster.freeze("etcd").unwrap();
            tokio::time::sleep(Duration::from_millis(still)).await;
            drop(frozen);
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    })
    .await;
}
