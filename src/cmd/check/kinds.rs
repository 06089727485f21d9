//! The kinds that can be checked, from what the cluster gets too: the CRDs for schema and CEL, the table of
//! webhooks for the rules. A new kind or rule is checked here without a further line.

use std::collections::BTreeSet;

use kube::core::cel::{CompiledSchema, Validator, compile_schema};
use serde_json::{Value, json};
use sojourn_crds::KindDescriptor;
use sojourn_webhooks::table::{Row, TABLE};
use sojourn_webhooks::{FieldPath, Severity};

use super::problem::{Problem, SCHEMA_INVALID, SCHEMA_RULE};
use super::schema::{Schema, SchemaError};

/// A kind in one version.
pub struct Kind {
    group: String,
    version: String,
    name: String,
    shape: Option<Shape>,
    rows: Vec<&'static Row>,
}

/// What the CRD of a kind says about its objects.
struct Shape {
    schema: Schema,
    rules: CompiledSchema,
}

/// Every kind that can be checked.
pub struct Kinds {
    kinds: Vec<Kind>,
    evaluator: Validator,
}

/// What an `apiVersion` and a `kind` are to us.
pub enum Known<'a> {
    /// One of our kinds.
    Yes(&'a Kind),
    /// In a group of ours, but none of our kinds: nobody serves it.
    Misnamed(Problem),
    /// Somebody else's.
    No,
}

impl Kinds {
    /// Reads CRDs and table; rules in CEL are compiled once, here.
    pub fn compiled() -> Result<Self, SchemaError> {
        let mut kinds = Vec::new();
        for (_, crd) in sojourn_crds::all_crds() {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            for version in crd["spec"]["versions"].as_array().into_iter().flatten() {
                let schema = &version["schema"]["openAPIV3Schema"];
                kinds.push(Kind {
                    group: text(&crd["spec"]["group"]),
                    version: text(&version["name"]),
                    name: text(&crd["spec"]["names"]["kind"]),
                    shape: Some(Shape {
                        schema: Schema::read(schema)?.with_property("metadata", Schema::read(&metadata())?),
                        rules: compile_schema(schema),
                    }),
                    rows: Vec::new(),
                });
            }
        }
        for row in &TABLE {
            let KindDescriptor { group, version, kind: name, .. } = *row.descriptor;
            let position = kinds.iter().position(|kind| kind.is(group, version, name));
            match position.and_then(|position| kinds.get_mut(position)) {
                Some(kind) => kind.rows.push(row),
                None => kinds.push(Kind {
                    group: group.to_owned(),
                    version: version.to_owned(),
                    name: name.to_owned(),
                    shape: None,
                    rows: vec![row],
                }),
            }
        }
        Ok(Self { kinds, evaluator: Validator::new() })
    }

    /// What `api_version` and `kind` are to us.
    pub fn find(&self, api_version: &str, kind: &str) -> Known<'_> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        if let Some(kind) = self.kinds.iter().find(|known| known.is(group, version, kind)) {
            return Known::Yes(kind);
        }
        // Of other people's groups, such as batch, we know only some kinds.
        let ours: Vec<_> =
            self.kinds.iter().filter(|known| known.group == group && known.shape.is_some()).collect();
        if ours.is_empty() {
            return Known::No;
        }
        let served: Vec<_> =
            ours.iter().map(|known| format!("{}/{} {}", known.group, known.version, known.name)).collect();
        let field = if ours.iter().any(|known| known.name == kind) { "apiVersion" } else { "kind" };
        Known::Misnamed(Problem {
            path: FieldPath::new(field),
            code: SCHEMA_INVALID,
            severity: Severity::Deny,
            message: format!("there is no {} {}", api_version.escape_debug(), kind.escape_debug()),
            hint: format!("use {}", served.join(" or ")),
        })
    }

    /// What the CRD says about an object, which is completed on the way. On an update, what the old object had
    /// too is not held against the new one.
    pub fn judge_shape(&self, kind: &Kind, object: &mut Value, old: Option<&Value>) -> Vec<Problem> {
        let Some(shape) = &kind.shape else { return Vec::new() };
        let mut old = old.cloned();
        shape.schema.complete(object);
        let mut problems = shape.schema.problems(object);
        if let Some(old) = &mut old {
            shape.schema.complete(old);
            let before = shape.schema.problems(old);
            let before: BTreeSet<_> =
                before.iter().map(|known| (known.path.as_str(), &known.message)).collect();
            problems.retain(|problem| {
                !problem.denies() || !before.contains(&(problem.path.as_str(), &problem.message))
            });
        }
        // As on the server: rules see only what has the right shape.
        if !problems.iter().any(Problem::denies) {
            problems.extend(self.broken_rules(shape, object, old.as_ref()));
        }
        problems
    }

    fn broken_rules(&self, shape: &Shape, object: &Value, old: Option<&Value>) -> Vec<Problem> {
        let Err(errors) = self.evaluator.validate_compiled(&shape.rules, object, old) else {
            return Vec::new();
        };
        let problem = |error: kube::core::cel::ValidationError| Problem {
            path: FieldPath::new(error.field_path.trim_start_matches('.')),
            code: SCHEMA_RULE,
            severity: Severity::Deny,
            message: error.message,
            hint: String::new(),
        };
        errors.into_vec().into_iter().map(problem).collect()
    }
}

