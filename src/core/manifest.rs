//! What we want the cluster to hold, and how that is compared with what it holds.
//!
//! A manifest is written when the operator's own wish changed (told by a fingerprint in an annotation) or
//! when somebody else changed what we wished for (told by comparing, after the API server's defaults).
//! Otherwise there is nothing to write, which is what makes a steady state silent.

pub mod changes;

use crate::core::object::{CachedObject, Kind, StringMap};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use sojourn_crds::quantity;
use std::fmt;

/// Field manager of every write.
pub const MANAGER: &str = "sojourn";

/// Annotation that holds what was last applied, as two fingerprints: of the fields that are always
/// written, and of those that the reconcile strategy may hold back.
pub const FINGERPRINT: &str = "sojourn.dev/applied";

/// A child of a session, as it should be. `Debug` shows no content: it may be a secret's.
#[derive(Clone, PartialEq)]
pub struct DesiredObject {
    /// Kind.
    pub kind: Kind,
    /// Name.
    pub name: String,
    /// The whole object, without `status`.
    pub manifest: Value,
    /// JSON pointers of the fields that the reconcile strategy may hold back. Objects and lists count as
    /// one field.
    pub deferred_fields: &'static [&'static str],
    /// JSON pointers of optional fields that must be absent when the manifest has none.
    pub cleared_if_absent: &'static [&'static str],
    /// JSON pointers of fields that cannot change once the object is there.
    pub immutable_fields: &'static [&'static str],
}

/// What has to be written so that a child is as it should be. `Debug` shows no content: it may be a
/// secret's.
#[derive(Clone, PartialEq)]
pub enum Write {
    /// It is not there: create it, and never overwrite one that is.
    Create {
        /// Kind.
        kind: Kind,
        /// Name.
        name: String,
        /// The whole object.
        manifest: Value,
    },
    /// It is there and ours: apply.
    Apply {
        /// Kind.
        kind: Kind,
        /// Name.
        name: String,
        /// The whole object.
        manifest: Value,
        /// Whether other writers' rights have to be taken over first. See [`CachedObject::takeover`].
        takeover: bool,
        /// A merge patch of the fields that must go whoever set them; apply only removes our own.
        clear: Option<Value>,
        /// Whether we want what we applied before, so that only a change of another client is undone.
        reverts: bool,
    },
}

impl fmt::Debug for DesiredObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

impl fmt::Debug for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if matches!(self, Write::Create { .. }) { "create" } else { "apply" };
        let (kind, name) = self.target();
        write!(f, "{verb} {kind} {name}")
    }
}

impl Write {
    /// Kind and name of what is written.
    pub fn target(&self) -> (Kind, &str) {
        match self {
            Write::Create { kind, name, .. } | Write::Apply { kind, name, .. } => (*kind, name),
        }
    }
}

/// What is to be done for a child, given what the cluster holds. `None`: nothing.
///
/// `updates_allowed` says whether the reconcile strategy lets held-back fields through.
pub fn difference(
    child: &DesiredObject,
    live: Option<&CachedObject>,
    updates_allowed: bool,
) -> Option<Write> {
    let (always, gated) = fingerprints(child);
    let Some(live) = live else {
        let mut manifest = child.manifest.clone();
        stamp(&mut manifest, format!("{always}.{gated}"));
        return Some(Write::Create { kind: child.kind, name: child.name.clone(), manifest });
    };
    let live_object = live_object(live);
    let applied = live.annotations.get(FINGERPRINT).and_then(|stamp| stamp.split_once('.'));
    let mut manifest = child.manifest.clone();
    keep_well_known(&mut manifest, live);
    for pointer in child.immutable_fields {
        freeze(&mut manifest, &live_object, pointer);
    }
    let mut stamped = gated.as_str();
    if !updates_allowed {
        for pointer in child.deferred_fields {
            freeze(&mut manifest, &live_object, pointer);
        }
        stamped = applied.map_or("", |(_, gated)| gated);
    }
    let changed = match applied {
        Some((seen, seen_gated)) => seen != always || (updates_allowed && seen_gated != gated),
        // Taken over from the original: with the gate open our wish is put on record once.
        None => updates_allowed,
    };
    let clear = cleared(child, &manifest, &live_object);
    let drifted = clear.is_some() || !covers(&live_object, &manifest);
    if !changed && !drifted {
        return None;
    }
    let stamped = format!("{always}.{stamped}");
    stamp(&mut manifest, stamped);
    Some(Write::Apply {
        kind: child.kind,
        name: child.name.clone(),
        manifest,
        takeover: live.takeover,
        clear,
        reverts: applied.is_some() && !changed,
    })
}

/// Whether the fields that may be held back were written as they are wished for now.
pub fn is_up_to_date(child: &DesiredObject, live: &CachedObject) -> bool {
    let written = live.annotations.get(FINGERPRINT).and_then(|stamp| stamp.split_once('.'));
    written.is_some_and(|(_, gated)| gated == fingerprints(child).1)
}

/// The merge patch that removes the optional fields which the manifest has not, and the live object has.
fn cleared(child: &DesiredObject, manifest: &Value, live: &Value) -> Option<Value> {
    let mut patch = json!({});
    for pointer in child.cleared_if_absent {
        if is_empty(manifest.pointer(pointer)) && !is_empty(live.pointer(pointer)) {
            let mut at = &mut patch;
            for key in pointer.split('/').skip(1) {
                at = &mut at[key];
            }
        }
    }
    // What was reached for and not set is `null`, which is how a merge patch removes.
    (patch != json!({})).then_some(patch)
}

