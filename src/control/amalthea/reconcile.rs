//! The reconciler of sessions: observe, validate, plan, apply, status, report.

use super::{apply, index::Index, requests::last_request};
use crate::{
    control::{
        context::{Context, ReconciledKind},
        errors::CallError,
        key::Key,
        worker::{Action, Reconcile, Workqueue},
    },
    core::{
        amalthea::{
            self, Applied, Observed, Plan, PlanContext, Requests, blocking_findings, events, idle, plan,
            plan::{finalize_without_spec, release_orphan},
            status, validate,
        },
        error::ErrorClass,
        manifest::fingerprint,
        object::CachedObject,
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

impl ReconciledKind for AmaltheaSession {
    const METRIC: metrics::Kind = metrics::Kind::AmaltheaSession;
}

/// Everything that the reconciler works with.
pub struct Reconciler {
    /// The process that it works in.
    pub context: Context,
    /// What the cluster holds. Never held across an await.
    pub index: RwLock<Index>,
    /// What has to be looked at.
    pub workqueue: Workqueue,
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
    const KIND: metrics::Kind = AmaltheaSession::METRIC;

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
        let context = self.context(now);
        let Some(observed) = self.observe(key, &context).instrument(debug_span!("observe")).await else {
            return self.clean_up(key).await;
        };
        let checked = debug_span!("validate")
            .in_scope(|| validate(&observed.session, self.blocking_findings(&observed, now)));
        let Some(checked) = checked else {
            return self.report_unworkable(key, &observed, &context).await;
        };
        let plan = debug_span!("plan").in_scope(|| plan(&checked, &observed, &context));
        if let Some(run) = &plan.begin_run {
            return self.begin_run(&observed, run, &plan).await;
        }
        let applied = apply::apply(self, &observed.session, &plan).instrument(debug_span!("apply")).await;
        let report = debug_span!("status").in_scope(|| status(&checked, &observed, &applied, &context));
        let told = events::for_plan(&plan);
        // An apply may have moved the session's own version (its finalizer); report on what is known now.
        let session = self.index.read().session(key).filter(|now| now.uid() == observed.session.uid());
        let Some(session) = session else {
            // It went with its finalizer. What became of its secrets is told all the same.
            for note in &told {
                self.context.publish(&*observed.session, note).await;
            }
            return Ok(Action::RequeueAfter(None));
        };
        let events = told.into_iter().chain(events::for_report(&observed.session, &report)).collect();
        let reporting = self.report(key, &session, &report, events, now);
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
    pub fn new(context: Context, settings: SessionSettings) -> Self {
        Self {
            context,
            index: RwLock::default(),
            workqueue: Workqueue::default(),
            settings,
            passes: Mutex::default(),
        }
    }

    /// What is known of the session; no call, but for the question to its proxy on which its end depends.
    async fn observe(&self, key: &Key, context: &PlanContext<'_>) -> Option<Observed> {
        let mut observed = self.index.read().observe(key)?;
        let address = validate(&observed.session, Vec::new())
            .and_then(|checked| idle::to_be_asked(&checked, &observed, context));
        if let (Some(address), Some(pod)) = (address, observed.pod()) {
            let requests = Requests { last: last_request(&address).await, asked: context.now };
            self.index.write().apply_requests(key, &pod.uid, requests);
            observed.requests = Some(requests);
        }
        Some(observed)
    }

    fn context(&self, now: Timestamp) -> PlanContext<'_> {
        PlanContext {
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
    fn blocking_findings(&self, observed: &Observed, now: Timestamp) -> Vec<String> {
        blocking_findings(&observed.session, self.settings.on_deadline, now)
    }

    /// The session is gone. Its children go by their owner references, but for Jobs that our finalizer holds.
    async fn clean_up(&self, key: &Key) -> Result<Action, CallError> {
        self.passes.lock().remove(key);
        let leftovers = self.index.read().leftovers(key);
        for release in leftovers.iter().filter_map(|job| release_orphan(job)) {
            self.release(&release).await?;
        }
        Ok(Action::RequeueAfter(None))
    }

    /// Writes a new run down. Everything else follows when the write comes back.
    async fn begin_run(&self, observed: &Observed, run: &str, plan: &Plan) -> Result<Action, CallError> {
        self.write_status(&observed.session, serde_json::json!({"runID": run})).await?;
        for note in events::for_plan(plan) {
            self.context.publish(&*observed.session, &note).await;
        }
        Ok(Action::RequeueAfter(Some(Duration::ZERO)))
    }

    async fn report_unworkable(
        &self,
        key: &Key,
        observed: &Observed,
        context: &PlanContext<'_>,
    ) -> Result<Action, CallError> {
        if let Some(finalizers) = finalize_without_spec(&observed.session) {
            self.set_finalizers(&observed.session, &finalizers).await?;
            return Ok(Action::RequeueAfter(None));
        }
        let report = amalthea::status::unworkable(&observed.session, context.now);
        let events = events::for_report(&observed.session, &report);
        self.report(key, &observed.session, &report, events, context.now).await
    }

    /// Whether this very manifest was applied to this very object before. Where somebody else's webhook changes
    /// what we apply, applying it again changes nothing.
    pub(super) fn is_settled(&self, key: &Key, manifest: &Value, live: &CachedObject) -> bool {
        let passes = self.passes.lock();
        passes.get(key).and_then(|pass| pass.settled.get(&live.uid)).is_some_and(|(applied, made)| {
            *applied == fingerprint(manifest) && *made == live.content_fingerprint()
        })
    }

    /// Remembers what the API server made of a manifest.
    pub(super) fn settle(&self, key: &Key, manifest: &Value, live: &CachedObject) {
        let entry = (fingerprint(manifest), live.content_fingerprint());
        self.passes.lock().entry(key.clone()).or_default().settled.insert(live.uid.clone(), entry);
    }
}

/// The error that decides when to try again: the one that comes back soonest.
fn worst(applied: &Applied) -> Option<ErrorClass> {
    applied.errors.iter().map(|error| error.class).min()
}
