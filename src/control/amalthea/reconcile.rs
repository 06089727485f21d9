//! The reconciler of sessions: observe, validate, plan, apply, status, report.

use super::{apply, index::Index, requests::last_request};
use crate::{
    control::{
        errors::CallError,
        key::Key,
        replica::{Reconciled, Replica},
        worker::{Agenda, Next, Reconcile},
    },
    core::{
        amalthea::{
            self, Applied, Context, Plan, Requests, World, idle, notes, obstacles, plan,
            plan::{farewell_without_spec, release_orphan},
            status, validate,
        },
        error::ErrorClass,
        live::Live,
        manifest::fingerprint,
        settings::SessionSettings,
    },
    telemetry::metrics,
};
use k8s_openapi::jiff::Timestamp;
use parking_lot::{Mutex, RwLock};
use serde_json::Value;
use sojourn_crds::amalthea::AmaltheaSession;
use std::{collections::HashMap, time::Duration};
use tokio::time::Instant;
use tracing::{Instrument, debug_span};

impl Reconciled for AmaltheaSession {
    const COUNTED: metrics::Kind = metrics::Kind::AmaltheaSession;
}

/// Everything that the reconciler works with.
pub struct Reconciler {
    /// The process that it works in.
    pub replica: Replica,
    /// What the cluster holds. Never held across an await.
    pub index: RwLock<Index>,
    /// What has to be looked at.
    pub agenda: Agenda,
    /// The choices of whoever installed the operator.
    pub settings: SessionSettings,
    pub(super) passes: Mutex<HashMap<Key, Pass>>,
}

/// What is remembered of a session between passes. Losing it costs at most a write that could have waited.
#[derive(Default)]
pub(super) struct Pass {
    pub(super) status_written: Option<Instant>,
    /// By UID of a child: what was last applied, and what the API server made of it.
    settled: HashMap<String, (String, String)>,
}

impl Reconcile for Reconciler {
    const KIND: metrics::Kind = AmaltheaSession::COUNTED;

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
        let context = self.context(now);
        let Some(world) = self.observe(key, &context).instrument(debug_span!("observe")).await else {
            return self.clean_up(key).await;
        };
        let checked =
            debug_span!("validate").in_scope(|| validate(&world.session, self.obstacles(&world, now)));
        let Some(checked) = checked else {
            return self.report_unworkable(key, &world, &context).await;
        };
        let plan = debug_span!("plan").in_scope(|| plan(&checked, &world, &context));
        if let Some(run) = &plan.begin_run {
            return self.begin_run(&world, run, &plan).await;
        }
        let applied = apply::apply(self, &world.session, &plan).instrument(debug_span!("apply")).await;
        let report = debug_span!("status").in_scope(|| status(&checked, &world, &applied, &context));
        let told = notes::of_plan(&plan);
        // An apply may have moved the session's own version (its finalizer); report on what is known now.
        let session = self.index.read().session(key).filter(|now| now.uid() == world.session.uid());
        let Some(session) = session else {
            // It went with its finalizer. What became of its secrets is told all the same.
            for note in &told {
                self.replica.publish(&*world.session, note).await;
            }
            return Ok(Next::At(None));
        };
        let notes = told.into_iter().chain(notes::of_report(&world.session, &report)).collect();
        let reporting = self.report(key, &session, &report, notes, now);
        let mut next = reporting.instrument(debug_span!("report")).await?;
        if !applied.deleted.is_empty() {
            // What takes the place of a child that we took away is planned without it. A watch that had to list anew
            // meanwhile misses nothing in its list, and nobody else asks for a look.
            next = next.no_later_than(Duration::ZERO);
        }
        Ok(worst(&applied).map_or(next, |class| next.after_error(class)))
    }
}

impl Reconciler {
    /// A reconciler that knows nothing of the cluster yet.
    pub fn new(replica: Replica, settings: SessionSettings) -> Self {
        Self {
            replica,
            index: RwLock::default(),
            agenda: Agenda::default(),
            settings,
            passes: Mutex::default(),
        }
    }

    /// What is known of the session; no call, but for the question to its proxy on which its end depends.
    async fn observe(&self, key: &Key, context: &Context<'_>) -> Option<World> {
        let mut world = self.index.read().observe(key)?;
        let address = validate(&world.session, Vec::new())
            .and_then(|checked| idle::to_be_asked(&checked, &world, context));
        if let (Some(address), Some(pod)) = (address, world.pod()) {
            let requests = Requests { last: last_request(&address).await, asked: context.now };
            self.index.write().apply_requests(key, &pod.uid, requests);
            world.requests = Some(requests);
        }
        Some(world)
    }

    fn context(&self, now: Timestamp) -> Context<'_> {
        Context {
            now,
            entropy: rand::random(),
            settings: &self.settings,
            // One list may fail, and the next be late, before what is known is too old.
            usage_valid: (self.settings.idle_check_interval * 3)
                .try_into()
                .unwrap_or(jiff::SignedDuration::MAX),
        }
    }

    /// What the admission rules say against a session that got past them, as far as it prevents a workload.
    fn obstacles(&self, world: &World, now: Timestamp) -> Vec<String> {
        obstacles(&world.session, self.settings.on_deadline, now)
    }

    /// The session is gone. Its children go by their owner references, but for Jobs that our finalizer holds.
    async fn clean_up(&self, key: &Key) -> Result<Next, CallError> {
        self.passes.lock().remove(key);
        let leftovers = self.index.read().leftovers(key);
        for release in leftovers.iter().filter_map(|job| release_orphan(job)) {
            self.release(&release).await?;
        }
        Ok(Next::At(None))
    }

    /// Writes a new run down. Everything else follows when the write comes back.
    async fn begin_run(&self, world: &World, run: &str, plan: &Plan) -> Result<Next, CallError> {
        self.write_status(&world.session, serde_json::json!({"runID": run})).await?;
        for note in notes::of_plan(plan) {
            self.replica.publish(&*world.session, &note).await;
        }
        Ok(Next::At(Some(Duration::ZERO)))
    }

    async fn report_unworkable(
        &self,
        key: &Key,
        world: &World,
        context: &Context<'_>,
    ) -> Result<Next, CallError> {
        if let Some(finalizers) = farewell_without_spec(&world.session) {
            self.set_finalizers(&world.session, &finalizers).await?;
            return Ok(Next::At(None));
        }
        let report = amalthea::status::unworkable(&world.session, context.now);
        let notes = notes::of_report(&world.session, &report);
        self.report(key, &world.session, &report, notes, context.now).await
    }

    /// Whether this very manifest was applied to this very object before. Where somebody else's webhook changes
    /// what we apply, applying it again changes nothing.
    pub(super) fn is_settled(&self, key: &Key, manifest: &Value, live: &Live) -> bool {
        let passes = self.passes.lock();
        passes.get(key).and_then(|pass| pass.settled.get(&live.uid)).is_some_and(|(applied, made)| {
            *applied == fingerprint(manifest) && *made == live.content_fingerprint()
        })
    }

    /// Remembers what the API server made of a manifest.
    pub(super) fn settle(&self, key: &Key, manifest: &Value, live: &Live) {
        let entry = (fingerprint(manifest), live.content_fingerprint());
        self.passes.lock().entry(key.clone()).or_default().settled.insert(live.uid.clone(), entry);
    }
}

/// The error that decides when to try again: the one that comes back soonest.
fn worst(applied: &Applied) -> Option<ErrorClass> {
    applied.errors.iter().map(|error| error.class).min()
}
