//! What a rule has to say about an object: where, what, how bad, and the way out.

use std::fmt;

pub use crate::rules::code::{Code, Severity};

/// Where in an object, in the notation of Kubernetes: `spec.extraContainers[1].name`, `metadata.labels[a/b]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FieldPath(String);

impl FieldPath {
    /// A path from a literal, for example `spec.culling`.
    pub fn new(path: &str) -> Self {
        Self(path.to_owned())
    }

    /// The member `name` of this.
    pub fn child(&self, name: &str) -> Self {
        if self.0.is_empty() { Self::new(name) } else { Self(format!("{}.{name}", self.0)) }
    }

    /// The item at `index` of this list.
    pub fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    /// The entry `key` of this map, whose keys may hold dots and slashes.
    pub fn key(&self, key: &str) -> Self {
        Self(format!("{}[{key}]", self.0))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One thing that a rule found. The message names the value seen and the value allowed, the hint the way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub path: FieldPath,
    /// Which rule; stable and documented.
    pub code: Code,
    /// How bad.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// What to do about it; may be empty.
    pub hint: String,
}

impl Finding {
    /// A finding with the severity that belongs to its code.
    pub fn new(code: Code, path: FieldPath, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { path, code, severity: code.severity(), message: message.into(), hint: hint.into() }
    }

    /// Message and hint as one text, without the path.
    pub fn text(&self) -> String {
        in_one(&self.message, &self.hint)
    }

    /// What findings are sorted by.
    pub(crate) fn order(&self) -> (u8, &FieldPath, Code, &str) {
        (self.code.rank(), &self.path, self.code, &self.message)
    }

    /// True when both findings say the same about the same field.
    pub(crate) fn same_as(&self, other: &Finding) -> bool {
        self.code == other.code && self.path == other.path && self.message == other.message
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.text())
    }
}

/// Message and hint as one text. A message in an original's words may be a sentence of its own.
pub fn in_one(message: &str, hint: &str) -> String {
    match (hint.is_empty(), message.ends_with('.')) {
        (true, _) => message.to_owned(),
        (false, true) => format!("{message} {hint}"),
        (false, false) => format!("{message}; {hint}"),
    }
}

/// Quotes a value that a user wrote, cut when it is long, so that a message stays one readable line.
pub(crate) fn seen(value: &str) -> String {
    const LONGEST: usize = 60;
    if value.chars().count() <= LONGEST {
        format!("{value:?}")
    } else {
        format!("{:?}", value.chars().take(LONGEST).chain(['…']).collect::<String>())
    }
}

/// `text`, cut to `longest` characters when it is longer.
pub(crate) fn cut(text: &str, longest: usize) -> String {
    // There are at least as many bytes as characters.
    if text.len() <= longest || text.chars().count() <= longest {
        return text.to_owned();
    }
    text.chars().take(longest.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_as_kubernetes_writes_them() {
        let path = FieldPath::new("spec").child("a").index(2).child("labels").key("x.y/z");
        assert_eq!(path.to_string(), "spec.a[2].labels[x.y/z]");
        assert_eq!(FieldPath::default().child("spec").to_string(), "spec");
    }

    #[test]
    fn a_hint_follows_as_the_message_ends() {
        assert_eq!(in_one("it is wrong", ""), "it is wrong");
        assert_eq!(in_one("it is wrong", "change it"), "it is wrong; change it");
        assert_eq!(in_one("It is wrong.", "Change it."), "It is wrong. Change it.");
    }

    #[test]
    fn long_values_are_cut_at_a_character() {
        assert_eq!(seen("ä"), "\"ä\"");
        assert_eq!(seen(&"ä".repeat(100)).chars().count(), 63);
    }
}
