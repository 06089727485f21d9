//! Object metadata without what nobody reads: managed fields, and the copy that `kubectl apply` keeps of what it
//! applied. Together they can be two thirds of an object.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use std::{borrow::Cow, collections::BTreeMap, fmt};

/// Annotation in which `kubectl apply` keeps what it applied.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// What is kept of [`ObjectMeta`].
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Lean {
    annotations: Option<Annotations>,
    creation_timestamp: Option<Time>,
    deletion_grace_period_seconds: Option<i64>,
    deletion_timestamp: Option<Time>,
    finalizers: Option<Vec<String>>,
    generate_name: Option<String>,
    generation: Option<i64>,
    labels: Option<BTreeMap<String, String>>,
    name: Option<String>,
    namespace: Option<String>,
    owner_references: Option<Vec<OwnerReference>>,
    resource_version: Option<String>,
    uid: Option<String>,
}

/// All annotations but [`LAST_APPLIED`].
struct Annotations(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Annotations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(AnnotationsVisitor)
    }
}

struct AnnotationsVisitor;

impl<'de> Visitor<'de> for AnnotationsVisitor {
    type Value = Annotations;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut annotations = BTreeMap::new();
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if key == LAST_APPLIED {
                map.next_value::<IgnoredAny>()?;
            } else {
                annotations.insert(key.into_owned(), map.next_value()?);
            }
        }
        Ok(Annotations(annotations))
    }
}

/// Reads metadata without `managedFields` and [`LAST_APPLIED`], which are skipped and never held. For `#[serde(deserialize_with)]`.
pub fn lean<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
    let lean = Lean::deserialize(deserializer)?;
    Ok(ObjectMeta {
        annotations: lean.annotations.map(|annotations| annotations.0),
        creation_timestamp: lean.creation_timestamp,
        deletion_grace_period_seconds: lean.deletion_grace_period_seconds,
        deletion_timestamp: lean.deletion_timestamp,
        finalizers: lean.finalizers,
        generate_name: lean.generate_name,
        generation: lean.generation,
        labels: lean.labels,
        managed_fields: None,
        name: lean.name,
        namespace: lean.namespace,
        owner_references: lean.owner_references,
        resource_version: lean.resource_version,
        self_link: None,
        uid: lean.uid,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn everything_that_somebody_reads_is_kept() {
        let mut metadata = json!({
            "annotations": {"a": "b"}, "creationTimestamp": "2026-01-01T00:00:00Z",
            "deletionGracePeriodSeconds": 3, "deletionTimestamp": "2026-01-01T00:00:00Z",
            "finalizers": ["f"], "generateName": "g", "generation": 4, "labels": {"l": "m"}, "name": "n",
            "namespace": "ns", "resourceVersion": "5", "uid": "u",
            "ownerReferences": [{"apiVersion": "v1", "kind": "K", "name": "o", "uid": "u"}],
        });
        let expected: ObjectMeta = serde_json::from_value(metadata.clone()).unwrap();
        metadata["managedFields"] = json!([{"manager": "m", "fieldsV1": {"f:spec": {}}}]);
        metadata["annotations"][LAST_APPLIED] = json!("{}");
        assert_eq!(lean(&metadata).unwrap(), expected);
    }
}
