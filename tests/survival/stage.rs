//! One cluster for all stories, and what they share.

use crate::witness::Witness;
use kube::Client;
use sojourn_cluster::{Cluster, Options, eventually, kubectl, test_namespace};
use std::{sync::Mutex, time::Duration};
use tokio::sync::{OnceCell, Semaphore};

/// Stories that are told at a time; they mostly wait.
const AT_A_TIME: usize = 16;

static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();
static TURNS: Semaphore = Semaphore::const_new(AT_A_TIME);
/// What a test sees of a cluster. Clients belong to the runtime that they are made in.
pub(crate) struct Stage<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) client: Client,
    pub(crate) witness: Witness,
    pub(crate) turns: &'static Semaphore,
    /// Namespaces in which nothing is left of the story that was told there.
    free: Mutex<Vec<String>>,
}

impl<'a> Stage<'a> {
    /// The stage that tests share which do no harm to the cluster.
    pub(crate) async fn set() -> Self {
        Self::on(CLUSTER.get_or_init(cluster).await).await
    }

    /// A stage on a cluster.
    pub(crate) async fn on(cluster: &'a Cluster) -> Self {
        let client = cluster.client().await.unwrap();
        Self { cluster, witness: Witness::new(&client), client, turns: &TURNS, free: Mutex::default() }
    }

    /// A namespace in which there is nothing.
    pub(crate) async fn namespace(&self) -> String {
        let free = self.free.lock().unwrap().pop();
        match free {
            Some(namespace) => {
                self.witness.forget(&namespace);
                namespace
            }
            None => self.another_namespace().await,
        }
    }

    /// Makes a namespace, also of an API server that crashes again and again.
    async fn another_namespace(&self) -> String {
        let mut attempts = 0;
        loop {
            match test_namespace(&self.client, "survival").await {
                Ok(namespace) => return namespace,
                Err(error) => assert!(attempts < 100, "{error}"),
            }
            attempts += 1;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Gives a namespace back in which nothing is left.
    pub(crate) fn is_free(&self, namespace: String) {
        self.free.lock().unwrap().push(namespace);
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
    eventually("the CRD is served", async || {
        kubectl(&cluster, &["get", "ams", "-A"], None).await.is_ok_and(|output| output.success())
    })
    .await
    .unwrap();
    cluster
}
