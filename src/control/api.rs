//! The calls that the operator makes, each with a deadline.

use super::errors::CallError;
use crate::core::{manifest::MANAGER, object::Kind};
use kube::{
    Client,
    api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions},
    core::{ApiResource, DynamicObject, GroupVersionKind, ListMeta},
};
use serde_json::{Value, json};
use sojourn_crds::KindDescriptor;
use std::{future::Future, time::Duration};

/// How long a call may take. The API server's own limit is a minute; a reconcile has other sessions to see.
const DEADLINE: Duration = Duration::from_secs(15);

/// The API of a kind in a namespace, or in all.
pub fn api(client: &Client, kind: Kind, namespace: Option<&str>) -> Api<DynamicObject> {
    of_resource(client, &resource(kind), namespace)
}

/// The API of a resource in a namespace, or in all.
pub fn of_resource(client: &Client, resource: &ApiResource, namespace: Option<&str>) -> Api<DynamicObject> {
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, resource),
        None => Api::all_with(client.clone(), resource),
    }
}

/// How a described kind is addressed.
pub fn described(kind: &KindDescriptor) -> ApiResource {
    ApiResource::from_gvk_with_plural(
        &GroupVersionKind::gvk(kind.group, kind.version, kind.kind),
        kind.plural,
    )
}

/// How a kind is addressed.
pub fn resource(kind: Kind) -> ApiResource {
    let (group, version) = kind.api_version().split_once('/').unwrap_or(("", kind.api_version()));
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind.name()), kind.plural())
}

/// Waits for a call, but not for ever.
pub async fn within<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, CallError> {
    match tokio::time::timeout(DEADLINE, call).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(CallError::Timeout(DEADLINE)),
    }
}

/// Creates an object; one of that name that is there already is never touched.
pub async fn create(api: &Api<DynamicObject>, manifest: Value) -> Result<DynamicObject, CallError> {
    let object: DynamicObject = serde_json::from_value(manifest)?;
    let params = PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() };
    within(api.create(&params, &object)).await
}

/// Applies an object that is ours.
pub async fn apply(
    api: &Api<DynamicObject>,
    name: &str,
    manifest: &Value,
) -> Result<DynamicObject, CallError> {
    within(api.patch(name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(manifest))).await
}

/// Changes some fields of an object.
pub async fn merge(api: &Api<DynamicObject>, name: &str, patch: &Value) -> Result<DynamicObject, CallError> {
    within(api.patch(name, &merge_params(), &Patch::Merge(patch))).await
}

/// Changes some fields of an object's status.
pub async fn merge_status(
    api: &Api<DynamicObject>,
    name: &str,
    patch: &Value,
) -> Result<DynamicObject, CallError> {
    within(api.patch_status(name, &merge_params(), &Patch::Merge(patch))).await
}

/// A patch under our name: conflicts of server-side apply name it.
fn merge_params() -> PatchParams {
    PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() }
}

/// Deletes that very object. `None`: it is gone; otherwise it is on its way.
pub async fn delete(
    api: &Api<DynamicObject>,
    name: &str,
    uid: &str,
) -> Result<Option<DynamicObject>, CallError> {
    let uid = Some(uid.to_owned());
    let params = DeleteParams {
        preconditions: Some(Preconditions { uid, resource_version: None }),
        ..DeleteParams::background()
    };
    match within(api.delete(name, &params)).await {
        Ok(answer) => Ok(answer.left()),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The object of that name. A list is used because secrets may be listed, but not got, under the rights of
/// the original's chart.
pub async fn find(api: &Api<DynamicObject>, name: &str) -> Result<Option<DynamicObject>, CallError> {
    let params = ListParams::default().fields(&format!("metadata.name={name}"));
    Ok(within(api.list(&params)).await?.items.pop())
}

/// What to ask for after a page of a list; `None` when that was the last.
pub fn next_page(params: &ListParams, page: &ListMeta) -> Option<ListParams> {
    let token = page.continue_.as_deref().filter(|token| !token.is_empty())?;
    Some(params.clone().continue_token(token))
}

/// The patch that takes over the rights of other writers, so that a field which we no longer apply goes.
/// `None` when there is nothing to take over.
///
/// Server-side apply removes a field only when no other field manager owns it. An object that was created
/// by POST, or by the original operator, has its fields owned under an `Update` entry; the entry becomes
/// our `Apply` entry, as `kubectl apply --server-side` does for objects of client-side apply.
pub fn takeover(object: &DynamicObject) -> Option<Value> {
    let mut entries = object.metadata.managed_fields.clone()?;
    let mut fields = Value::Null;
    let mut version = None;
    entries.retain(|entry| {
        let ours = crate::core::object::is_taken_over(entry)
            || (entry.manager.as_deref() == Some(MANAGER) && entry.operation.as_deref() == Some("Apply"));
        if ours {
            union(&mut fields, entry.fields_v1.as_ref().map(|fields| fields.0.clone()).unwrap_or_default());
            version = version.take().or_else(|| entry.api_version.clone());
        }
        !ours
    });
    let mut entries = serde_json::to_value(entries).ok()?;
    entries.as_array_mut()?.push(json!({
        "manager": MANAGER,
        "operation": "Apply",
        "apiVersion": version?,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }));
    Some(json!({"metadata": {"resourceVersion": object.metadata.resource_version, "managedFields": entries}}))
}

/// Sets of fields are nested objects; their union is one too.
fn union(all: &mut Value, more: Value) {
    match (all, more) {
        (Value::Object(all), Value::Object(more)) => {
            for (key, value) in more {
                union(all.entry(key).or_insert_with(|| json!({})), value);
            }
        }
        (all, more) if !more.is_null() => *all = more,
        _ => {}
    }
}
