//! Grows a spec: sets one leaf, and all that has to be around it.

use super::shapes;
use crate::fields::{Below, Step, has_fields, is_map, steps};
use crate::values;
use rand::{Rng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};

/// Lists whose items may get a second field from another leaf.
const SHARED_ITEMS: [&str; 2] = ["spec.extraContainers", "spec.initContainers"];

/// Sets the leaf at `path` of `object` to a good value. `schema` is that of `spec`, which `object` has.
pub(super) fn place(object: &mut Value, schema: &Value, path: &str, rng: &mut StdRng) {
    put(&mut object["spec"], schema, "spec", &steps(path)[1..], rng);
}

fn put(at: &mut Value, schema: &Value, path: &str, rest: &[Step], rng: &mut StdRng) {
    let Some((step, rest)) = rest.split_first() else {
        *at = values::good(path, schema, rng);
        return;
    };
    if !at.is_object() {
        *at = json!({});
    }
    if let Some(fields) = at.as_object_mut() {
        fields.retain(|other, _| !shapes::excludes(path, &step.name, other));
    }
    let below = format!("{path}.{}", step.name);
    let field = &schema["properties"][&step.name];
    let child = &mut at[&step.name];
    match step.below {
        Below::Field => put(child, field, &below, rest, rng),
        Below::Entries => values::enter(child, &format!("{below}{{}}"), field, false, rng),
        Below::Items => {
            if !child.is_array() {
                *child = json!([]);
            }
            let items = child.as_array_mut().unwrap();
            let shared = SHARED_ITEMS.contains(&below.as_str()) && !items.is_empty() && rng.random_bool(0.5);
            let index = if shared { rng.random_range(0..items.len()) } else { items.len() };
            if !shared {
                items.push(Value::Null);
            }
            put(&mut items[index], &field["items"], &format!("{below}[]"), rest, rng);
        }
    }
    complete(at, schema, path, rng);
}

/// Adds what the object at `path` cannot be without.
fn complete(at: &mut Value, schema: &Value, path: &str, rng: &mut StdRng) {
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    for name in required.chain(shapes::with(path).iter().copied()) {
        if at.get(name).is_none() {
            at[name] = minimal(&schema["properties"][name], &format!("{path}.{name}"), rng);
        }
    }
    if let Some(members) = shapes::one_of(path)
        && !members.iter().any(|member| at.get(member).is_some())
    {
        let member = members[0];
        at[member] = minimal(&schema["properties"][member], &format!("{path}.{member}"), rng);
    }
    if values::ends_in(path, "extraVolumes[]") && at.as_object().is_some_and(|fields| fields.len() < 2) {
        at["emptyDir"] = json!({});
    }
}

/// The least that can stand at `path`.
pub(super) fn minimal(schema: &Value, path: &str, rng: &mut StdRng) -> Value {
    if has_fields(schema) {
        let mut object = json!({});
        complete(&mut object, schema, path, rng);
        return object;
    }
    if is_map(schema) {
        let mut map = json!({});
        values::enter(&mut map, &format!("{path}{{}}"), schema, false, rng);
        return map;
    }
    if schema["type"] == "array" {
        return json!([minimal(&schema["items"], &format!("{path}[]"), rng)]);
    }
    values::good(path, schema, rng)
}

/// Adds a field to the object at a pointer, whatever it excludes.
pub(super) fn add_field(object: &mut Value, schema: &Value, path: &str, rng: &mut StdRng) {
    let names: Vec<&String> =
        schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name).collect();
    if let (Some(name), true) = (names.choose(rng), object.is_object()) {
        object[name.as_str()] = minimal(&schema["properties"][name.as_str()], &format!("{path}.{name}"), rng);
    }
}
