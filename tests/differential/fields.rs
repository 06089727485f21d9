//! The leaves of the session's schema, by path without indexes: `spec.extraVolumes[].nfs.server`,
//! `spec.nodeSelector{}`.

use serde_json::Value;
use std::collections::BTreeSet;

/// What follows a name in a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Below {
    /// A value.
    Field,
    /// A list; the path goes on in its items.
    Items,
    /// A map with keys of the user's choice.
    Entries,
}

/// A part of a path.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) below: Below,
}

/// The steps of a path.
pub(crate) fn steps(path: &str) -> Vec<Step> {
    let step = |part: &str| {
        let (name, below) = match (part.strip_suffix("[]"), part.strip_suffix("{}")) {
            (Some(name), _) => (name, Below::Items),
            (_, Some(name)) => (name, Below::Entries),
            _ => (part, Below::Field),
        };
        Step { name: name.to_owned(), below }
    };
    path.split('.').map(step).collect()
}

/// The schema of `spec`, as the CRD has it.
pub(crate) fn schema_of_spec() -> Value {
    let crd = sojourn_crds::amalthea::crd();
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].clone()
}

/// Whether a schema is one of a map.
pub(crate) fn is_map(schema: &Value) -> bool {
    schema["additionalProperties"].is_object()
}

/// Whether a schema is one of an object with fields.
pub(crate) fn has_fields(schema: &Value) -> bool {
    schema["properties"].is_object()
}

/// All leaves below `schema`, which stands at `path`.
pub(crate) fn leaves(schema: &Value, path: &str, found: &mut Vec<String>) {
    if let Some(fields) = schema["properties"].as_object() {
        for (name, field) in fields {
            leaves(field, &format!("{path}.{name}"), found);
        }
    } else if is_map(schema) {
        found.push(format!("{path}{{}}"));
    } else if schema["type"] == "array" {
        leaves(&schema["items"], &format!("{path}[]"), found);
    } else {
        found.push(path.to_owned());
    }
}

/// The leaves that are set in `value`, which stands at `path` and has that schema.
pub(crate) fn set(schema: &Value, value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) if has_fields(schema) => {
            for (name, field) in fields {
                if let Some(schema) = schema["properties"].get(name) {
                    set(schema, field, &format!("{path}.{name}"), found);
                }
            }
        }
        Value::Object(entries) if is_map(schema) && !entries.is_empty() => {
            found.insert(format!("{path}{{}}"));
        }
        Value::Array(items) if schema["type"] == "array" => {
            for item in items {
                set(&schema["items"], item, &format!("{path}[]"), found);
            }
        }
        _ if !has_fields(schema) && !is_map(schema) && schema["type"] != "array" => {
            found.insert(path.to_owned());
        }
        _ => {}
    }
}

/// The schema at the end of `path`, which begins at `spec`. For a map it is that of the map.
pub(crate) fn at<'a>(schema: &'a Value, path: &str) -> &'a Value {
    steps(path).iter().skip(1).fold(schema, |schema, step| {
        let field = &schema["properties"][&step.name];
        if step.below == Below::Items { &field["items"] } else { field }
    })
}

/// JSON pointers of the values in `value` that stand at `path`; for a map, those of the map.
pub(crate) fn places(value: &Value, path: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    for step in steps(path) {
        found = found
            .iter()
            .flat_map(|pointer| {
                let pointer = format!("{pointer}/{}", step.name);
                match (value.pointer(&pointer), step.below) {
                    (Some(Value::Array(items)), Below::Items) => {
                        (0..items.len()).map(|index| format!("{pointer}/{index}")).collect()
                    }
                    (Some(_), _) => vec![pointer],
                    (None, _) => Vec::new(),
                }
            })
            .collect();
    }
    found
}

#[test]
fn paths_lead_to_what_they_name() {
    let schema = schema_of_spec();
    let mut all = Vec::new();
    leaves(&schema, "spec", &mut all);
    assert!(all.len() > 600, "{}", all.len());
    assert!(all.contains(&"spec.extraVolumes[].nfs.server".to_owned()));
    assert!(all.contains(&"spec.session.resources.limits{}".to_owned()));
    assert!(all.iter().all(|path| at(&schema, path).is_object()));
    let object = serde_json::json!({"spec": {"extraVolumes": [{}, {"nfs": {"server": "a"}}], "nodeSelector": {"a": "b"}}});
    assert_eq!(places(&object, "spec.extraVolumes[].nfs.server"), ["/spec/extraVolumes/1/nfs/server"]);
    let mut found = BTreeSet::new();
    set(&schema, &object["spec"], "spec", &mut found);
    assert_eq!(Vec::from_iter(found), ["spec.extraVolumes[].nfs.server", "spec.nodeSelector{}"]);
}
