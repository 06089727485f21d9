//! Values for each field: good ones, and odd ones at, within and beyond bounds. Which of them are valid is for the API
//! server to say; "good" only means that a spec of good values mostly is.

mod container;
mod scheduling;
mod session;
mod volumes;

use crate::fields::is_map;
use rand::{Rng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};

/// Values of the fields whose paths end in one of `fields`. The first row that fits counts.
///
/// In values stand `{n}` for a number that nobody else has, `{p}` for a port that nobody else has, and `{63}` for
/// that many letters. For fields that hold numbers or texts, what reads as a number is one, unless `'` stands first. In
/// maps an entry is written `key=value`, or `key=>value` if the key has an equals sign.
pub(crate) struct Row {
    fields: &'static [&'static str],
    good: &'static [&'static str],
    odd: &'static [&'static str],
}

/// A row.
pub(crate) const fn row(
    fields: &'static [&'static str],
    good: &'static [&'static str],
    odd: &'static [&'static str],
) -> Row {
    Row { fields, good, odd }
}

/// Names of objects that a field refers to.
const NAMES: (&[&str], &[&str]) = (
    &["thing", "thing.sub", "0thing"],
    &["", "UPPER", "under_score", "-lead", "trail-", ".dot", "a..b", "{63}", "{64}", "{253}", "{254}", "a/b"],
);
/// Any text.
const TEXTS: (&[&str], &[&str]) = (&["text"], &["", " ", "a b", "ü", "a:b", "..", "/", "{254}"]);
/// Numbers of 32 and 64 bits.
const NUMBERS: (&[&str], &[&str]) = (
    &["1"],
    &[
        "0",
        "-1",
        "2147483647",
        "2147483648",
        "-2147483648",
        "4294967296",
        "9223372036854775807",
        "-9223372036854775808",
    ],
);
/// What no field of that type takes, for the schema to refuse.
const WRONG: [&str; 2] = ["{\"a\": 1}", "[\"a\"]"];

/// Good and odd values of the field at `path`.
fn pools(path: &str, schema: &Value) -> (&'static [&'static str], &'static [&'static str]) {
    let rows = [session::ROWS, scheduling::ROWS, container::ROWS, volumes::ROWS];
    let fits = |row: &&Row| row.fields.iter().any(|field| ends_in(path, field));
    if let Some(row) = rows.into_iter().flatten().find(fits) {
        return (row.good, row.odd);
    }
    match schema["type"].as_str() {
        Some("integer") => NUMBERS,
        Some("boolean") => (&["true", "false"], &["true", "false"]),
        _ if path.ends_with(".name") => NAMES,
        _ => TEXTS,
    }
}

/// Whether a path ends in those steps.
pub(crate) fn ends_in(path: &str, end: &str) -> bool {
    path.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// A value that the field can have.
pub(crate) fn good(path: &str, schema: &Value, rng: &mut StdRng) -> Value {
    if let Some(allowed) = schema["enum"].as_array() {
        return allowed.choose(rng).cloned().unwrap_or_default();
    }
    let (good, _) = pools(path, schema);
    let text = good.choose(rng).copied().unwrap_or_default();
    read(text, schema, rng)
}

/// A value that the field perhaps cannot have.
pub(crate) fn odd(path: &str, schema: &Value, rng: &mut StdRng) -> Value {
    if rng.random_bool(0.02) {
        return serde_json::from_str(WRONG.choose(rng).unwrap()).unwrap();
    }
    let (good, odd) = pools(path, schema);
    if schema["enum"].is_array() && rng.random_bool(0.1) {
        return json!("Unknown");
    } else if let Some(allowed) = schema["enum"].as_array() {
        return allowed.choose(rng).cloned().unwrap_or_default();
    }
    // Numbers have the same ends everywhere, whatever the bounds of the field are.
    let ends: &[&str] = if schema["type"] == "integer" && rng.random_bool(0.25) { NUMBERS.1 } else { odd };
    let ends = if ends.is_empty() { TEXTS.1 } else { ends };
    let from = if rng.random_bool(0.05) { good } else { ends };
    let text = from.choose(rng).copied().unwrap_or_default();
    read(text, schema, rng)
}

/// Adds a good or an odd entry to the map at `path`.
pub(crate) fn enter(map: &mut Value, path: &str, schema: &Value, is_odd: bool, rng: &mut StdRng) {
    let (good, odd) = pools(path, schema);
    let text = if is_odd { odd } else { good }.choose(rng).copied().unwrap_or("key=value");
    let (key, value) = text.split_once("=>").or_else(|| text.split_once('=')).unwrap_or((text, ""));
    if !map.is_object() {
        *map = json!({});
    }
    map[expand(key, rng)] = read(value, &schema["additionalProperties"], rng);
}

/// The value that a text of a row stands for.
fn read(text: &str, schema: &Value, rng: &mut StdRng) -> Value {
    debug_assert!(!is_map(schema));
    let text = expand(text, rng);
    match schema["type"].as_str() {
        Some("integer" | "boolean") => serde_json::from_str(&text).unwrap_or(Value::String(text)),
        Some("string") => Value::String(text),
        // A number or a text.
        _ => match text.strip_prefix('\'') {
            Some(text) => json!(text),
            None => text.parse::<i64>().map_or_else(|_| json!(text), |number| json!(number)),
        },
    }
}

fn expand(text: &str, rng: &mut StdRng) -> String {
    let Some((before, rest)) = text.split_once('{') else { return text.to_owned() };
    let Some((token, after)) = rest.split_once('}') else { return text.to_owned() };
    let token = match token {
        "n" => rng.random_range(0..100_000).to_string(),
        "p" => rng.random_range(1024..60_000).to_string(),
        count => match count.parse() {
            Ok(count) => "a".repeat(count),
            Err(_) => return text.to_owned(),
        },
    };
    format!("{before}{token}{after}")
}
