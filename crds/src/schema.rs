//! From Rust types to the structural schemas that a CRD holds.
//!
//! The result reads as the Go tools would have written it: everything inline, no `nullable`, plain
//! `enum` lists, quantities as integer-or-string, and the list markers of Kubernetes' own types
//! ([`crate::core_types`]), without their long descriptions, which would make the CRD too large to be
//! applied client-side.

use crate::{core_types, quantity};
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value, json};

const REF_PREFIX: &str = "#/components/schemas/";

/// The structural schema of `T`.
pub fn structural<T: JsonSchema>() -> Value {
    let mut generator = SchemaSettings::openapi3().into_generator();
    let root = generator.subschema_for::<T>();
    let definitions: Map<String, Value> = generator
        .take_definitions(true)
        .into_iter()
        .map(|(name, schema)| {
            let known = core_types::adapt(&name, schema);
            (name, known)
        })
        .collect();
    simplify(inline(root.to_value(), &definitions))
}

/// Makes of a type's schema that of a patch which is laid over a value of the type: nothing has to be there but what
/// tells the items of a list apart.
pub fn overlay(schema: &mut Value) {
    let Value::Object(object) = schema else { return };
    object.remove("required");
    for (_, property) in object.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
        overlay(property);
    }
    if let Some(entries) = object.get_mut("additionalProperties") {
        overlay(entries);
    }
    let keys = object.get("x-kubernetes-list-map-keys").cloned();
    if let Some(items) = object.get_mut("items") {
        overlay(items);
        if let Some(Value::Array(mut keys)) = keys {
            keys.retain(|key| {
                key.as_str().is_some_and(|key| items["properties"][key].get("default").is_none())
            });
            items["required"] = Value::Array(keys);
        }
    }
}

/// Takes the pattern off quantities, for a kind whose admission rules judge them: an API server shows the pattern to
/// whoever writes `2gb`, and says nothing of `2Gi`.
pub fn drop_quantity_patterns(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if object.get("pattern").is_some_and(|pattern| pattern == quantity::PATTERN) {
                object.remove("pattern");
            }
            object.values_mut().for_each(drop_quantity_patterns);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_quantity_patterns),
        _ => {}
    }
}

/// Replaces every `$ref` by what it refers to; a description beside the reference wins.
fn inline(schema: Value, definitions: &Map<String, Value>) -> Value {
    match schema {
        Value::Object(mut object) => {
            if let Some(Value::String(reference)) = object.remove("$ref") {
                let name = reference.strip_prefix(REF_PREFIX).unwrap_or(&reference);
                let mut target = definitions.get(name).cloned().unwrap_or_else(|| json!({}));
                if let Value::Object(target) = &mut target {
                    target.extend(object);
                }
                return inline(target, definitions);
            }
            object.into_iter().map(|(key, value)| (key, inline(value, definitions))).collect()
        }
        Value::Array(items) => items.into_iter().map(|item| inline(item, definitions)).collect(),
        other => other,
    }
}

/// Brings what the generator writes for Rust's `Option` and enums into the form that structural schemas
/// allow.
fn simplify(schema: Value) -> Value {
    match schema {
        Value::Object(object) => {
            let mut object: Map<String, Value> =
                object.into_iter().map(|(key, value)| (key, simplify(value))).collect();
            flow(&mut object);
            for key in ["title", "$schema", "nullable"] {
                if object.get(key).is_some_and(|value| !value.is_object()) {
                    object.remove(key);
                }
            }
            drop_null_type(&mut object);
            drop_null_alternative(&mut object);
            constants_to_enum(&mut object);
            single_all_of(&mut object);
            required_has_no_default(&mut object);
            Value::Object(object)
        }
        Value::Array(items) => items.into_iter().map(simplify).collect(),
        other => other,
    }
}

