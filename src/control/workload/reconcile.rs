//! The reconciler of a kind with children: observe, validate, plan, apply, status, report.

use super::{ControlledKind, Index, progress::ProgressBudget};
use crate::{
    control::{
        context::Context,
        errors::CallError,
        key::Key,
        worker::{Action, Reconcile, Workqueue},
    },
    core::{
        manifest::fingerprint,
        object::CachedObject,
        workload::{Applied, Observed, PlanContext, Release},
    },
    telemetry::metrics,
};
use k8s_openapi::jiff::Timestamp;
use kube::core::DynamicObject;
use parking_lot::{Mutex, RwLock};
use serde_json::Value;
use std::{collections::HashMap, time::Duration};
use tokio::time::Instant;
use tracing::{Instrument, debug_span};

/// The reconciler of a kind.
pub struct Reconciler<K: ControlledKind> {
    /// The process that it works in.
    pub context: Context,
    /// What the cluster holds. Never held across an await.
    pub index: RwLock<Index<K>>,
    /// The keys to reconcile.
    pub workqueue: Workqueue,
    /// The settings of the installation for the kind.
    pub settings: K::Settings,
    pub(super) memory: Mutex<HashMap<Key, Memory>>,
    pub(super) progress: ProgressBudget,
}

/// What is remembered of a session between reconciles. Losing it costs at most a write that could have waited.
#[derive(Default)]
pub(super) struct Memory {
    /// Since when there is a change of the status that waits.
    pub(super) deferred_since: Option<Instant>,
    /// By topic: when an Event was last published about it. The topics are the children of the session.
    pub(super) published: HashMap<String, Instant>,
    /// By UID of a child: what was last applied, and what the API server made of it.
    applied: HashMap<String, (String, String)>,
}

impl<K: ControlledKind> Reconcile for Reconciler<K> {
    const KIND: metrics::Kind = K::METRIC;

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
        let context = self.plan_context(now);
        let Some(observed) = self.observe(key, &context).instrument(debug_span!("observe")).await else {
            return self.release_orphans(key).await;
        };
        let checked = debug_span!("validate").in_scope(|| K::validate(&observed.session, &context));
        let plan = debug_span!("plan").in_scope(|| K::plan(&checked, &observed, &context));
        let applied = self.apply(&observed.session, &plan).instrument(debug_span!("apply")).await;
        let report =
            debug_span!("status").in_scope(|| K::status(&checked, &observed, &plan, &applied, &context));
        let action =
            self.report(key, &observed.session, report, now).instrument(debug_span!("report")).await?;
        Ok(after_writes(action, &applied))
    }
}

impl<K: ControlledKind> Reconciler<K> {
    /// A reconciler that knows nothing of the cluster yet.
    pub fn new(context: Context, settings: K::Settings) -> Self {
        Self {
            context,
            index: RwLock::default(),
            workqueue: Workqueue::default(),
            settings,
            memory: Mutex::default(),
            progress: ProgressBudget::default(),
        }
    }

    pub(super) fn plan_context(&self, now: Timestamp) -> PlanContext<'_, K::Settings> {
        PlanContext { now, entropy: rand::random(), settings: &self.settings }
    }

    /// What is known of the session. No call, but for what the kind has to ask for now.
    async fn observe(&self, key: &Key, context: &PlanContext<'_, K::Settings>) -> Option<Observed<K>> {
        let mut observed = self.index.read().observe(key)?;
        K::complete(self, key, &mut observed, context).await;
        Some(observed)
    }

    /// The session is gone. Its children go by their owner references, but for Jobs that our finalizer holds.
    async fn release_orphans(&self, key: &Key) -> Result<Action, CallError> {
        self.memory.lock().remove(key);
        let orphans = self.index.read().orphaned_jobs(key);
        for release in orphans.iter().filter_map(|job| Release::of_orphan(job)) {
            self.release(&release).await?;
        }
        Ok(Action::await_change())
    }

    /// Takes in a session that the API server answered with, ahead of the watch.
    pub(super) fn store_session(&self, object: DynamicObject) {
        if let Ok(session) = K::read(object) {
            self.index.write().apply_session(session);
        }
    }

    /// Whether this very manifest was applied to this very object before. Where another webhook changes what we apply,
    /// applying it again changes nothing.
    pub(super) fn is_applied(&self, key: &Key, manifest: &Value, live: &CachedObject) -> bool {
        let memory = self.memory.lock();
        memory.get(key).and_then(|memory| memory.applied.get(&live.uid)).is_some_and(|(applied, result)| {
            *applied == fingerprint(manifest) && *result == live.content_fingerprint()
        })
    }

    /// Remembers what the API server made of a manifest.
    pub(super) fn remember_applied(&self, key: &Key, manifest: &Value, live: &CachedObject) {
        let entry = (fingerprint(manifest), live.content_fingerprint());
        self.memory.lock().entry(key.clone()).or_default().applied.insert(live.uid.clone(), entry);
    }
}

/// When to reconcile again, given what became of the writes.
fn after_writes(action: Action, applied: &Applied) -> Action {
    // The replacement of a child that was deleted is planned once it is gone. A watch that had to list anew meanwhile
    // misses nothing in its list, so no event would trigger that plan.
    let action = if applied.deleted.is_empty() { action } else { action.no_later_than(Duration::ZERO) };
    let wrote = !applied.deleted.is_empty() || !applied.children.is_empty();
    let action = if wrote { action.changed() } else { action };
    applied.retry_class().map_or(action, |class| action.after_error(class))
}