impl Kind {
    fn is(&self, group: &str, version: &str, name: &str) -> bool {
        self.group == group && self.version == version && self.name == name
    }

    /// The webhooks that are asked about an object of this kind.
    pub fn rows(&self) -> &[&'static Row] {
        &self.rows
    }
}

/// What the API server asks of the metadata of every object; other fields it knows, and we leave them alone.
fn metadata() -> Value {
    let name = json!({"type": "string", "maxLength": 253, "pattern": NAME});
    let texts = json!({"type": "object", "additionalProperties": {"type": "string"}});
    json!({
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": true,
        "properties": {
            "name": name,
            "generateName": {"type": "string", "maxLength": 253},
            "namespace": {"type": "string", "maxLength": 63},
            "labels": texts,
            "annotations": texts,
            "finalizers": {"type": "array", "items": {"type": "string"}},
        },
    })
}

/// A DNS subdomain, as the names of custom resources are.
const NAME: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_crd_and_every_row_is_there_and_every_rule_in_cel_compiles() {
        let kinds = Kinds::compiled().unwrap();
        let rows: usize = kinds.kinds.iter().map(|kind| kind.rows.len()).sum();
        assert_eq!(rows, TABLE.len());
        let shapes: Vec<_> = kinds.kinds.iter().filter_map(|kind| kind.shape.as_ref()).collect();
        assert_eq!(shapes.len(), sojourn_crds::all_crds().len());
        fn whole(schema: &CompiledSchema) -> usize {
            assert!(!schema.has_errors(), "{:?}", schema.compilation_errors());
            let inner = schema.properties.values().chain(schema.items.as_deref());
            schema.validations.len() + inner.map(whole).sum::<usize>()
        }
        let rules: usize = shapes.iter().map(|shape| whole(&shape.rules)).sum();
        let stated: usize = sojourn_crds::all_crds()
            .iter()
            .map(|(_, crd)| crd.to_string().matches("\"rule\":").count())
            .sum();
        assert_eq!(rules, stated);
        assert!(rules > 0);
    }

    #[test]
    fn what_is_misnamed_in_our_groups_is_told_from_what_is_not_ours() {
        let kinds = Kinds::compiled().unwrap();
        let find = |api_version: &str, kind: &str| match kinds.find(api_version, kind) {
            Known::Yes(kind) => kind.name.clone(),
            Known::Misnamed(problem) => problem.path.to_string(),
            Known::No => "not ours".to_owned(),
        };
        assert_eq!(find("amalthea.dev/v1alpha1", "AmaltheaSession"), "AmaltheaSession");
        assert_eq!(find("amalthea.dev/v1", "AmaltheaSession"), "apiVersion");
        assert_eq!(find("amalthea.dev/v1alpha1", "AmaltheaSesion"), "kind");
        assert_eq!(find("batch/v1", "Job"), "Job");
        assert_eq!(find("batch/v1", "CronJob"), "not ours");
        assert_eq!(find("v1", "Pod"), "not ours");
    }
}
