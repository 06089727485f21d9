//! The reconciler of sessions: observe, plan, apply, status, report, apply, tell.

use super::{
    endpoints::{Changes, EndpointResolver, Endpoints},
    index::Index,
    outputs::Outputs,
    runs::{ClusterNetwork, Runs},
};
use crate::{
    control::{
        context::{Context, ReconciledKind},
        errors::CallError,
        key::Key,
        lease::Leadership,
        worker::{Action, Reconcile, Workqueue},
    },
    core::ide_session::{Command, Observed, PlanContext, events, plan, status},
    ide::dial::SystemLookup,
    settings::Settings,
    telemetry::metrics,
};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use parking_lot::RwLock;
use sojourn_crds::ide_session::IdeSession;
use std::{
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::sync::watch;
use tracing::{Instrument, debug_span};

impl ReconciledKind for IdeSession {
    const NAME: &'static str = sojourn_crds::ide_session::KIND;
    const METRIC: metrics::Kind = metrics::Kind::IdeSession;
}

/// Everything that the reconciler works with.
pub struct Reconciler {
    /// The process that it works in. Its leadership opens when the runs lead.
    pub context: Context,
    /// The sessions that there are. Never held across an await.
    pub index: RwLock<Index>,
    /// What has to be looked at.
    pub workqueue: Workqueue,
    /// Which IDEs there are.
    pub endpoints: Arc<Endpoints>,
    /// What is done in them.
    pub runs: Arc<Runs>,
    /// What sessions write.
    pub outputs: Arc<Outputs>,
    /// How long a session waits for its IDE.
    patience: SignedDuration,
    /// Whether this replica leads.
    pub(super) process_leadership: Leadership,
    /// Opens the leadership of `replica`.
    pub(super) readiness_tx: watch::Sender<bool>,
}

impl Reconcile for Reconciler {
    const KIND: metrics::Kind = IdeSession::METRIC;

    fn context(&self) -> &Context {
        &self.context
    }

    fn workqueue(&self) -> &Workqueue {
        &self.workqueue
    }

    fn keys(&self) -> Vec<Key> {
        self.index.read().keys()
    }

    async fn reconcile(&self, key: &Key, now: Timestamp) -> Result<Action, CallError> {
        let Some(observed) = self.observe(key).instrument(debug_span!("observe")).await else {
            return Ok(Action::await_change());
        };
        let context = PlanContext { now, patience: self.patience };
        let plan = debug_span!("plan").in_scope(|| plan(&observed, &context));
        let next = Action::requeue_at(plan.requeue_at, now);
        let begun = self.apply(&observed, plan.first).instrument(debug_span!("apply")).await?;
        if let Some(finalizers) = &plan.finalizers {
            self.set_finalizers(&observed.session, finalizers).await?;
            return Ok(next.changed().no_later_than(Duration::ZERO));
        }
        let status = debug_span!("status").in_scope(|| status(&observed, &plan.step, now));
        let wrote = self.report(&observed.session, &status).instrument(debug_span!("report")).await?;
        // At once: the next leader treats a request that is recorded as about to be sent as sent.
        self.apply(&observed, plan.then).instrument(debug_span!("apply")).await?;
        self.tell(&observed.session, events::for_status(&observed, &status)).await;
        // What follows from what is on record, or known, by now is for the next pass.
        Ok(if begun || wrote { next.changed().no_later_than(Duration::ZERO) } else { next })
    }
}

impl Reconciler {
    /// A reconciler that knows nothing of the cluster yet, and the changes of endpoints for [`Reconciler::follow`].
    /// Must be called within a runtime.
    pub fn new(context: Context, settings: &Settings) -> (Arc<Self>, Changes) {
        let (namespaces, domain) = (&settings.ide.namespaces, &settings.cluster_domain);
        let resolver = Arc::new(EndpointResolver::new(namespaces, domain, Arc::new(SystemLookup)));
        let (endpoints, changes) = Endpoints::new(&settings.ide, &settings.namespace, resolver);
        let endpoints = Arc::new(endpoints);
        let outputs = Arc::new(Outputs::new(&settings.capture));
        let network = ClusterNetwork { domain: domain.clone(), api_server: settings.ide.api_server.clone() };
        let process_leadership = context.leadership.clone();
        let (readiness_tx, leadership) = process_leadership.behind();
        let reconciler = Arc::new_cyclic(|reconciler: &Weak<Self>| {
            let reconciler = reconciler.clone();
            let wake = Arc::new(move |name: &str| {
                if let Some(reconciler) = reconciler.upgrade() {
                    reconciler.workqueue.queue.add(Key::new("", name));
                }
            });
            let runs = Runs::new(endpoints.clone(), &settings.ide, network, outputs.clone(), wake);
            Self {
                context: Context { leadership, ..context },
                index: RwLock::default(),
                workqueue: Workqueue::default(),
                endpoints,
                runs,
                outputs,
                patience: settings.ide.timing.request.try_into().unwrap_or(SignedDuration::MAX),
                process_leadership,
                readiness_tx,
            }
        });
        (reconciler, changes)
    }

    /// What is known of a session. No call.
    async fn observe(&self, key: &Key) -> Option<Observed> {
        let session = self.index.read().session(key)?;
        let (endpoint, run) = self.runs.observe(&session);
        let capture = self.outputs.of(&session).await;
        Some(Observed { session, endpoint, run, capture })
    }

    /// Carries commands out, in their order. Returns whether there were any.
    async fn apply(&self, observed: &Observed, commands: Vec<Command>) -> Result<bool, CallError> {
        let any = !commands.is_empty();
        for command in commands {
            // Whoever leads next decides by what is on record.
            self.context.may_write()?;
            self.runs.carry_out(&observed.session, command).await;
        }
        Ok(any)
    }

    /// An object is gone, whatever held it.
    pub(super) fn lose(&self, uid: Option<&str>) {
        if let Some(uid) = uid {
            self.runs.forget(uid);
        }
    }
}
