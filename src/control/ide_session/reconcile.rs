//! The reconciler of sessions: observe, plan, apply, status, report, apply, tell.

use super::{
    endpoints::{Changes, Endpoints, Places},
    index::Index,
    outputs::Outputs,
    runs::{Runs, Surroundings},
};
use crate::{
    control::{
        errors::CallError,
        key::Key,
        lease::Gate,
        replica::{Reconciled, Replica},
        worker::{Agenda, Next, Reconcile},
    },
    core::ide_session::{Command, World, notes, plan, status},
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

impl Reconciled for IdeSession {
    const COUNTED: metrics::Kind = metrics::Kind::IdeSession;
}

/// Everything that the reconciler works with.
pub struct Reconciler {
    /// The process that it works in. Its gate opens when the runs lead.
    pub replica: Replica,
    /// The sessions that there are. Never held across an await.
    pub index: RwLock<Index>,
    /// What has to be looked at.
    pub agenda: Agenda,
    /// Which IDEs there are.
    pub endpoints: Arc<Endpoints>,
    /// What is done in them.
    pub runs: Arc<Runs>,
    /// What sessions write.
    pub outputs: Arc<Outputs>,
    /// How long a session waits for its IDE.
    patience: SignedDuration,
    /// Whether this replica leads.
    pub(super) outer: Gate,
    /// Opens the gate of `replica`.
    pub(super) keeper: watch::Sender<bool>,
}

impl Reconcile for Reconciler {
    const KIND: metrics::Kind = IdeSession::COUNTED;

    fn replica(&self) -> &Replica {
        &self.replica
    }

    fn agenda(&self) -> &Agenda {
        &self.agenda
    }

    fn keys(&self) -> Vec<Key> {
        self.index.read().keys()
    }

    async fn reconcile(&self, key: &Key, now: Timestamp) -> Result<Next, CallError> {
        let Some(world) = self.observe(key).instrument(debug_span!("observe")).await else {
            return Ok(Next::At(None));
        };
        let plan = debug_span!("plan").in_scope(|| plan(&world, now));
        let next = Next::after(plan.wake, now);
        let begun = self.apply(&world, plan.first).instrument(debug_span!("apply")).await?;
        if let Some(finalizers) = &plan.finalizers {
            self.set_finalizers(&world.session, finalizers).await?;
            return Ok(next.no_later_than(Duration::ZERO));
        }
        let status = debug_span!("status").in_scope(|| status(&world, &plan.step, now));
        let wrote = self.report(&world.session, &status).instrument(debug_span!("report")).await?;
        // At once: what is on record as about to be sent is taken for sent by whoever comes next.
        self.apply(&world, plan.then).instrument(debug_span!("apply")).await?;
        self.tell(&world.session, notes::of_status(&world, &status)).await;
        // What follows from what is on record, or known, by now is for the next pass.
        Ok(if begun || wrote { next.no_later_than(Duration::ZERO) } else { next })
    }
}

impl Reconciler {
    /// A reconciler that knows nothing of the cluster yet, and the changes of endpoints for [`Reconciler::follow`].
    /// Must be called within a runtime.
    pub fn new(replica: Replica, settings: &Settings) -> (Arc<Self>, Changes) {
        let (namespaces, domain) = (&settings.ide.namespaces, &settings.cluster_domain);
        let places = Arc::new(Places::new(namespaces, domain, Arc::new(SystemLookup)));
        let (endpoints, changes) = Endpoints::new(&settings.ide, &settings.namespace, places);
        let endpoints = Arc::new(endpoints);
        let outputs = Arc::new(Outputs::new(&settings.capture));
        let surroundings =
            Surroundings { domain: domain.clone(), api_server: settings.ide.api_server.clone() };
        let outer = replica.gate.clone();
        let (keeper, gate) = outer.behind();
        let reconciler = Arc::new_cyclic(|reconciler: &Weak<Self>| {
            let reconciler = reconciler.clone();
            let wake = Arc::new(move |name: &str| {
                if let Some(reconciler) = reconciler.upgrade() {
                    reconciler.agenda.queue.add(Key::new("", name));
                }
            });
            let runs = Runs::new(endpoints.clone(), &settings.ide, surroundings, outputs.clone(), wake);
            Self {
                replica: Replica { gate, ..replica },
                index: RwLock::default(),
                agenda: Agenda::default(),
                endpoints,
                runs,
                outputs,
                patience: settings.ide.timing.request.try_into().unwrap_or(SignedDuration::MAX),
                outer,
                keeper,
            }
        });
        (reconciler, changes)
    }

    /// What is known of a session. No call.
    async fn observe(&self, key: &Key) -> Option<World> {
        let session = self.index.read().session(key)?;
        let (endpoint, run) = self.runs.observe(&session);
        let capture = self.outputs.of(&session).await;
        Some(World { session, endpoint, run, capture, patience: self.patience })
    }

    /// Carries commands out, in their order. Returns whether there were any.
    async fn apply(&self, world: &World, commands: Vec<Command>) -> Result<bool, CallError> {
        let any = !commands.is_empty();
        for command in commands {
            // Whoever leads next decides by what is on record.
            self.replica.may_write()?;
            self.runs.carry_out(&world.session, command).await;
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
