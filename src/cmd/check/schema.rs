//! A CRD's structural schema, read once and walked for each object, with the answers the API server would give.
//!
//! [`Schema::complete`] does what the server does before it judges (nulls that mean absence go, defaults come in),
//! [`Schema::problems`] names every field that is wrong and every field that is not known. Rules in CEL are judged
//! elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde_json::{Map, Value};
use sojourn_webhooks::{FieldPath, Severity};

use super::problem::{Problem, SCHEMA_INVALID, UNKNOWN_FIELD, seen};

/// Why a schema cannot be walked.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// A pattern that is no regular expression.
    #[error("cannot compile the pattern {pattern:?}")]
    CompilePattern {
        /// The pattern.
        pattern: String,
        /// Why.
        #[source]
        source: regex::Error,
    },
}

/// How the items of a list are told apart.
#[derive(Debug, Default)]
enum Distinct {
    #[default]
    No,
    ByValue,
    ByKeys(Vec<String>),
}

/// A bound of a number.
#[derive(Debug, Clone, Copy)]
struct Bound {
    at: f64,
    exclusive: bool,
}

/// A structural schema.
#[derive(Debug, Default)]
pub struct Schema {
    kind: Option<String>,
    properties: BTreeMap<String, Schema>,
    required: Vec<String>,
    entries: Option<Box<Schema>>,
    items: Option<Box<Schema>>,
    allowed: Vec<Value>,
    least: Option<Bound>,
    most: Option<Bound>,
    lengths: (Option<u64>, Option<u64>),
    pattern: Option<Regex>,
    moment: Option<Regex>,
    format: String,
    distinct: Distinct,
    default: Option<Value>,
    nullable: bool,
    int_or_string: bool,
    keeps_unknown: bool,
}

/// What [`Schema::read`] understands; a test holds our CRDs against it. `anyOf` occurs only to spell out
/// `x-kubernetes-int-or-string`, and `x-kubernetes-map-type` says how objects merge, not which are valid.
#[cfg(test)]
const KEYWORDS: [&str; 28] = [
    "type",
    "description",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "enum",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "pattern",
    "format",
    "default",
    "nullable",
    "anyOf",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-list-type",
    "x-kubernetes-map-type",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-validations",
];

