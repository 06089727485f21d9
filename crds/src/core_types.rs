//! What Kubernetes' own types carry in a CRD beside their fields: list and map markers and defaults.
//!
//! The published OpenAPI description, which our dependency is generated from, lacks them. They come from
//! the `+listType`, `+structType` and `+default` markers of `k8s.io/api/core/v1`.

use serde_json::{Map, Value, json};

/// Kubernetes types whose object is replaced as a whole when it changes (`+structType=atomic`).
const ATOMIC: [&str; 8] = [
    "ConfigMapKeySelector",
    "LocalObjectReference",
    "NodeSelector",
    "NodeSelectorTerm",
    "ObjectFieldSelector",
    "ResourceFieldSelector",
    "SecretKeySelector",
    "TypedLocalObjectReference",
];

/// Lists that are maps: type, field, and the fields of an entry that tell it from others.
const LIST_MAPS: [(&str, &str, &[&str]); 5] = [
    ("Container", "env", &["name"]),
    ("Container", "ports", &["containerPort", "protocol"]),
    ("Container", "volumeMounts", &["mountPath"]),
    ("Container", "volumeDevices", &["devicePath"]),
    ("ResourceRequirements", "claims", &["name"]),
];

/// Defaults: type, field, value.
const DEFAULTS: [(&str, &str, &str); 17] = [
    ("AzureDiskVolumeSource", "fsType", "ext4"),
    ("ConfigMapEnvSource", "name", ""),
    ("ConfigMapKeySelector", "name", ""),
    ("ConfigMapProjection", "name", ""),
    ("ConfigMapVolumeSource", "name", ""),
    ("ContainerPort", "protocol", "TCP"),
    ("GRPCAction", "service", ""),
    ("ISCSIVolumeSource", "iscsiInterface", "default"),
    ("LocalObjectReference", "name", ""),
    ("RBDVolumeSource", "keyring", "/etc/ceph/keyring"),
    ("RBDVolumeSource", "pool", "rbd"),
    ("RBDVolumeSource", "user", "admin"),
    ("ScaleIOVolumeSource", "fsType", "xfs"),
    ("ScaleIOVolumeSource", "storageMode", "ThinProvisioned"),
    ("SecretEnvSource", "name", ""),
    ("SecretKeySelector", "name", ""),
    ("SecretProjection", "name", ""),
];

/// Completes the schema of a definition of `k8s.io`; others pass through.
///
/// Descriptions are dropped: Kubernetes documents its own types, and their texts alone are 300 KiB.
pub fn adapt(definition: &str, schema: Value) -> Value {
    if !definition.starts_with("io.k8s.") {
        return schema;
    }
    let kind = definition.rsplit('.').next().unwrap_or(definition);
    match kind {
        "Quantity" => return crate::quantity::schema().to_value(),
        "IntOrString" => {
            return json!({"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": true});
        }
        // Metadata of an embedded template: what a template may carry.
        "ObjectMeta" => return embedded_metadata(),
        _ => {}
    }
    let mut schema = without_descriptions(schema);
    let Value::Object(object) = &mut schema else { return schema };
    if ATOMIC.contains(&kind) {
        object.insert("x-kubernetes-map-type".into(), json!("atomic"));
    }
    let Some(Value::Object(properties)) = object.get_mut("properties") else { return schema };
    for (_, field, keys) in LIST_MAPS.iter().filter(|row| row.0 == kind) {
        extend(
            properties,
            field,
            json!({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": keys}),
        );
    }
    for (_, field, default) in DEFAULTS.iter().filter(|row| row.0 == kind) {
        extend(properties, field, json!({"default": default}));
    }
    if kind == "AzureDiskVolumeSource" {
        extend(properties, "readOnly", json!({"default": false}));
    }
    schema
}

fn embedded_metadata() -> Value {
    let texts = json!({"type": "object", "additionalProperties": {"type": "string"}});
    json!({
        "type": "object",
        "properties": {
            "annotations": texts,
            "finalizers": {"type": "array", "items": {"type": "string"}},
            "labels": texts,
            "name": {"type": "string"},
            "namespace": {"type": "string"},
        },
    })
}

fn extend(properties: &mut Map<String, Value>, field: &str, with: Value) {
    if let (Some(Value::Object(property)), Value::Object(with)) = (properties.get_mut(field), with) {
        property.extend(with);
    }
}

/// A `description` that is text is documentation; one that is an object is a property of that name.
fn without_descriptions(schema: Value) -> Value {
    match schema {
        Value::Object(object) => object
            .into_iter()
            .filter(|(key, value)| key != "description" || !value.is_string())
            .map(|(key, value)| (key, without_descriptions(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_descriptions).collect(),
        other => other,
    }
}
