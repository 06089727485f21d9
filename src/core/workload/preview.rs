//! What a plan's writes come to if the API server takes them as they are, for plans that are shown and not applied.

use super::{Applied, Observed, Plan, WorkloadKind};
use crate::core::{
    manifest::Write,
    object::{CachedObject, Kind},
};
use kube::core::DynamicObject;
use serde_json::{Value, json};
use std::sync::Arc;

/// What a plan's writes would come to. A child that is changed is there as before, as far as a status tells.
pub fn as_applied(plan: &Plan) -> Applied {
    let created = plan.write.iter().filter_map(|write| match write {
        Write::Create { kind, name, manifest } => {
            Some(((*kind, name.clone()), Arc::new(fresh(*kind, manifest)?)))
        }
        Write::Apply { .. } => None,
    });
    Applied {
        children: created.collect(),
        deleted: plan.delete.iter().map(|delete| (delete.kind, delete.name.clone())).collect(),
        errors: plan.blocked.clone(),
    }
}

/// The session's children that a plan leaves as they are.
pub fn kept<K: WorkloadKind>(plan: &Plan, observed: &Observed<K>) -> Vec<(Kind, String)> {
    let owned = observed.children.iter().filter(|(_, live)| observed.owns(live) && !live.deleting);
    owned.filter(|((kind, name), _)| !plan.touches(*kind, name)).map(|(slot, _)| slot.clone()).collect()
}

/// An object as it is right after its creation.
fn fresh(kind: Kind, manifest: &Value) -> Option<CachedObject> {
    let mut object = manifest.clone();
    object["metadata"]["uid"] = json!(format!("new-{kind}"));
    CachedObject::from_dynamic(kind, serde_json::from_value::<DynamicObject>(object).ok()?)
}
