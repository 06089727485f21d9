//! From a seed to an input that nobody wrote, by chance that repeats itself. Half of the changes are made to bytes, half
//! to the JSON that they are, so that what comes out often enough gets as far as the rules.

use rand::{Rng, rngs::StdRng, seq::IndexedRandom as _};
use serde_json::{Map, Value};

/// Values and parts of text with which parsers and rules have trouble.
const ODD: [&str; 24] = [
    "null",
    "true",
    "-1",
    "0",
    "1e400",
    "9223372036854775808",
    "0.1",
    "\"\"",
    "\" \"",
    "\"1d\"",
    "\"-1h\"",
    "\"9223372036854775807ns\"",
    "\"1h30m\"",
    "\"1Ei\"",
    "\"a/../b\"",
    "\"\\u0000\"",
    "\"\\ud83d\"",
    "\"\u{1b}[2J\"",
    "\"\u{202e}\"",
    "[]",
    "{}",
    "[null]",
    "{\"\":{}}",
    "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]",
];

/// Changes `input` in one to four places. `other` is another seed, from which parts are taken.
pub fn mutate(random: &mut StdRng, input: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..random.random_range(1..=4) {
        let json = random.random_bool(0.5).then(|| serde_json::from_slice::<Value>(&bytes).ok()).flatten();
        match json {
            Some(mut value) => {
                let other = serde_json::from_slice(other).unwrap_or(Value::Null);
                change(random, &mut value, &other);
                bytes = value.to_string().into_bytes();
            }
            None => scramble(random, &mut bytes, other),
        }
    }
    bytes
}

/// Walks to some value inside and changes it, or what is beside it.
fn change(random: &mut StdRng, value: &mut Value, other: &Value) {
    let deeper = random.random_bool(0.85);
    match value {
        Value::Object(fields) if deeper && !fields.is_empty() => {
            let key = pick_key(random, fields);
            match random.random_range(0..10) {
                0 => drop(fields.remove(&key)),
                1 => {
                    let copy = fields[&key].clone();
                    fields.insert(format!("{key}x"), copy);
                }
                _ => change(random, &mut fields[&key], other),
            }
        }
        Value::Array(items) if deeper && !items.is_empty() => {
            let at = random.random_range(0..items.len());
            match random.random_range(0..10) {
                0 => drop(items.remove(at)),
                1 => items.insert(at, items[at].clone()),
                _ => change(random, &mut items[at], other),
            }
        }
        _ if random.random_bool(0.3) => *value = part_of(random, other).clone(),
        Value::String(text) if random.random_bool(0.5) => {
            let mut bytes = std::mem::take(text).into_bytes();
            scramble(random, &mut bytes, b"a.b/c-d");
            *text = String::from_utf8_lossy(&bytes).into_owned();
        }
        _ => *value = serde_json::from_str(odd(random)).unwrap_or(Value::Null),
    }
}

fn pick_key(random: &mut StdRng, fields: &Map<String, Value>) -> String {
    fields.keys().nth(random.random_range(0..fields.len())).cloned().unwrap_or_default()
}

/// Some value inside.
fn part_of<'a>(random: &mut StdRng, value: &'a Value) -> &'a Value {
    let inner: Vec<&Value> = match value {
        Value::Object(fields) => fields.values().collect(),
        Value::Array(items) => items.iter().collect(),
        _ => Vec::new(),
    };
    match inner.choose(random) {
        Some(inner) if random.random_bool(0.8) => part_of(random, inner),
        _ => value,
    }
}

fn odd(random: &mut StdRng) -> &'static str {
    ODD.choose(random).copied().unwrap_or_default()
}

/// Changes some bytes, whatever they are.
fn scramble(random: &mut StdRng, bytes: &mut Vec<u8>, other: &[u8]) {
    let at = random.random_range(0..=bytes.len());
    let end = (at + random.random_range(0..=16)).min(bytes.len());
    match random.random_range(0..7) {
        0 => bytes.truncate(at),
        1 => drop(bytes.drain(at..end)),
        2 => drop(bytes.splice(at..at, odd(random).bytes())),
        3 => {
            let copy = bytes[at..end].repeat(random.random_range(1..=8));
            bytes.splice(at..at, copy);
        }
        4 => {
            let from = random.random_range(0..=other.len());
            let to = (from + random.random_range(0..=64)).min(other.len());
            bytes.splice(at..end, other[from..to].iter().copied());
        }
        5 => bytes.insert(at, random.random()),
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << random.random_range(0..8);
            }
        }
    }
}
