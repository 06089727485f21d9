//! Puts a fault into a spec that is good, or something that could be one.

use super::grow;
use crate::fields::{Below, at, has_fields, is_map, places, set, steps};
use crate::values;
use rand::{Rng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Puts a fault at or near `target`, or sometimes at another leaf that is set.
pub(super) fn put(object: &mut Value, schema: &Value, target: &str, rng: &mut StdRng) {
    let mut path = target.to_owned();
    if rng.random_bool(0.2) {
        let mut there = BTreeSet::new();
        set(schema, &object["spec"], "spec", &mut there);
        let there: Vec<_> = there.into_iter().collect();
        path = there.choose(rng).cloned().unwrap_or(path);
    }
    if rng.random_bool(0.75) {
        odd_value(object, schema, &path, rng);
    } else {
        odd_shape(object, schema, &path, rng);
    }
}

fn odd_value(object: &mut Value, schema: &Value, path: &str, rng: &mut StdRng) {
    let Some(pointer) = places(object, path).choose(rng).cloned() else { return };
    let value = object.pointer_mut(&pointer).unwrap();
    let schema = at(schema, path);
    if is_map(schema) {
        if rng.random_bool(0.5) {
            *value = json!({});
        }
        values::enter(value, path, schema, true, rng);
    } else {
        *value = values::odd(path, schema, rng);
    }
}

/// Changes an object or list around a leaf.
fn odd_shape(object: &mut Value, schema: &Value, path: &str, rng: &mut StdRng) {
    let parts: Vec<&str> = path.split('.').collect();
    let above: Vec<String> = (2..parts.len()).map(|end| parts[..end].join(".")).collect();
    let Some(path) = above.choose(rng) else { return };
    let is_list = steps(path).last().is_some_and(|step| step.below == Below::Items);
    let Some(pointer) = places(object, path).choose(rng).cloned() else { return };
    if is_list && rng.random_bool(0.4) {
        let list = pointer.rsplit_once('/').unwrap().0;
        let item = object.pointer(&pointer).unwrap().clone();
        let list = object.pointer_mut(list).unwrap();
        match list.as_array_mut() {
            Some(items) if rng.random_bool(0.7) => items.push(item),
            _ => *list = json!([]),
        }
        return;
    }
    let value = object.pointer_mut(&pointer).unwrap();
    let fields: Vec<String> = value.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
    let schema = at(schema, path);
    match rng.random_range(0..10) {
        0..4 if has_fields(schema) => grow::add_field(value, schema, path, rng),
        4..8 => {
            if let (Some(name), Some(object)) = (fields.choose(rng), value.as_object_mut()) {
                object.remove(name);
            }
        }
        _ => *value = json!({}),
    }
}
