//! JSON merge patches (RFC 7386).

use serde_json::{Map, Value};

/// The merge patch that makes `old` into `new`; `None` when they are equal.
pub fn difference(old: &Value, new: &Value) -> Option<Value> {
    if old == new {
        return None;
    }
    let (Value::Object(from), Value::Object(to)) = (old, new) else { return Some(new.clone()) };
    let mut patch = Map::new();
    for key in from.keys().filter(|key| !to.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    for (key, value) in to {
        match from.get(key) {
            None => {
                patch.insert(key.clone(), value.clone());
            }
            Some(before) => {
                if let Some(change) = difference(before, value) {
                    patch.insert(key.clone(), change);
                }
            }
        }
    }
    Some(Value::Object(patch))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn says_what_changed_and_nothing_else() {
        let old =
            json!({"state": "Running", "idleSince": "t", "counts": {"ready": 1, "total": 1}, "list": [1]});
        let new = json!({"state": "Running", "counts": {"total": 1}, "list": [1, 2]});
        let patch = difference(&old, &new).unwrap();
        assert_eq!(patch, json!({"idleSince": null, "counts": {"ready": null}, "list": [1, 2]}));
        let mut patched = old.clone();
        json_patch::merge(&mut patched, &patch);
        assert_eq!(patched, new);
        assert_eq!(difference(&new, &new), None);
    }
}
