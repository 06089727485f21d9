//! One process of the operator as its reconcilers see it, and the writes that are the same for every kind: status,
//! finalizers, deletion, Events.

use super::{api, errors::CallError, event, lease::Leadership};
use crate::{
    core::{event::EventRecord, merge},
    telemetry::metrics::{self, ReconcileMetrics, Verb},
};
use kube::{
    Api, Client, Resource,
    core::{ApiResource, DynamicObject},
};
use serde::Serialize;
use serde_json::{Value, json};

/// What all reconcilers of a process share.
#[derive(Clone)]
pub struct Context {
    /// The API server.
    pub client: Client,
    /// Name of this replica, for Events.
    pub identity: String,
    /// Where passes and writes are counted.
    pub metrics: ReconcileMetrics,
    /// Whether this replica may write.
    pub leadership: Leadership,
}

/// A kind that is reconciled.
pub trait ReconciledKind: Resource<DynamicType = ()> + Sized {
    /// The kind, as manifests name it.
    const NAME: &'static str;
    /// Under which name its passes and writes are counted.
    const METRIC: metrics::Kind;

    /// How the kind is addressed.
    fn resource() -> ApiResource {
        ApiResource::erase::<Self>(&())
    }
}

impl Context {
    /// Whether a write may begin: true only while this replica leads, whatever the election has noticed.
    pub fn may_write(&self) -> Result<(), CallError> {
        if self.leadership.is_leader() { Ok(()) } else { Err(CallError::NotLeading) }
    }

    /// Counts a write that is about to be made for an object of the kind `K`; an error when it must not be.
    pub fn writes<K: ReconciledKind>(&self, verb: Verb) -> Result<(), CallError> {
        self.may_write()?;
        self.wrote::<K>(verb);
        Ok(())
    }

    /// Counts a write that was made for an object of the kind `K`.
    pub fn wrote<K: ReconciledKind>(&self, verb: Verb) {
        self.metrics.wrote(K::METRIC, verb);
    }

    /// The API of the object's kind, where the object is.
    fn api_of<K: ReconciledKind>(&self, object: &K) -> Api<DynamicObject> {
        api::of_resource(&self.client, &K::resource(), object.meta().namespace.as_deref())
    }

    /// Writes fields of the status, unless somebody changed the object since it was read.
    pub async fn write_status<K: ReconciledKind>(
        &self,
        object: &K,
        status: Value,
    ) -> Result<DynamicObject, CallError> {
        self.writes::<K>(Verb::Status)?;
        let patch = json!({
            "metadata": {"resourceVersion": object.meta().resource_version},
            "status": status,
        });
        api::merge_status(&self.api_of(object), name(object), &patch).await
    }

    /// Sets the finalizers, unless somebody changed the object since it was read.
    pub async fn set_finalizers<K: ReconciledKind>(
        &self,
        object: &K,
        finalizers: &[String],
    ) -> Result<DynamicObject, CallError> {
        self.writes::<K>(Verb::Patch)?;
        let patch = json!({"metadata": {
            "resourceVersion": object.meta().resource_version,
            "finalizers": finalizers,
        }});
        api::merge(&self.api_of(object), name(object), &patch).await
    }

    /// Changes fields of the spec of that very object, whatever else was changed since it was read.
    pub async fn change_spec<K: ReconciledKind>(
        &self,
        object: &K,
        spec: Value,
    ) -> Result<DynamicObject, CallError> {
        self.writes::<K>(Verb::Patch)?;
        let patch = json!({"metadata": {"uid": object.meta().uid}, "spec": spec});
        api::merge(&self.api_of(object), name(object), &patch).await
    }

    /// Deletes that very object. `None`: it is gone; otherwise it is on its way.
    pub async fn delete<K: ReconciledKind>(&self, object: &K) -> Result<Option<DynamicObject>, CallError> {
        self.writes::<K>(Verb::Delete)?;
        let uid = object.meta().uid.as_deref().unwrap_or_default();
        api::delete(&self.api_of(object), name(object), uid).await
    }

    /// Publishes an Event on the object. One that cannot be published is lost: it repeats what the status says.
    pub async fn publish<K: ReconciledKind>(&self, object: &K, note: &EventRecord) {
        if self.writes::<K>(Verb::Event).is_err() {
            return;
        }
        event::publish(&self.client, object.object_ref(&()), &self.identity, "Reconcile", note).await;
    }
}

/// The merge patch from one status to the other; `None` when they are equal.
pub fn status_patch<S: Serialize>(old: Option<&S>, new: &S) -> Result<Option<Value>, CallError> {
    let old = old.map(serde_json::to_value).transpose()?.unwrap_or_else(|| json!({}));
    Ok(merge::difference(&old, &serde_json::to_value(new)?))
}

fn name(object: &impl Resource) -> &str {
    object.meta().name.as_deref().unwrap_or_default()
}
