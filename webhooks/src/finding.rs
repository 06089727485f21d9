//! Findings of rules: the field, the message, the severity, and a hint.

use std::fmt;

use sojourn_crds::text::on_one_line;

pub use crate::rules::code::{Code, Severity};

/// The path of a field in the notation of Kubernetes: `spec.extraContainers[1].name`, `metadata.labels[a/b]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FieldPath(String);

impl FieldPath {
    /// A path from a literal, for example `spec.culling`.
    pub fn new(path: &str) -> Self {
        Self(path.to_owned())
    }

    /// The path of the member `name`.
    pub fn child(&self, name: &str) -> Self {
        if self.0.is_empty() { Self::new(name) } else { Self(format!("{}.{name}", self.0)) }
    }

    /// The path of the item at `index` of a list.
    pub fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    /// The path of the entry `key` of a map, whose keys may contain dots and slashes.
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

/// One finding. The message names the value that was seen and the allowed ones; the hint says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The field.
    pub path: FieldPath,
    /// The code of the rule; stable and documented.
    pub code: Code,
    /// The severity.
    pub severity: Severity,
    /// What is wrong with the field.
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

    /// The sort key of findings.
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

/// Message and hint as one text. A message in the words of an original may already end as a sentence.
pub fn in_one(message: &str, hint: &str) -> String {
    match (hint.is_empty(), message.ends_with('.')) {
        (true, _) => message.to_owned(),
        (false, true) => format!("{message} {hint}"),
        (false, false) => format!("{message}; {hint}"),
    }
}

/// Quotes a value of a user and truncates it, so that a message stays one readable line.
pub(crate) fn seen(value: &str) -> String {
    const LONGEST: usize = 60;
    if value.chars().count() <= LONGEST {
        format!("{value:?}")
    } else {
        format!("{:?}", value.chars().take(LONGEST).chain(['…']).collect::<String>())
    }
}

/// `text` on one line, cut to `longest` characters when it is longer.
pub(crate) fn cut(text: &str, longest: usize) -> String {
    let text = &*on_one_line(text);
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
