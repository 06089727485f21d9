//! From text to objects that know where each of their fields stands.
//!
//! YAML and JSON, one document or many. What is hostile (aliases that multiply, nesting without end) ends in an
//! error after bounded work: the limits stand in [`limits`].

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::{DuplicateKeyPolicy, Options, Spanned};
use sojourn_webhooks::FieldPath;

/// A line and a column, both counted from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// Line; zero when nobody knows.
    pub line: u64,
    /// Column; zero when nobody knows.
    pub column: u64,
}

/// Why a text could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// Bytes that are no UTF-8.
    #[error("cannot read it as text: byte {at} is not UTF-8")]
    DecodeText {
        /// Which byte.
        at: usize,
    },
    /// Neither YAML nor JSON, or more than the limits allow.
    #[error("cannot read it as YAML or JSON: {reason}")]
    ParseText {
        /// What the parser says, with line and column.
        reason: String,
    },
    /// A document that is a text or a list, so that it cannot be an object of Kubernetes.
    #[error("cannot read the document at line {line} as an object: it is no mapping")]
    ReadObject {
        /// Where it starts.
        line: u64,
    },
}

/// One object of an input.
#[derive(Debug, Clone)]
pub struct Document {
    /// Its number in the input, from one.
    pub number: usize,
    /// The object.
    pub object: Value,
    node: Node,
    at: Place,
}

impl Document {
    /// The string at `field` of the object; empty when there is none.
    pub fn text(&self, field: &str) -> &str {
        self.object[field].as_str().unwrap_or_default()
    }

    /// Where the field at `path` stands, or the nearest one around it that is there.
    pub fn place(&self, path: &FieldPath) -> Place {
        let mut node = &self.node;
        let mut place = self.at;
        for step in steps(path.as_str()) {
            let Some((at, inner)) = node.step(step) else { break };
            (place, node) = (at, inner);
        }
        place
    }

    /// The keys that are there twice, each with its place.
    pub fn duplicates(&self) -> Vec<(FieldPath, Place)> {
        let mut found = Vec::new();
        self.node.duplicates(&FieldPath::default(), &mut found);
        found
    }
}

/// The parts of a path: `spec`, `a`, `0`, `x.y/z` for `spec.a[0][x.y/z]`.
fn steps(path: &str) -> Vec<&str> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        let (step, after) = match rest.strip_prefix('[') {
            Some(key) => key.split_once(']').unwrap_or((key, "")),
            None => rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len())),
        };
        steps.push(step);
        rest = after.strip_prefix('.').unwrap_or(after);
    }
    steps
}

/// How many values an input may hold: far more than manifests need, and about 200 bytes each in memory.
const MOST_NODES: usize = 1_000_000;

/// What parsing may cost.
fn limits() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_documents: 100_000,
            max_nodes: MOST_NODES,
            max_events: 4_000_000,
            max_depth: 100,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 100_000 },
        duplicate_keys: DuplicateKeyPolicy::LastWins,
        legacy_octal_numbers: true,
        with_snippet: false,
    }
}

/// The objects in `bytes`, in order. Empty documents are left out; the items of a `List` stand for themselves.
pub fn parse(bytes: &[u8]) -> Result<Vec<Document>, DocumentError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| DocumentError::DecodeText { at: error.valid_up_to() + 1 })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let roots = match serde_saphyr::from_multiple_with_options::<Spanned<Node>>(text, limits()) {
        Ok(roots) => roots.into_iter().map(|root| (Place::of(&root.referenced), root.value)).collect(),
        // JSON may be written in ways that YAML does not know, for example with surrogate pairs.
        Err(error) => json(text)
            .ok_or_else(|| DocumentError::ParseText { reason: error.without_snippet().to_string() })?,
    };
    let mut documents = Vec::new();
    for (at, node) in roots {
        if let Some(items) = node.list_items() {
            for (at, item) in items {
                push(&mut documents, *at, item.clone())?;
            }
        } else {
            push(&mut documents, at, node)?;
        }
    }
    Ok(documents)
}

fn push(documents: &mut Vec<Document>, at: Place, node: Node) -> Result<(), DocumentError> {
    let object = node.value();
    if !object.is_object() {
        return Err(DocumentError::ReadObject { line: at.line });
    }
    documents.push(Document { number: documents.len() + 1, object, node, at });
    Ok(())
}

