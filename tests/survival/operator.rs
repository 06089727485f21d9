//! An operator that lives as long as its line to the API server.

use crate::line::Line;
use kube::{
    Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use sojourn::{
    control::{
        amalthea::{self, usage},
        context::Context,
        lease::Leadership,
        watch::CacheSync,
        worker, workload,
    },
    core::settings::SessionSettings,
    settings::Scope,
    telemetry::metrics::Metrics,
};
use sojourn_cluster::Cluster;
use sojourn_webhooks::adoption::ApprovalKey;
use std::{sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// How often CPU use is measured while a decision depends on it.
pub(crate) const MEASURED: Duration = Duration::from_secs(1);

/// One life of an operator.
pub(crate) struct Life {
    pub(crate) line: Line,
    cache_sync: CacheSync,
    tasks: JoinSet<()>,
}

impl Life {
    /// Starts the reconciler of one namespace, without webhooks: they have no part in what is tested here.
    pub(crate) async fn start(cluster: &Cluster, namespace: &str, line: Line) -> Self {
        let kubeconfig = Kubeconfig::read_from(cluster.kubeconfig()).unwrap();
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        let context = Context {
            client: line.client(config),
            identity: "survival-test".into(),
            metrics: Metrics::default().reconcile,
            leadership: Leadership::always(),
        };
        let reconciler = Arc::new(amalthea::Reconciler::new(context, settings()));
        let scope = Scope::Namespaces(vec![namespace.to_owned()]);
        let mut tasks = JoinSet::new();
        let cache_sync = CacheSync::default();
        workload::watch::start(&reconciler, &scope, &cache_sync, &mut tasks);
        let synced = cache_sync.clone();
        tasks.spawn(async move {
            synced.wait().await;
            tokio::join!(
                worker::work(&*reconciler),
                worker::work(&*reconciler),
                worker::look_at_all_when_leading(&*reconciler),
                usage::measure(reconciler.clone(), scope),
            );
        });
        Self { line, cache_sync, tasks }
    }

    /// Whether it was killed.
    pub(crate) fn is_over(&self) -> bool {
        self.line.death.is_cancelled()
    }

    /// Whether it knows what there is.
    pub(crate) fn is_at_work(&self) -> bool {
        self.cache_sync.is_synced() && !self.is_over()
    }

    /// Ends it between any two of its steps.
    pub(crate) async fn end(mut self) {
        self.tasks.shutdown().await;
    }
}

/// The key of the admission that the stories pretend to pass.
pub(crate) fn approval_key() -> ApprovalKey {
    ApprovalKey::new([1; ApprovalKey::LENGTH])
}

fn settings() -> SessionSettings {
    SessionSettings {
        // The pods that kwok plays have addresses that nobody has.
        ask_proxies: false,
        idle_check_interval: MEASURED,
        approval_key: Some(approval_key()),
        ..SessionSettings::default()
    }
}