impl Schema {
    /// Reads `openAPIV3Schema`.
    pub fn read(schema: &Value) -> Result<Self, SchemaError> {
        let text = |key: &str| schema[key].as_str().map(str::to_owned);
        let count = |keys: [&str; 3]| keys.iter().find_map(|key| schema[*key].as_u64());
        let bound = |at: &str, exclusive: &str| {
            schema[at].as_f64().map(|at| Bound { at, exclusive: schema[exclusive] == true })
        };
        let nested = |key: &str| -> Result<Option<Box<Self>>, SchemaError> {
            Ok(match &schema[key] {
                inner @ Value::Object(_) => Some(Box::new(Self::read(inner)?)),
                Value::Bool(true) => Some(Box::new(Self { keeps_unknown: true, ..Self::default() })),
                _ => None,
            })
        };
        let mut properties = BTreeMap::new();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            properties.insert(name.clone(), Self::read(property)?);
        }
        let compile = |pattern: &str| {
            Regex::new(pattern)
                .map_err(|source| SchemaError::CompilePattern { pattern: pattern.to_owned(), source })
        };
        let keys = schema["x-kubernetes-list-map-keys"].as_array();
        let keys = keys.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        Ok(Self {
            kind: text("type"),
            properties,
            required: schema["required"].as_array().map_or_else(Vec::new, |names| {
                names.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }),
            entries: nested("additionalProperties")?,
            items: nested("items")?,
            allowed: schema["enum"].as_array().cloned().unwrap_or_default(),
            least: bound("minimum", "exclusiveMinimum"),
            most: bound("maximum", "exclusiveMaximum"),
            lengths: (
                count(["minLength", "minItems", "minProperties"]),
                count(["maxLength", "maxItems", "maxProperties"]),
            ),
            pattern: schema["pattern"].as_str().map(compile).transpose()?,
            moment: (schema["format"] == "date-time").then(|| compile(TIME_OF_DAY)).transpose()?,
            format: text("format").unwrap_or_default(),
            distinct: match schema["x-kubernetes-list-type"].as_str() {
                Some("set") => Distinct::ByValue,
                Some("map") => Distinct::ByKeys(keys),
                _ => Distinct::No,
            },
            default: schema.get("default").cloned(),
            nullable: schema["nullable"] == true,
            int_or_string: schema["x-kubernetes-int-or-string"] == true,
            keeps_unknown: schema["x-kubernetes-preserve-unknown-fields"] == true,
        })
    }

    /// Puts `schema` in place of the property `name`.
    pub fn with_property(mut self, name: &str, schema: Schema) -> Self {
        self.properties.insert(name.to_owned(), schema);
        self
    }

    /// Drops nulls that mean absence and fills in defaults.
    pub fn complete(&self, value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.retain(|name, field| {
                    !field.is_null() || self.inner(name).is_none_or(|schema| schema.nullable)
                });
                for (name, property) in &self.properties {
                    if let Some(default) = &property.default
                        && !fields.contains_key(name)
                    {
                        fields.insert(name.clone(), default.clone());
                    }
                }
                for (name, field) in fields {
                    if let Some(schema) = self.inner(name) {
                        schema.complete(field);
                    }
                }
            }
            Value::Array(list) => {
                if let Some(items) = &self.items {
                    list.iter_mut().for_each(|item| items.complete(item));
                }
            }
            _ => {}
        }
    }

    /// Everything that is wrong with a completed value.
    pub fn problems(&self, value: &Value) -> Vec<Problem> {
        let mut found = Vec::new();
        self.walk(value, &FieldPath::default(), &mut found);
        found
    }

    fn inner(&self, name: &str) -> Option<&Schema> {
        self.properties.get(name).or(self.entries.as_deref())
    }

    fn walk(&self, value: &Value, path: &FieldPath, found: &mut Vec<Problem>) {
        if value.is_null() && self.nullable {
            return;
        }
        if let Some(expected) = self.mistyped(value) {
            found.push(invalid(path, format!("must be {expected}, not {}", described(value))));
            return;
        }
        if !self.allowed.is_empty() && !self.allowed.contains(value) {
            let allowed: Vec<_> = self.allowed.iter().map(ToString::to_string).collect();
            let hint = format!("use one of {}", allowed.join(", "));
            found.push(invalid(path, format!("{} is not supported", described(value))).with_hint(hint));
        }
        match value {
            Value::Object(fields) => self.walk_object(fields, path, found),
            Value::Array(list) => self.walk_list(list, path, found),
            Value::String(text) => self.check_text(text, path, found),
            Value::Number(number) => self.check_number(number, path, found),
            _ => {}
        }
    }

    /// What the value should be, when it is of another type.
    fn mistyped(&self, value: &Value) -> Option<String> {
        if self.int_or_string {
            let fits = value.is_string() || is_integer(value);
            return (!fits).then(|| "an integer or a string".to_owned());
        }
        let kind = self.kind.as_deref()?;
        let fits = match kind {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "integer" => is_integer(value),
            "number" => value.is_number(),
            _ => true,
        };
        let article = if kind.starts_with(['a', 'i', 'o']) { "an" } else { "a" };
        (!fits).then(|| format!("{article} {kind}"))
    }

    fn walk_object(&self, fields: &Map<String, Value>, path: &FieldPath, found: &mut Vec<Problem>) {
        for name in self.required.iter().filter(|name| !fields.contains_key(*name)) {
            found.push(invalid(&path.child(name), "is required".to_owned()));
        }
        self.check_length(fields.len() as u64, "entries", path, found);
        for (name, field) in fields {
            if let Some(property) = self.properties.get(name) {
                property.walk(field, &path.child(name), found);
            } else if let Some(entries) = &self.entries {
                entries.walk(field, &path.key(name), found);
            } else if !self.keeps_unknown && !self.is_open() {
                found.push(Problem {
                    path: path.child(name),
                    code: UNKNOWN_FIELD,
                    severity: Severity::Warn,
                    message: format!("unknown field {}, which the API server drops", seen(name)),
                    hint: self.nearest(name).map_or_else(String::new, |near| format!("did you mean {near}?")),
                });
            }
        }
    }

    /// An object whose fields the schema does not describe.
    fn is_open(&self) -> bool {
        self.properties.is_empty() && self.kind.is_none()
    }

    /// A known field that only differs in case.
    fn nearest(&self, name: &str) -> Option<&str> {
        self.properties.keys().map(String::as_str).find(|known| known.eq_ignore_ascii_case(name))
    }

    fn walk_list(&self, list: &[Value], path: &FieldPath, found: &mut Vec<Problem>) {
        self.check_length(list.len() as u64, "items", path, found);
        let mut known = BTreeSet::new();
        for (index, item) in list.iter().enumerate() {
            let here = path.index(index);
            let identity = match &self.distinct {
                Distinct::No => None,
                Distinct::ByValue => Some(item.to_string()),
                Distinct::ByKeys(keys) => {
                    let parts = keys.iter().map(|key| format!("{key}: {}", item[key]));
                    Some(parts.collect::<Vec<_>>().join(", "))
                }
            };
            if let Some(identity) = identity
                && !known.insert(identity.clone())
            {
                found.push(invalid(&here, format!("is there twice: {}", seen(&identity))));
            }
            if let Some(items) = &self.items {
                items.walk(item, &here, found);
            }
        }
    }

    fn check_text(&self, text: &str, path: &FieldPath, found: &mut Vec<Problem>) {
        self.check_length(text.chars().count() as u64, "characters", path, found);
        if let Some(pattern) = &self.pattern
            && !pattern.is_match(text)
        {
            let hint = format!("it must match {pattern}");
            found.push(invalid(path, format!("{} has the wrong form", seen(text))).with_hint(hint));
        }
        if let Some(time) = &self.moment
            && !is_moment(text, time)
        {
            let hint = "write it as 2026-01-31T12:00:00Z".to_owned();
            found.push(invalid(path, format!("{} is not a moment in RFC 3339", seen(text))).with_hint(hint));
        }
    }

    fn check_number(&self, number: &serde_json::Number, path: &FieldPath, found: &mut Vec<Problem>) {
        let Some(value) = number.as_f64() else { return };
        let within_32_bits =
            number.as_i64().is_some_and(|n| (i64::from(i32::MIN)..=i64::from(i32::MAX)).contains(&n));
        if self.format == "int32" && !within_32_bits {
            found.push(invalid(path, format!("{number} does not fit into 32 bits")));
        }
        if let Some(Bound { at, exclusive }) = self.least
            && (value < at || (exclusive && value == at))
        {
            let what = if exclusive { "greater than" } else { "at least" };
            found.push(invalid(path, format!("{number} must be {what} {at}")));
        }
        if let Some(Bound { at, exclusive }) = self.most
            && (value > at || (exclusive && value == at))
        {
            let what = if exclusive { "less than" } else { "at most" };
            found.push(invalid(path, format!("{number} must be {what} {at}")));
        }
    }

    fn check_length(&self, length: u64, of: &str, path: &FieldPath, found: &mut Vec<Problem>) {
        if let Some(least) = self.lengths.0.filter(|least| length < *least) {
            found.push(invalid(path, format!("has {length} {of} and needs at least {least}")));
        }
        if let Some(most) = self.lengths.1.filter(|most| length > *most) {
            found.push(invalid(path, format!("has {length} {of} and may have at most {most}")));
        }
    }
}

/// The part behind the `T` of a moment. As generous as the API server, which does not look at the size of the offset.
const TIME_OF_DAY: &str =
    r"(?i)^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](.[0-9]+)?(z|[+-][0-9]{2}:[0-9]{2})$";

fn is_moment(text: &str, time_of_day: &Regex) -> bool {
    text.split_once(['T', 't']).is_some_and(|(date, time)| {
        date.len() == 10 && date.parse::<jiff::civil::Date>().is_ok() && time_of_day.is_match(time)
    })
}

fn is_integer(value: &Value) -> bool {
    value.is_i64() || value.is_u64()
}

fn invalid(path: &FieldPath, message: String) -> Problem {
    Problem {
        path: path.clone(),
        code: SCHEMA_INVALID,
        severity: Severity::Deny,
        message,
        hint: String::new(),
    }
}

/// A value as a message shows it: scalars as they are, the rest by what it is.
fn described(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::String(text) => seen(text),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        scalar => scalar.to_string(),
    }
}

#[cfg(test)]
mod tests;
