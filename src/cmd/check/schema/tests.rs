//! What the walker says about values, and that it knows every keyword of our schemas.

use super::*;
use rstest::rstest;
use serde_json::json;

fn said(schema: Value, mut value: Value) -> Vec<String> {
    let schema = Schema::read(&schema).unwrap();
    schema.complete(&mut value);
    let problems = schema.problems(&value);
    problems.iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect()
}

#[rstest]
#[case(json!({"type": "string"}), json!(1), "must be a string, not 1")]
#[case(json!({"type": "object"}), json!([]), "must be an object, not a list")]
#[case(json!({"type": "integer"}), json!("1"), "must be an integer, not \"1\"")]
#[case(json!({"type": "integer"}), json!(1.5), "must be an integer, not 1.5")]
#[case(json!({"type": "integer", "format": "int32"}), json!(3_000_000_000_i64), "3000000000 does not fit")]
#[case(json!({"type": "string", "enum": ["a", "b"]}), json!("c"), "\"c\" is not supported")]
#[case(json!({"type": "integer", "minimum": 1}), json!(0), "0 must be at least 1")]
#[case(json!({"type": "integer", "minimum": 1, "exclusiveMinimum": true}), json!(1), "1 must be greater than 1")]
#[case(json!({"type": "integer", "maximum": 9}), json!(10), "10 must be at most 9")]
#[case(json!({"type": "integer", "maximum": 9, "exclusiveMaximum": true}), json!(9), "9 must be less than 9")]
#[case(json!({"type": "string", "pattern": "^a+$"}), json!("ab"), "\"ab\" has the wrong form")]
#[case(json!({"type": "string", "format": "date-time"}), json!("soon"), "\"soon\" is not a moment")]
#[case(json!({"type": "string", "format": "date-time"}), json!("2026-02-30T00:00:00Z"), "is not a moment")]
#[case(json!({"type": "string", "format": "date-time"}), json!("2026-01-01T24:00:00Z"), "is not a moment")]
#[case(json!({"type": "string", "maxLength": 1}), json!("äö"), "has 2 characters and may have at most 1")]
#[case(json!({"type": "array", "minItems": 1}), json!([]), "has 0 items and needs at least 1")]
#[case(json!({"x-kubernetes-int-or-string": true}), json!(1.5), "must be an integer or a string, not 1.5")]
#[case(json!({"type": "array", "x-kubernetes-list-type": "set"}), json!(["a", "a"]), "is there twice")]
#[case(json!({"type": "array", "items": {"type": "string"}}), json!([null]), "must be a string, not null")]
fn what_does_not_fit_is_named(#[case] schema: Value, #[case] value: Value, #[case] says: &str) {
    let said = said(schema, value);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains(says), "{said:?}");
}

#[rstest]
#[case(json!({"x-kubernetes-int-or-string": true}), json!("1"))]
#[case(json!({"type": "string", "nullable": true}), json!(null))]
#[case(json!({"type": "number"}), json!(1))]
#[case(json!({"type": "string", "format": "date-time"}), json!("2026-01-01T00:00:00+01:00"))]
#[case(json!({"type": "string", "format": "date-time"}), json!("2026-01-01t00:00:00.123z"))]
#[case(json!({"type": "object", "additionalProperties": {"type": "string"}}), json!({"a": "b"}))]
#[case(json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}), json!({"a": 1}))]
#[case(json!({"type": "array", "x-kubernetes-list-type": "set"}), json!(["a", "b"]))]
fn what_fits_is_not(#[case] schema: Value, #[case] value: Value) {
    assert_eq!(said(schema, value), Vec::<String>::new());
}

#[test]
fn paths_lead_through_objects_maps_and_lists() {
    let schema = json!({"type": "object", "properties": {
        "list": {"type": "array", "items": {"type": "object", "required": ["a"]}},
        "map": {"type": "object", "additionalProperties": {"type": "string"}},
    }});
    let value = json!({"list": [{"b": 1}], "map": {"x/y": 1}, "List": 1});
    assert_eq!(
        said(schema, value),
        [
            "List: unknown field \"List\", which the API server drops",
            "list[0].a: is required",
            "list[0].b: unknown field \"b\", which the API server drops",
            "map[x/y]: must be a string, not 1",
        ]
    );
}

#[test]
fn defaults_come_in_before_anything_is_judged_and_nulls_are_absence() {
    let schema = json!({"type": "object", "properties": {
        "a": {"type": "object", "default": {}, "properties": {"b": {"type": "integer", "default": 3}}},
        "c": {"type": "string"},
    }});
    let mut value = json!({"a": null, "c": null});
    Schema::read(&schema).unwrap().complete(&mut value);
    assert_eq!(value, json!({"a": {"b": 3}}));
}

/// A keyword that the walker does not know would be passed over in silence.
#[test]
fn our_schemas_use_no_keyword_that_is_not_understood() {
    fn unknown(schema: &Value, found: &mut BTreeSet<String>) {
        for (key, value) in schema.as_object().into_iter().flatten() {
            if !KEYWORDS.contains(&key.as_str()) {
                found.insert(key.clone());
            }
            match key.as_str() {
                "properties" => value.as_object().unwrap().values().for_each(|inner| unknown(inner, found)),
                "items" | "additionalProperties" => unknown(value, found),
                "anyOf" => assert_eq!(schema["x-kubernetes-int-or-string"], true, "{schema}"),
                _ => {}
            }
        }
    }
    let mut found = BTreeSet::new();
    for (_, crd) in sojourn_crds::all_crds() {
        for version in crd["spec"]["versions"].as_array().unwrap() {
            unknown(&version["schema"]["openAPIV3Schema"], &mut found);
        }
    }
    assert_eq!(found, BTreeSet::new());
}
