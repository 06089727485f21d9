//! The reconcilers of a running operator: they watch on every context, and work on the one that leads.

use super::observe;
use crate::{
    control::{amalthea, context::Context, ide_session, watch::CacheSync, worker, workload},
    settings::{Scope, Settings},
    telemetry::{ides::IdeCollector, sessions::SessionCollector},
};
use prometheus_client::registry::Registry;
use std::sync::Arc;
use tokio::task::JoinSet;

/// How many `IdeSession`s are reconciled at a time, as in the original. What IDEs take their time for is not waited for.
const IDE_SESSIONS_AT_A_TIME: u16 = 6;

/// One reconciler per kind.
pub(super) struct Reconcilers {
    pub(super) amalthea: Arc<amalthea::Reconciler>,
    /// None where it cannot work.
    pub(super) ides: Option<Arc<ide_session::Reconciler>>,
}

impl Reconcilers {
    /// Starts the watches.
    pub(super) fn watch(
        context: &Context,
        settings: &Settings,
        cache_sync: &CacheSync,
        tasks: &mut JoinSet<()>,
    ) -> Self {
        let ides = ides(context, settings, cache_sync, tasks);
        let amalthea = Arc::new(amalthea::Reconciler::new(context.clone(), settings.sessions.clone()));
        workload::watch::start(&amalthea, &settings.scope, cache_sync, tasks);
        Self { amalthea, ides }
    }

    /// Adds what they know to the metrics.
    pub(super) fn register(&self, registry: &mut Registry, per_session: Option<usize>) {
        let Self { amalthea, ides } = self;
        let gauges = Arc::new(observe::Gauges(amalthea.clone()));
        registry.register_collector(Box::new(SessionCollector::new(gauges, per_session)));
        registry.register_collector(Box::new(observe::queues(amalthea.clone(), ides.clone())));
        if let Some(ides) = ides {
            let (requests, ides) = (ides.runs.requests().clone(), ides.clone());
            IdeCollector::register(registry, &requests, move || observe::ides(&ides));
        }
    }

    /// Starts the workers, which act when this context leads. To be called when the watches have listed everything.
    pub(super) fn work(&self, settings: &Settings) -> JoinSet<()> {
        let mut workers = JoinSet::new();
        worker::start(&self.amalthea, settings.concurrency, &mut workers);
        workers.spawn(amalthea::usage::measure(self.amalthea.clone(), settings.scope.clone()));
        if let Some(ides) = &self.ides {
            workers.spawn(ides.clone().lead());
            worker::start(ides, IDE_SESSIONS_AT_A_TIME, &mut workers);
        }
        workers
    }

    /// Ends the workers. When it returns nobody here writes any more.
    pub(super) async fn end(&self, mut workers: JoinSet<()>) {
        if let Some(ides) = &self.ides {
            ides.settle().await;
        }
        workers.shutdown().await;
        if let Some(ides) = &self.ides {
            ides.retire().await;
        }
    }
}

fn ides(
    context: &Context,
    settings: &Settings,
    cache_sync: &CacheSync,
    tasks: &mut JoinSet<()>,
) -> Option<Arc<ide_session::Reconciler>> {
    if settings.scope != Scope::Cluster {
        tracing::info!(
            "IdeSessions belong to no namespace; an operator for some namespaces leaves them alone"
        );
        return None;
    }
    let (ides, changes) = ide_session::Reconciler::new(context.clone(), settings);
    ide_session::watch::start(&ides, cache_sync, tasks);
    ides.endpoints.watch(&context.client, &settings.ide.namespaces, cache_sync, tasks);
    tasks.spawn(ides.runs.clone().follow(changes));
    Some(ides)
}
