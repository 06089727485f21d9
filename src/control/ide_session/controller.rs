//! `IdeSession` as one of the controllers of a process.

use super::{Reconciler, endpoints::Changes, watch};
use crate::{
    control::{
        context::Context,
        controller::{ApiContext, Controller},
        watch::CacheSync,
        worker,
    },
    serve::logs::Logs,
    settings::{MetricsSettings, Scope, Settings},
    telemetry::{
        ides::{IdeCollector, IdeStats, Tally},
        metrics,
        queues::Waiting,
    },
};
use axum::Router;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use sojourn_crds::ide_session::{KIND, State};
use std::sync::Arc;
use tokio::task::JoinSet;

/// How many `IdeSession`s are reconciled at a time, as in the original. Requests to IDEs are not among it: no worker
/// waits for them.
const WORKERS: u16 = 6;

/// `IdeSession`s at work.
pub struct IdeSessionController {
    reconciler: Arc<Reconciler>,
    /// Namespaces of the Secrets by which IDEs are reached.
    namespaces: Vec<String>,
    /// Taken by the task that follows them.
    changes: Mutex<Option<Changes>>,
}

impl IdeSessionController {
    /// A controller of all sessions. `None` for an operator of some namespaces: `IdeSession`s belong to none. Must be
    /// called within a runtime.
    pub fn in_scope(context: &Context, settings: &Settings) -> Option<Arc<dyn Controller>> {
        if settings.scope != Scope::Cluster {
            tracing::info!(
                "IdeSessions belong to no namespace; an operator for some namespaces leaves them alone"
            );
            return None;
        }
        let (reconciler, changes) = Reconciler::new(context.clone(), settings);
        let namespaces = settings.ide.namespaces.clone();
        Some(Arc::new(Self { reconciler, namespaces, changes: Mutex::new(Some(changes)) }))
    }
}

impl Controller for IdeSessionController {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn watch(self: Arc<Self>, cache_sync: &CacheSync, tasks: &mut JoinSet<()>) {
        let reconciler = &self.reconciler;
        watch::start(reconciler, cache_sync, tasks);
        reconciler.endpoints.watch(&reconciler.context.client, &self.namespaces, cache_sync, tasks);
        if let Some(changes) = self.changes.lock().take() {
            tasks.spawn(reconciler.runs.clone().follow(changes));
        }
    }

    fn register(self: Arc<Self>, registry: &mut Registry, _: &MetricsSettings) {
        let reconciler = self.reconciler.clone();
        IdeCollector::register(registry, self.reconciler.runs.requests(), move || stats(&reconciler));
    }

    fn work(self: Arc<Self>, workers: &mut JoinSet<()>) {
        workers.spawn(self.reconciler.clone().lead());
        worker::start(&self.reconciler, WORKERS, workers);
    }

    fn before_stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.reconciler.settle())
    }

    fn after_stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.reconciler.retire())
    }

    fn waiting(&self) -> Option<(metrics::Kind, Waiting)> {
        Some((metrics::Kind::IdeSession, worker::waiting(&*self.reconciler)))
    }

    fn debug(&self) -> Value {
        let sessions = self.reconciler.index.read().keys().len();
        let Waiting { due, oldest } = self.reconciler.workqueue.queue.waiting();
        json!({"sessions": sessions, "queue": {"due": due, "oldestSeconds": oldest.as_secs_f64()}})
    }

    /// The logs of sessions.
    fn api(self: Arc<Self>, context: &ApiContext) -> Option<Router> {
        let store = self.reconciler.outputs.store().clone();
        let (authorizer, metrics) = (context.authorizer.clone(), context.log_metrics.clone());
        let logs = Logs::new(self.reconciler.clone(), store, authorizer, metrics, context.close.clone());
        Some(logs.router())
    }
}

/// What is known of IDEs, and of the sessions for them.
fn stats(reconciler: &Reconciler) -> IdeStats {
    let mut sessions: Tally = State::ALL.map(|state| (word(state), 0)).into();
    for session in reconciler.index.read().sessions() {
        *sessions.entry(word(session.state())).or_default() += 1;
    }
    IdeStats { sessions, ..reconciler.runs.stats() }
}

/// A state as a label: that of a session which has not begun is empty.
fn word(state: State) -> &'static str {
    if state == State::Initial { "Initial" } else { state.as_str() }
}
