//! The kinds at work in one process: a table of controllers, which the commands start, end, measure and ask alike.

use super::{
    amalthea, context::Context, ide_session, job_constraints::GuardedKind, key::Key, watch::CacheSync,
    workload::WorkloadController,
};
use crate::{
    serve::auth::Authorizer,
    settings::{MetricsSettings, Settings},
    telemetry::{
        ides::LogMetrics,
        metrics,
        queues::{QueueCollector, Waiting},
    },
};
use axum::Router;
use futures::future::BoxFuture;
use prometheus_client::registry::Registry;
use serde_json::{Map, Value};
use sojourn_crds::amalthea::AmaltheaSession;
use sojourn_webhooks::{AdmissionSettings, JobConstraints, SESSION_KINDS, SessionKind, facts::RouteHolder};
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A kind at work. What a kind has no use for stays as it is here.
pub trait Controller: Send + Sync + 'static {
    /// The kind, as manifests name it.
    fn kind(&self) -> &'static str;

    /// Starts the watches, as tasks that run until they are aborted with the set.
    fn watch(self: Arc<Self>, cache_sync: &CacheSync, tasks: &mut JoinSet<()>);

    /// Adds the kind's own metrics.
    fn register(self: Arc<Self>, registry: &mut Registry, settings: &MetricsSettings) {
        let _ = (registry, settings);
    }

    /// Starts the workers, which act while this replica leads. Called when the watches have listed everything.
    fn work(self: Arc<Self>, workers: &mut JoinSet<()>) {
        let _ = workers;
    }

    /// Waits, within a limit, for what must be recorded before the workers are stopped.
    fn before_stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Ends what goes on beside the workers, once they are stopped.
    fn after_stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    /// What waits in the kind's queue, for kinds that are reconciled. Nothing waits on a replica that does not lead.
    fn waiting(&self) -> Option<(metrics::Kind, Waiting)> {
        None
    }

    /// What the debug page shows of the kind.
    fn debug(&self) -> Value;

    /// Bytes that the sessions of a namespace take in memory.
    fn held_bytes(&self, namespace: &str) -> usize {
        let _ = namespace;
        0
    }

    /// The eldest session of the kind that is reached at `route`, other than `own`.
    fn route_holder(&self, route: &str, own: &Key) -> Option<RouteHolder> {
        let _ = (route, own);
        None
    }

    /// What a session of the kind requires of its Job. `None` when there is no such session.
    fn job_constraints(
        &self,
        namespace: &str,
        name: &str,
        settings: &AdmissionSettings,
    ) -> Option<JobConstraints> {
        let _ = (namespace, name, settings);
        None
    }

    /// The HTTP API of the kind, served on the port of the webhooks.
    fn api(self: Arc<Self>, context: &ApiContext) -> Option<Router> {
        let _ = context;
        None
    }
}

/// What HTTP APIs are made of.
pub struct ApiContext {
    /// Who may use them.
    pub authorizer: Arc<dyn Authorizer>,
    /// Metrics of logs that are read.
    pub log_metrics: LogMetrics,
    /// Cancelled when answers that go on have to end.
    pub close: CancellationToken,
}

/// All controllers of a process.
#[derive(Clone)]
pub struct Controllers(Vec<Arc<dyn Controller>>);

impl Controllers {
    /// The table: a controller for each kind that is run with `settings`, and one for each kind whose sessions are only
    /// known to the guard of Jobs. Must be called within a runtime.
    pub fn new(context: &Context, settings: &Settings) -> Self {
        let mut all: Vec<Arc<dyn Controller>> = Vec::new();
        all.extend(ide_session::IdeSessionController::in_scope(context, settings));
        all.push(Arc::new(WorkloadController::<AmaltheaSession>::new(
            amalthea::Reconciler::new(context.clone(), settings.sessions.clone()),
            settings,
        )));
        if settings.webhook.is_some() {
            let unknown = |kind: &&SessionKind| all.iter().all(|run| run.kind() != kind.descriptor.kind);
            let guarded: Vec<&'static SessionKind> = SESSION_KINDS.iter().filter(unknown).collect();
            all.extend(guarded.into_iter().map(|kind| {
                Arc::new(GuardedKind::new(context.client.clone(), kind, settings)) as Arc<dyn Controller>
            }));
        }
        Self(all)
    }

    fn each(&self) -> impl Iterator<Item = Arc<dyn Controller>> {
        self.0.iter().cloned()
    }

    /// Starts the watches of all kinds.
    pub fn watch(&self, cache_sync: &CacheSync, tasks: &mut JoinSet<()>) {
        self.each().for_each(|controller| controller.watch(cache_sync, tasks));
    }

    /// Adds the metrics of all kinds and their queues.
    pub fn register(&self, registry: &mut Registry, settings: &MetricsSettings) {
        self.each().for_each(|controller| controller.register(registry, settings));
        let controllers = self.clone();
        let waiting = move || controllers.0.iter().filter_map(|controller| controller.waiting()).collect();
        registry.register_collector(Box::new(QueueCollector::new(waiting)));
    }

