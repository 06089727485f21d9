//! One cluster for all stories, and what they share.

use crate::witness::Witness;
use kube::Client;
use sojourn_cluster::{Cluster, Options, eventually, kubectl, test_namespace};
use std::{
    sync::Mutex,
    time::Duration,
};
use tokio::sync::{OnceCell, Semaphore};

/// Stories that are told at a time; they mostly wait.
const AT_A_TIME: usize = 16;

static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();
static TURNS: Semaphore = Semaphore::const_new(AT_A_TIME);
/// Namespaces in which nothing is left of the story that was told there.
static FREE: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// What a test sees of the cluster. Clients belong to the runtime that they are made in.
pub(crate) struct Stage {
    pub(crate) cluster: &'static Cluster,
    pub(crate) client: Client,
    pub(crate) witness: Witness,
    pub(crate) turns: &'static Semaphore,
}

impl Stage {
    pub(crate) async fn set() -> Self {
        let cluster = CLUSTER.get_or_init(cluster).await;
        let client = cluster.client().await.unwrap();
        Self { cluster, witness: Witness::new(&client), client, turns: &TURNS }
    }

    pub(crate) async fn namespace(&self) -> String {
        let free = FREE.lock().unwrap().pop();
        match free {
            Some(namespace) => {
                self.witness.forget(&namespace);
                namespace
            }
            None => test_namespace(&self.client, "survival").await.unwrap(),
        }
    }

    /// Gives a namespace back in which nothing is left.
    pub(crate) fn is_free(&self, namespace: String) {
        FREE.lock().unwrap().push(namespace);
    }
}

/// A cluster that serves sessions.
pub(crate) async fn cluster() -> Cluster {
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
