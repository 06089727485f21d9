//! One cluster for the whole run, and a namespace for each test.

use sojourn_cluster::{Cluster, Options};
use tokio::sync::OnceCell;

static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();

/// The cluster of this run, with the CRDs.
pub async fn cluster() -> &'static Cluster {
    CLUSTER
        .get_or_init(|| async {
            let cluster = Cluster::shared(Options::default()).await.unwrap();
            for (_, crd) in sojourn_crds::all_crds() {
                let applied = sojourn_cluster::kubectl(
                    &cluster,
                    &["apply", "--server-side", "-f", "-"],
                    Some(&crd.to_string()),
                )
                .await
                .unwrap();
                assert!(applied.success(), "{}", applied.stderr);
            }
            cluster
        })
        .await
}
