//! What `sojourn check` says about one field of one object, found by the schema, by a rule in CEL, or by our rules.

use sojourn_webhooks::{FieldPath, Finding, Severity};

/// The object does not have the shape of its kind; the same code as the webhook's.
pub const SCHEMA_INVALID: &str = "schema-invalid";
/// A rule in the CRD is broken.
pub const SCHEMA_RULE: &str = "schema-rule";
/// A field that the schema does not know.
pub const UNKNOWN_FIELD: &str = "unknown-field";
/// A key that is there twice.
pub const DUPLICATE_KEY: &str = "duplicate-key";

/// The codes that only an offline check gives, with their severity and what they mean.
pub const OWN_CODES: [(&str, Severity, &str); 3] = [
    (
        SCHEMA_RULE,
        Severity::Deny,
        "A rule that the CRD states in CEL is broken. On a cluster the API server says the same.",
    ),
    (
        UNKNOWN_FIELD,
        Severity::Warn,
        "A field that the kind does not have. The API server drops it, so what it says is never done.",
    ),
    (DUPLICATE_KEY, Severity::Warn, "A key occurs twice in one mapping. Only the last one counts."),
];

/// One thing that is wrong, or probably not meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub path: FieldPath,
    /// Which rule: a code that `sojourn explain` knows.
    pub code: &'static str,
    /// How bad.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// The way out; may be empty.
    pub hint: String,
}

impl Problem {
    /// The same with a way out.
    pub fn with_hint(self, hint: String) -> Self {
        Self { hint, ..self }
    }

    /// True when it speaks against the object.
    pub fn denies(&self) -> bool {
        self.severity == Severity::Deny
    }
}

impl From<Finding> for Problem {
    fn from(finding: Finding) -> Self {
        let Finding { path, code, severity, message, hint } = finding;
        Self { path, code: code.id(), severity, message, hint }
    }
}

/// Quotes a value that a user wrote, cut when it is long.
pub(super) fn seen(value: &str) -> String {
    const LONGEST: usize = 60;
    let mut start: String = value.chars().take(LONGEST).collect();
    if start.len() < value.len() {
        start.push('…');
    }
    format!("{start:?}")
}
