//! The operator is killed before and after each of its writes, and started again: every session ends as if
//! nothing had happened.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper of a test that cannot go on ends the test"
)]

mod faults;
mod story;

use faults::{Fault, When};
use futures::{StreamExt, stream};
use sojourn_cluster::{Cluster, Options, eventually, kubectl};
use std::time::Duration;
use story::{Ending, Kind, Story};

/// Runs of a story at a time; they mostly wait.
const AT_A_TIME: usize = 8;
/// No story has as many writes; a counter that never stops would otherwise make the test endless.
const MOST_WRITES: u64 = 60;

async fn cluster() -> Cluster {
    rustls::crypto::ring::default_provider().install_default().ok();
    let cluster = Cluster::start(Options { fast_controllers: true, ..Options::default() }).await.unwrap();
    for (_, crd) in sojourn_crds::all_crds() {
        let applied =
            kubectl(&cluster, &["apply", "--server-side", "-f", "-"], Some(&crd.to_string())).await.unwrap();
        assert!(applied.success(), "{}", applied.stderr);
    }
    eventually("the CRD is served", Duration::from_secs(30), async || {
        kubectl(&cluster, &["get", "ams", "-A"], None).await.is_ok_and(|output| output.success())
    })
    .await
    .unwrap();
    cluster
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_operator_is_followed_by_one_that_reaches_the_same_end() {
    let cluster = cluster().await;
    for kind in [Kind::Interactive, Kind::Batch] {
        let undisturbed = Story::new(&cluster, kind, None).await.play().await;
        assert!(undisturbed.writes > 5, "the story has writes to be killed at: {undisturbed:?}");
        assert!(undisturbed.writes < MOST_WRITES, "{undisturbed:?}");
        let faults = (1..=undisturbed.writes)
            .flat_map(|call| [When::Before, When::After].map(|when| Fault { call, when }));
        let endings: Vec<(Fault, Ending)> = stream::iter(faults)
            .map(async |fault| (fault, Story::new(&cluster, kind, Some(fault)).await.play().await))
            .buffer_unordered(AT_A_TIME)
            .collect()
            .await;
        println!(
            "{kind:?}: killed {} times, before and after each of {} writes",
            endings.len(),
            undisturbed.writes
        );
        for (fault, ending) in endings {
            assert!(
                ending.killed || fault.call == undisturbed.writes,
                "{kind:?} {fault:?}: nothing was killed"
            );
            assert_eq!(ending.scenes, undisturbed.scenes, "{kind:?} {fault:?}");
        }
    }
    cluster.stop().await;
}
