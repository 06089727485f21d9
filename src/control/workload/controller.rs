//! A kind with children as one of the controllers of a process.

use super::{ControlledKind, Reconciler, watch};
use crate::{
    control::{controller::Controller, key::Key, watch::CacheSync, worker},
    settings::{MetricsSettings, Scope, Settings},
    telemetry::{metrics, queues::Waiting},
};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use sojourn_webhooks::{AdmissionSettings, JobConstraints, facts::RouteHolder};
use std::sync::Arc;
use tokio::task::JoinSet;

/// A kind with children at work.
pub struct WorkloadController<K: ControlledKind> {
    reconciler: Arc<Reconciler<K>>,
    scope: Scope,
    workers: u16,
}

impl<K: ControlledKind> WorkloadController<K> {
    /// A controller of the sessions in the scope of `settings`.
    pub fn new(reconciler: Reconciler<K>, settings: &Settings) -> Self {
        Self {
            reconciler: Arc::new(reconciler),
            scope: settings.scope.clone(),
            workers: settings.concurrency,
        }
    }
}

impl<K: ControlledKind> Controller for WorkloadController<K> {
    fn kind(&self) -> &'static str {
        K::NAME
    }

    fn watch(self: Arc<Self>, cache_sync: &CacheSync, tasks: &mut JoinSet<()>) {
        watch::start(&self.reconciler, &self.scope, cache_sync, tasks);
    }

    fn register(self: Arc<Self>, registry: &mut Registry, settings: &MetricsSettings) {
        K::register(&self.reconciler, registry, settings);
    }

    fn work(self: Arc<Self>, workers: &mut JoinSet<()>) {
        worker::start(&self.reconciler, self.workers, workers);
        K::start(&self.reconciler, &self.scope, workers);
    }

    fn waiting(&self) -> Option<(metrics::Kind, Waiting)> {
        Some((K::METRIC, worker::waiting(&*self.reconciler)))
    }

    fn debug(&self) -> Value {
        let (sessions, children, pods) = self.reconciler.index.read().sizes();
        let Waiting { due, oldest } = self.reconciler.workqueue.queue.waiting();
        json!({
            "sessions": sessions,
            "children": children,
            "pods": pods,
            "queue": {"due": due, "oldestSeconds": oldest.as_secs_f64()},
        })
    }

    fn route_holder(&self, route: &str, own: &Key) -> Option<RouteHolder> {
        let index = self.reconciler.index.read();
        let holder = index.route_holders(route).find(|holder| *holder != own)?;
        Some(RouteHolder { namespace: holder.namespace.to_string(), name: holder.name.to_string() })
    }

    fn held_bytes(&self, namespace: &str) -> usize {
        self.reconciler.index.read().held(namespace)
    }

    fn job_constraints(
        &self,
        namespace: &str,
        name: &str,
        settings: &AdmissionSettings,
    ) -> Option<JobConstraints> {
        let session = self.reconciler.index.read().session(&Key::new(namespace, name))?;
        session.job_constraints(settings)
    }
}