/// Fingerprints of the fields that are always written, and of those that may be held back.
fn fingerprints(child: &DesiredObject) -> (String, String) {
    let but = child.immutable_fields.iter().chain(child.deferred_fields).copied().collect();
    let gated = child.deferred_fields.iter().map(|held| {
        let but = child.immutable_fields.iter().filter_map(|fixed| fixed.strip_prefix(held)).collect();
        child.manifest.pointer(held).map(|value| Without { value, but })
    });
    let gated: Vec<_> = gated.collect();
    (fingerprint(&Without { value: &child.manifest, but }), fingerprint(&gated))
}

/// A value without the fields at some pointers. It is read with every pass over every child, so it is no copy.
struct Without<'a> {
    value: &'a Value,
    but: Vec<&'a str>,
}

impl Serialize for Without<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Value::Object(fields) = self.value else { return self.value.serialize(serializer) };
        let mut kept = serializer.serialize_map(None)?;
        for (key, value) in fields {
            let below = |pointer: &&'_ str| {
                let rest = pointer.strip_prefix('/').and_then(|pointer| pointer.strip_prefix(key.as_str()));
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            let but: Vec<&str> = self
                .but
                .iter()
                .filter(|pointer| below(pointer))
                .map(|pointer| &pointer[key.len() + 1..])
                .collect();
            if but.is_empty() {
                kept.serialize_entry(key, value)?;
            } else if !but.contains(&"") {
                kept.serialize_entry(key, &Without { value, but })?;
            }
        }
        kept.end()
    }
}

/// Eight bytes of SHA-256 over the JSON text, whose keys are sorted.
pub fn fingerprint(value: &impl Serialize) -> String {
    // Keys are text and numbers are finite, so there is always a text.
    let text = serde_json::to_vec(value).unwrap_or_default();
    Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn stamp(manifest: &mut Value, fingerprint: String) {
    manifest["metadata"]["annotations"][FINGERPRINT] = json!(fingerprint);
}

/// The live object in the form of a manifest.
fn live_object(live: &CachedObject) -> Value {
    let mut object = live.body();
    if !object.is_object() {
        object = Value::Object(Map::new());
    }
    object["apiVersion"] = json!(live.kind.api_version());
    object["kind"] = json!(live.kind.name());
    object["metadata"] = json!({
        "name": live.name,
        "namespace": live.namespace,
        "labels": live.labels,
        "annotations": live.annotations,
        "finalizers": live.finalizers,
    });
    object
}

/// Labels and annotations of Kubernetes' own domains, once on a child, are never changed or removed:
/// controllers put them there.
fn keep_well_known(manifest: &mut Value, live: &CachedObject) {
    for (field, texts) in [("labels", &live.labels), ("annotations", &live.annotations)] {
        for (key, value) in well_known(texts) {
            manifest["metadata"][field][key] = json!(value);
        }
    }
}

fn well_known(texts: &StringMap) -> impl Iterator<Item = (&String, &String)> {
    texts.iter().filter(|(key, _)| {
        key.split_once('/').is_some_and(|(domain, _)| {
            ["kubernetes.io", "k8s.io"].iter().any(|root| {
                domain == *root || domain.strip_suffix(root).is_some_and(|sub| sub.ends_with('.'))
            })
        })
    })
}

/// Puts the live value at `pointer` in place of the wished one.
fn freeze(manifest: &mut Value, live: &Value, pointer: &str) {
    let (parent, key) = pointer.rsplit_once('/').unwrap_or(("", pointer));
    if let Some(Value::Object(parent)) = manifest.pointer_mut(parent) {
        match live.pointer(pointer) {
            Some(value) => parent.insert(key.into(), value.clone()),
            None => parent.remove(key),
        };
    }
}

fn is_empty(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::Object(object)) => object.is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        Some(_) => false,
    }
}

/// Whether `live` holds all that `wish` says, defaults and other writers' additions aside. Lists must have
/// the same entries in the same order; owner references are checked elsewhere and do not count.
pub fn covers(live: &Value, wish: &Value) -> bool {
    match (live, wish) {
        (_, Value::Null) => true,
        (Value::Object(live), Value::Object(wish)) => wish.iter().all(|(key, wish)| {
            key == "ownerReferences"
                || match live.get(key) {
                    // A set that others write too.
                    Some(Value::Array(live)) if key == "finalizers" => {
                        wish.as_array().is_some_and(|wish| wish.iter().all(|entry| live.contains(entry)))
                    }
                    Some(live) => covers(live, wish) || (is_zero(wish) && FILLED_IN.contains(&key.as_str())),
                    // The API server drops what is empty.
                    None => is_zero(wish),
                }
        }),
        (Value::Array(live), Value::Array(wish)) => {
            live.len() == wish.len() && live.iter().zip(wish).all(|(live, wish)| covers(live, wish))
        }
        (live, wish) => live == wish || same_quantity(live, wish),
    }
}

/// Fields that the API server fills in when they are written as empty or zero.
const FILLED_IN: [&str; 12] = [
    "dnsPolicy",
    "failureThreshold",
    "imagePullPolicy",
    "periodSeconds",
    "protocol",
    "restartPolicy",
    "scheme",
    "schedulerName",
    "successThreshold",
    "terminationMessagePath",
    "terminationMessagePolicy",
    "timeoutSeconds",
];

fn is_zero(value: &Value) -> bool {
    is_empty(Some(value)) || [json!(false), json!(""), json!(0)].contains(value)
}

/// The API server writes quantities in its own way: `1000m` comes back as `1`.
fn same_quantity(live: &Value, wish: &Value) -> bool {
    nanos(live).is_some_and(|live| nanos(wish) == Some(live))
}

/// A quantity in billionths, should the value be one.
pub fn nanos(value: &Value) -> Option<i128> {
    match value {
        Value::String(text) => quantity::nanos(text),
        Value::Number(number) => number.as_i64().map(|n| i128::from(n) * 1_000_000_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
