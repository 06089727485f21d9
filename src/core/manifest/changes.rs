//! What a write would change of a live object, field by field, for people.
//!
//! The fields that are named are exactly those for which [`super::covers`] says that the live object is not as
//! wished. Of a secret the fields are named, and never what is in them.

use super::{FINGERPRINT, covers, live_object};
use crate::core::object::{CachedObject, Kind};
use serde_json::{Value, json};

/// A field that a write would change.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// JSON pointer of the field.
    pub path: String,
    /// What is there; `null` when nothing is.
    pub from: Value,
    /// What would be there.
    pub to: Value,
}

/// What stands for a value that must not be shown.
pub const HIDDEN: &str = "(hidden)";

/// The fields that writing `manifest` would change of `live`. Empty when only the fingerprint is new.
pub fn changes(live: &CachedObject, manifest: &Value) -> Vec<Change> {
    let mut found = Vec::new();
    collect(String::new(), &live_object(live), manifest, &mut found);
    if live.kind == Kind::Secret {
        for change in found.iter_mut().filter(|change| is_content(&change.path)) {
            for value in [&mut change.from, &mut change.to].into_iter().filter(|value| !value.is_null()) {
                *value = json!(HIDDEN);
            }
        }
    }
    found
}

/// A manifest as it may be shown: that of a secret without what is in it.
pub fn shown(kind: Kind, manifest: &Value) -> Value {
    let mut manifest = manifest.clone();
    if kind == Kind::Secret {
        for field in ["data", "stringData"] {
            let values = manifest.get_mut(field).and_then(Value::as_object_mut);
            for value in values.into_iter().flat_map(|values| values.values_mut()) {
                *value = json!(HIDDEN);
            }
        }
    }
    manifest
}

fn is_content(path: &str) -> bool {
    ["/data", "/stringData"].iter().any(|field| path.starts_with(field))
}

fn collect(path: String, live: &Value, wish: &Value, found: &mut Vec<Change>) {
    match (live, wish) {
        (Value::Object(live), Value::Object(wish)) => {
            for (key, wish) in wish.iter().filter(|(key, _)| *key != "ownerReferences" && *key != FINGERPRINT)
            {
                let path = format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
                // AdmissionRules with its key, which decides what the API server fills in.
                let single = |value: &Value| json!({ key.as_str(): value });
                let known = live.get(key);
                let holder = known.map_or_else(|| json!({}), single);
                if !covers(&holder, &single(wish)) {
                    collect(path, known.unwrap_or(&Value::Null), wish, found);
                }
            }
        }
        (Value::Array(live), Value::Array(wish)) if live.len() == wish.len() => {
            for (index, (live, wish)) in live.iter().zip(wish).enumerate() {
                collect(format!("{path}/{index}"), live, wish, found);
            }
        }
        (live, wish) if covers(live, wish) => {}
        (live, wish) => found.push(Change { path, from: live.clone(), to: wish.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(kind: Kind, body: Value) -> CachedObject {
        let mut object = json!({
            "apiVersion": kind.api_version(), "kind": kind.name(),
            "metadata": {"name": "a", "namespace": "team", "uid": "u"},
        });
        json_patch::merge(&mut object, &body);
        CachedObject::from_dynamic(kind, serde_json::from_value(object).unwrap()).unwrap()
    }

    #[test]
    fn names_what_differs_and_nothing_else() {
        let service = live(
            Kind::Service,
            json!({"spec": {"type": "ClusterIP", "ports": [{"port": 80, "protocol": "TCP"}], "selector": {"a": "b"}}}),
        );
        let wish = json!({
            "metadata": {"annotations": {FINGERPRINT: "x.y"}, "labels": {"a/b": "c"}},
            "spec": {"ports": [{"port": 81, "protocol": ""}], "selector": {"a": "b"}},
        });
        let change = |path: &str, from, to| Change { path: path.into(), from, to };
        assert_eq!(
            changes(&service, &wish),
            [
                change("/metadata/labels/a~1b", Value::Null, json!("c")),
                change("/spec/ports/0/port", json!(80), json!(81)),
            ]
        );
    }

    #[test]
    fn content_of_secrets_is_never_shown() {
        let secret = live(Kind::Secret, json!({"data": {"key": "b2xk"}}));
        let wish = json!({"data": {"key": "bmV3", "more": "bW9yZQ=="}, "stringData": {"text": "open"}});
        let all = format!("{:?}{}", changes(&secret, &wish), shown(Kind::Secret, &wish));
        assert!(all.contains("/data/key") && all.contains("/stringData"), "{all}");
        for value in ["b2xk", "bmV3", "bW9yZQ==", "open"] {
            assert!(!all.contains(value), "{value} in {all}");
        }
    }
}