/// A text of JSON values only; they know the line they start at.
fn json(text: &str) -> Option<Vec<(Place, Node)>> {
    // The parser of JSON knows no limit, so values are counted before, by what stands between them.
    if text.bytes().filter(|byte| b",[{".contains(byte)).count() > MOST_NODES {
        return None;
    }
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let mut roots = Vec::new();
    loop {
        let before = &text[..stream.byte_offset()];
        let gap = text[stream.byte_offset()..].chars().take_while(|c| c.is_whitespace());
        let line = before.matches('\n').count() + gap.filter(|c| *c == '\n').count() + 1;
        let place = Place { line: line as u64, column: 1 };
        match stream.next() {
            Some(Ok(value)) => roots.push((place, Node::from_value(value, place))),
            Some(Err(_)) => return None,
            None => return Some(roots),
        }
    }
}

/// A value whose parts know where they stand.
#[derive(Debug, Clone)]
enum Node {
    Scalar(Value),
    List(Vec<(Place, Node)>),
    /// Entries in order, a key that is there twice included.
    Map(Vec<(String, Place, Node)>),
}

impl Node {
    fn step(&self, step: &str) -> Option<(Place, &Node)> {
        match self {
            Node::Scalar(_) => None,
            Node::List(items) => items.get(step.parse::<usize>().ok()?).map(|(at, item)| (*at, item)),
            Node::Map(entries) => {
                entries.iter().rev().find(|(key, ..)| key == step).map(|(_, at, node)| (*at, node))
            }
        }
    }

    fn value(&self) -> Value {
        match self {
            Node::Scalar(value) => value.clone(),
            Node::List(items) => items.iter().map(|(_, item)| item.value()).collect(),
            Node::Map(entries) => {
                let entries = entries.iter().map(|(key, _, node)| (key.clone(), node.value()));
                Value::Object(entries.collect::<Map<_, _>>())
            }
        }
    }

    fn from_value(value: Value, place: Place) -> Self {
        match value {
            Value::Array(items) => {
                Node::List(items.into_iter().map(|item| (place, Self::from_value(item, place))).collect())
            }
            Value::Object(entries) => {
                let entries = entries.into_iter();
                Node::Map(entries.map(|(key, value)| (key, place, Self::from_value(value, place))).collect())
            }
            scalar => Node::Scalar(scalar),
        }
    }

    /// The items of `kind: List`, as `kubectl get -o yaml` writes it.
    fn list_items(&self) -> Option<&[(Place, Node)]> {
        let is = |field: &str, text: &str| matches!(self.step(field), Some((_, Node::Scalar(Value::String(found)))) if found == text);
        match self.step("items") {
            Some((_, Node::List(items))) if is("kind", "List") && is("apiVersion", "v1") => Some(items),
            _ => None,
        }
    }

    fn duplicates(&self, path: &FieldPath, found: &mut Vec<(FieldPath, Place)>) {
        match self {
            Node::Scalar(_) => {}
            Node::List(items) => {
                for (index, (_, item)) in items.iter().enumerate() {
                    item.duplicates(&path.index(index), found);
                }
            }
            Node::Map(entries) => {
                let mut known = std::collections::BTreeSet::new();
                for (key, at, node) in entries {
                    let here = path.child(key);
                    if !known.insert(key) {
                        found.push((here.clone(), *at));
                    }
                    node.duplicates(&here, found);
                }
            }
        }
    }
}

impl Place {
    fn of(location: &serde_saphyr::Location) -> Self {
        Self { line: location.line(), column: location.column() }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Bool(value)))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    /// `1.0` is sent to the API server as `1`.
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Node, E> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        let whole = value.fract() == 0.0 && value.abs() < EXACT;
        let number = if whole { Some(Number::from(value as i64)) } else { Number::from_f64(value) };
        number.map(|number| Node::Scalar(Value::Number(number))).ok_or_else(|| {
            E::custom(format_args!("{value} is not a number that JSON can hold; quote it if it is text"))
        })
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Spanned<Node>>()? {
            list.push((Place::of(&item.referenced), item.value));
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut map = Vec::new();
        while let Some((key, node)) = entries.next_entry::<Spanned<String>, Node>()? {
            map.push((key.value, Place::of(&key.referenced), node));
        }
        Ok(Node::Map(map))
    }
}

#[cfg(test)]
mod tests;