/// A description has the lines of the source, which `kubectl explain` would break once more. Blank lines stay.
fn flow(object: &mut Map<String, Value>) {
    if let Some(Value::String(text)) = object.get_mut("description") {
        let paragraphs: Vec<_> = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect();
        *text = paragraphs.join("\n\n");
    }
}

/// `type: [string, null]` says what absence already says.
fn drop_null_type(object: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [single] = types.as_slice() {
            let single = single.clone();
            object.insert("type".into(), single);
        }
    }
    if let Some(Value::Array(values)) = object.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
}

/// `anyOf: [X, null]` is X.
fn drop_null_alternative(object: &mut Map<String, Value>) {
    let Some(Value::Array(options)) = object.get_mut("anyOf") else { return };
    let before = options.len();
    options.retain(|option| {
        option.get("type") != Some(&json!("null"))
            && option.get("enum") != Some(&json!([]))
            && *option != json!({})
    });
    if options.len() == 1 && before > 1 {
        merge_into(object, "anyOf");
    }
}

/// A Rust enum with documented variants becomes one list of strings; its variants' texts join the
/// description.
fn constants_to_enum(object: &mut Map<String, Value>) {
    let Some(Value::Array(options)) = object.get("oneOf") else { return };
    let values: Option<Vec<Value>> = options
        .iter()
        .map(|option| match (option.get("const"), option.get("enum")) {
            (Some(constant), _) => Some(vec![constant.clone()]),
            (None, Some(Value::Array(values))) => Some(values.clone()),
            _ => None,
        })
        .collect::<Option<Vec<_>>>()
        .map(|lists| lists.concat());
    if let Some(values) = values {
        object.remove("oneOf");
        object.insert("type".into(), json!("string"));
        object.insert("enum".into(), Value::Array(values));
    }
}

/// A field that must be given has no default, whatever Rust fills in for it.
fn required_has_no_default(object: &mut Map<String, Value>) {
    let Some(Value::Array(required)) = object.get("required").cloned() else { return };
    let Some(Value::Object(properties)) = object.get_mut("properties") else { return };
    for field in required.iter().filter_map(Value::as_str) {
        if let Some(Value::Object(property)) = properties.get_mut(field) {
            property.remove("default");
        }
    }
}

fn single_all_of(object: &mut Map<String, Value>) {
    if matches!(object.get("allOf"), Some(Value::Array(parts)) if parts.len() == 1) {
        merge_into(object, "allOf");
    }
}

/// Puts the only member of the list at `key` in place of the list; what stands beside it wins.
fn merge_into(object: &mut Map<String, Value>, key: &str) {
    if let Some(Value::Array(mut parts)) = object.remove(key)
        && let Some(Value::Object(part)) = parts.pop()
    {
        for (name, value) in part {
            object.entry(name).or_insert(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(JsonSchema)]
    #[allow(dead_code, reason = "only its schema is read")]
    enum Choice {
        /// The first.
        One,
        Two,
    }

    /// A sample.
    #[derive(JsonSchema)]
    #[allow(dead_code, reason = "only its schema is read")]
    struct Sample {
        choice: Option<Choice>,
        /// How
        /// many.
        count: Option<i32>,
        #[schemars(with = "Option<k8s_openapi::api::core::v1::Toleration>")]
        toleration: Option<crate::Raw>,
        title: String,
    }

    #[test]
    fn is_what_the_go_tools_would_write() {
        assert_eq!(
            structural::<Sample>(),
            json!({
                "type": "object",
                "description": "A sample.",
                "required": ["title"],
                "properties": {
                    "choice": {"type": "string", "enum": ["Two", "One"]},
                    "count": {"type": "integer", "format": "int32", "description": "How many."},
                    "title": {"type": "string"},
                    "toleration": {
                        "type": "object",
                        "properties": {
                            "effect": {"type": "string"},
                            "key": {"type": "string"},
                            "operator": {"type": "string"},
                            "tolerationSeconds": {"type": "integer", "format": "int64"},
                            "value": {"type": "string"},
                        },
                    },
                },
            })
        );
    }
}