    /// Starts the workers of all kinds.
    pub fn work(&self) -> JoinSet<()> {
        let mut workers = JoinSet::new();
        self.each().for_each(|controller| controller.work(&mut workers));
        workers
    }

    /// Stops the workers. When it returns nothing here writes any more.
    pub async fn stop(&self, mut workers: JoinSet<()>) {
        futures::future::join_all(self.0.iter().map(|controller| controller.before_stop())).await;
        workers.shutdown().await;
        futures::future::join_all(self.0.iter().map(|controller| controller.after_stop())).await;
    }

    /// What the debug page shows, by kind.
    pub fn debug(&self) -> Value {
        let kinds = self.0.iter().map(|controller| (controller.kind().to_owned(), controller.debug()));
        Value::Object(kinds.collect::<Map<_, _>>())
    }

    /// Bytes that the sessions of a namespace take in memory.
    pub fn held_bytes(&self, namespace: &str) -> usize {
        self.0.iter().map(|controller| controller.held_bytes(namespace)).sum()
    }

    /// The eldest session that is reached at `route`, other than `own`.
    pub fn route_holder(&self, route: &str, own: &Key) -> Option<RouteHolder> {
        self.0.iter().find_map(|controller| controller.route_holder(route, own))
    }

    /// What a session of `kind` requires of its Job. `None` when there is no such session.
    pub fn job_constraints(
        &self,
        kind: &SessionKind,
        namespace: &str,
        name: &str,
        settings: &AdmissionSettings,
    ) -> Option<JobConstraints> {
        let controller = self.0.iter().find(|controller| controller.kind() == kind.descriptor.kind)?;
        controller.job_constraints(namespace, name, settings)
    }

    /// The HTTP APIs of all kinds.
    pub fn apis(&self, context: &ApiContext) -> Vec<Router> {
        self.each().filter_map(|controller| controller.api(context)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cmd::plan,
        control::{lease::Leadership, rbac, release},
        settings::flags::Flags,
        telemetry::metrics::Metrics,
    };
    use clap::{Args, Command, FromArgMatches};
    use kube::Client;
    use sojourn_crds::finalizers;
    use std::convert::Infallible;

    fn installation() -> (Context, Settings) {
        let service = tower::service_fn(|_: http::Request<kube::client::Body>| async {
            Ok::<_, Infallible>(http::Response::new(kube::client::Body::empty()))
        });
        let context = Context {
            client: Client::new(service, "default"),
            identity: "test".into(),
            metrics: Metrics::default().reconcile,
            leadership: Leadership::always(),
        };
        let matches = Flags::augment_args(Command::new("run")).try_get_matches_from(["run"]).unwrap();
        let flags = Flags::from_arg_matches(&matches).unwrap();
        (context, Settings::read(flags, &|_| None).unwrap())
    }

    fn names(crd: &Value) -> (&str, &str, &str) {
        let text = |pointer: &str| crd.pointer(pointer).and_then(Value::as_str).unwrap();
        (text("/spec/group"), text("/spec/names/kind"), text("/spec/names/plural"))
    }

    /// Places that a new kind has a row in; see ARCHITECTURE.md.
    #[tokio::test]
    async fn no_table_forgets_a_kind() {
        let (context, settings) = installation();
        let controllers = Controllers::new(&context, &settings);
        let settlers = release::settlers(&context, &settings);
        for (_, crd) in sojourn_crds::all_crds() {
            let (group, kind, plural) = names(&crd);
            let rows = sojourn_webhooks::table::TABLE.iter();
            assert!(rows.clone().any(|row| row.descriptor.is(group, kind)), "{kind} is not guarded");
            let controller = controllers.0.iter().find(|controller| controller.kind() == kind);
            let right = |resource: &str, verb: &str| {
                rbac::rows().any(|row| row.resource == resource && row.verbs.contains(&verb))
            };
            let guarded = SESSION_KINDS.iter().any(|session| session.descriptor.kind == kind);
            assert!(!guarded || controller.is_some(), "the guard of Jobs does not know sessions of {kind}");
            let Some(controller) = controller else { continue };
            let resource = format!("{group}/{plural}");
            assert!(right(&resource, "watch"), "{kind} may not be watched");
            let Some((metric, _)) = controller.waiting() else { continue };
            assert_eq!(format!("{metric:?}"), kind, "the queue of {kind} has another name in metrics");
            assert!(right(&format!("{resource}/status"), "patch"), "the status of {kind} may not be written");
            let row = finalizers::TABLE.iter().find(|row| row.kind.is(group, kind));
            let row = row.unwrap_or_else(|| panic!("nobody knows which finalizers {kind} has"));
            assert!(row.on_sessions.is_empty() || right(&resource, "patch"), "{kind} may not be released");
            let settled = settlers.iter().any(|settler| settler.kind() == kind);
            assert!(row.on_jobs.is_empty() || settled, "results of {kind} are lost with its finalizers");
            let planned = plan::kinds().any(|planned| planned == kind);
            assert!(planned, "sojourn plan does not know {kind}");
        }
    }
}
