//! What a session needs before nobody follows it any longer: its result goes on record, and if it is being deleted, what
//! goes with it is deleted. Nothing is begun.
//!
//! There are no watches here: what a decision needs is listed when it is made. That is less than the operator would
//! hold, and what cannot be read is an error of the one session that needs it.

use super::{ControlledKind, Reconciler};
use crate::{
    control::{api, context::status_patch, errors::CallError, key::Key},
    core::{
        error::ErrorClass,
        object::{CachedObject, Kind},
        release::is_unrecorded,
        workload::{Applied, ChildError, Observed, Plan},
    },
};
use futures::future::BoxFuture;
use k8s_openapi::jiff::Timestamp;
use kube::{Api, api::ListParams, core::DynamicObject};
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};
use tokio::sync::Mutex;

/// Objects in a page of a list.
const PAGE: u32 = 100;

/// A session could not be settled.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Something that belongs to the session is not as it should be.
    #[error("{} {}: {}", .0.kind, .0.name, .0.message)]
    Child(ChildError),
}

impl SettleError {
    /// The class of the error.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Call(error) => error.class(),
            Self::Child(error) => error.class,
        }
    }
}

/// A kind whose sessions can be settled.
pub trait Settle: Send + Sync {
    /// The kind, as manifests name it.
    fn kind(&self) -> &'static str;

    /// The name of the session that a child with these labels belongs to, if it is of the kind.
    fn session_of(&self, labels: &BTreeMap<String, String>) -> Option<String>;

    /// Puts the result of a session on record, if it has one that is not. Returns whether that was so.
    fn record<'a>(&'a self, key: &'a Key, now: Timestamp) -> BoxFuture<'a, Result<bool, SettleError>>;

    /// Deletes what goes with a session that is being deleted, and lets it go.
    fn finish<'a>(&'a self, key: &'a Key, now: Timestamp) -> BoxFuture<'a, Result<(), SettleError>>;
}

/// Settles sessions of a kind with children.
pub struct Settler<K: ControlledKind> {
    reconciler: Reconciler<K>,
    /// Namespaces whose sessions are all in the index.
    listed: Mutex<HashSet<Arc<str>>>,
}

impl<K: ControlledKind> Settler<K> {
    /// Works with a reconciler that has no watches.
    pub fn new(reconciler: Reconciler<K>) -> Self {
        Self { reconciler, listed: Mutex::default() }
    }

    /// Lists what the decision about a session depends on. Returns whether there is a session. Warnings are left out:
    /// they explain why a pod does not start.
    async fn load(&self, key: &Key) -> Result<bool, CallError> {
        let client = &self.reconciler.context.client;
        let sessions = api::of_resource(client, &K::resource(), Some(&key.namespace));
        let session = match api::find(&sessions, &key.name).await {
            // The cluster does not serve the kind.
            Err(error) if error.is_not_found() => None,
            found => found?,
        };
        let Some(session) = session else {
            self.reconciler.index.write().remove_session(key);
            return Ok(false);
        };
        if session.metadata.deletion_timestamp.is_some() {
            self.load_others(&sessions, &key.namespace).await?;
        }
        self.reconciler.store_session(session);
        let (label, value) = K::SELECTOR;
        let ours = ListParams::default().labels(&format!("{label}={value},{}={}", K::NAME_LABEL, key.name));
        for kind in K::CHILDREN.iter().copied().chain([Kind::Pod]) {
            let children = api::within(api::api(client, kind, Some(&key.namespace)).list(&ours)).await?;
            let mut index = self.reconciler.index.write();
            for child in children.items.into_iter().filter_map(|it| CachedObject::from_dynamic(kind, it)) {
                index.apply_object(child);
            }
        }
        Ok(true)
    }

    /// Lists all sessions of a namespace, once: a secret that another session refers to is not deleted.
    async fn load_others(
        &self,
        sessions: &Api<DynamicObject>,
        namespace: &Arc<str>,
    ) -> Result<(), CallError> {
        let mut listed = self.listed.lock().await;
        if listed.contains(namespace) {
            return Ok(());
        }
        let mut next = Some(ListParams::default().limit(PAGE));
        while let Some(params) = next {
            let page = api::within(sessions.list(&params)).await?;
            next = api::next_page(&params, &page.metadata);
            page.items.into_iter().for_each(|session| self.reconciler.store_session(session));
        }
        listed.insert(namespace.clone());
        Ok(())
    }

    /// What the cluster holds of a session.
    async fn observe(&self, key: &Key) -> Result<Option<Observed<K>>, CallError> {
        Ok(if self.load(key).await? { self.reconciler.index.read().observe(key) } else { None })
    }

    async fn record(&self, key: &Key, now: Timestamp) -> Result<bool, SettleError> {
        let Some(observed) = self.observe(key).await? else { return Ok(false) };
        let (session, plan_context) = (&*observed.session, self.reconciler.plan_context(now));
        let checked = K::validate(session, &plan_context);
        let report = K::status(&checked, &observed, &Plan::default(), &Applied::default(), &plan_context);
        if is_deleting(session) || !is_unrecorded(session, &report.status) {
            return Ok(false);
        }
        // Written at once and not by `report`, which may put a write off for a later reconcile: there is none. Hibernation
        // and deletion wait for the next operator.
        let context = &self.reconciler.context;
        if let Some(patch) = status_patch(session.recorded(), &report.status)? {
            self.reconciler.store_session(context.write_status(session, patch).await?);
        }
        for event in &report.events {
            context.publish(session, event).await;
        }
        Ok(true)
    }

    async fn finish(&self, key: &Key, now: Timestamp) -> Result<(), SettleError> {
        let Some(observed) = self.observe(key).await? else { return Ok(()) };
        let (session, context) = (&*observed.session, self.reconciler.plan_context(now));
        if !is_deleting(session) {
            return Ok(());
        }
        let checked = K::validate(session, &context);
        let plan = Plan { write: Vec::new(), ..K::plan(&checked, &observed, &context) };
        let applied = self.reconciler.apply(session, &plan).await;
        applied.errors.into_iter().next().map_or(Ok(()), |error| Err(SettleError::Child(error)))
    }
}

fn is_deleting(session: &impl kube::Resource) -> bool {
    session.meta().deletion_timestamp.is_some()
}

impl<K: ControlledKind> Settle for Settler<K> {
    fn kind(&self) -> &'static str {
        K::NAME
    }

    fn session_of(&self, labels: &BTreeMap<String, String>) -> Option<String> {
        let (label, value) = K::SELECTOR;
        labels.get(label).filter(|it| *it == value)?;
        labels.get(K::NAME_LABEL).cloned()
    }

    fn record<'a>(&'a self, key: &'a Key, now: Timestamp) -> BoxFuture<'a, Result<bool, SettleError>> {
        Box::pin(Settler::record(self, key, now))
    }

    fn finish<'a>(&'a self, key: &'a Key, now: Timestamp) -> BoxFuture<'a, Result<(), SettleError>> {
        Box::pin(Settler::finish(self, key, now))
    }
}
