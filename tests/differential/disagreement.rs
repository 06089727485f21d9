//! Where ours and the API server's words differ, and what disagreements have in common.

use crate::oracle::{Oracle, Refusal};
use crate::ours;
use serde_json::Value;
use sojourn_webhooks::Finding;
use std::fmt;

/// What disagreements have in common: where, and for what reason.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Cause {
    /// The API server refuses a child, and we let the session pass: its field without indexes, and its words without
    /// values.
    Missed(String, String),
    /// We deny a session, and the API server takes all its children: our path and code.
    Invented(String, String),
}

/// What both say about one session.
pub(crate) struct Opinions {
    pub(crate) refusals: Vec<Refusal>,
    pub(crate) denials: Vec<Finding>,
}

/// What both say about a session; `None` if the schema refuses it.
pub(crate) async fn opinions(oracle: &Oracle, session: &Value) -> Result<Option<Opinions>, String> {
    let Some(session) = oracle.take(session).await? else { return Ok(None) };
    let denials = ours::denials(&session, oracle.kubernetes);
    Ok(Some(Opinions { refusals: oracle.refusals(&session).await?, denials }))
}

/// For how many causes both disagree about a session, if `cause` is among them; else none. Asks no more than it takes
/// to tell.
pub(crate) async fn disagree(oracle: &Oracle, session: &Value, cause: &Cause) -> Result<usize, String> {
    let Some(session) = oracle.take(session).await? else { return Ok(0) };
    let denials = ours::denials(&session, oracle.kubernetes);
    let hopeless = match cause {
        Cause::Missed(..) => !denials.is_empty(),
        Cause::Invented(..) => !denials.iter().any(|finding| invented(finding) == *cause),
    };
    if hopeless {
        return Ok(0);
    }
    let causes = Opinions { refusals: oracle.refusals(&session).await?, denials }.causes();
    Ok(if causes.contains(cause) { causes.len() } else { 0 })
}

impl Opinions {
    /// Why they differ; empty if they agree.
    pub(crate) fn causes(&self) -> Vec<Cause> {
        let mut causes: Vec<Cause> = match (self.refusals.is_empty(), self.denials.is_empty()) {
            (false, true) => self.refusals.iter().map(missed).collect(),
            (true, false) => {
                self.denials.iter().filter(|finding| ours::is_about_children(finding)).map(invented).collect()
            }
            _ => Vec::new(),
        };
        causes.sort();
        causes.dedup();
        causes
    }
}

fn missed(refusal: &Refusal) -> Cause {
    // Template and pod are refused in the same words, for the same field of the pod.
    let field = refusal.field.strip_prefix("spec.template.").unwrap_or(&refusal.field);
    let message = refusal.message.replace(".spec.template.spec.", ".spec.");
    // What cannot be decoded: `StatefulSet in version "v1" cannot be handled as a StatefulSet: ...`.
    let message = match message.split_once(" cannot be handled as a ") {
        Some((_, rest)) => rest.split_once(": ").map_or("", |(_, why)| why),
        None => &message,
    };
    Cause::Missed(without_indexes(field), without_values(message))
}

fn invented(finding: &Finding) -> Cause {
    Cause::Invented(without_indexes(finding.path.as_str()), finding.code.id().to_owned())
}

/// A path without what stands in brackets.
fn without_indexes(path: &str) -> String {
    let mut parts = path.split('[');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |path, part| format!("{path}[]{}", part.split_once(']').map_or("", |(_, rest)| rest)))
}

/// A message without quoted texts and numbers. What a field may be stays.
fn without_values(message: &str) -> String {
    let (message, allowed) = match message.split_once(": supported values: ") {
        Some((message, allowed)) => (message, Some(allowed)),
        None => (message, None),
    };
    let mut out = String::new();
    let mut chars = message.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                while let Some(inner) = chars.next() {
                    match inner {
                        '\\' => drop(chars.next()),
                        '"' => break,
                        _ => {}
                    }
                }
                out.push('…');
            }
            // Objects are values too.
            '{' if out.ends_with("value: ") => {
                let mut depth = 1;
                while depth > 0
                    && let Some(inner) = chars.next()
                {
                    depth += i32::from(inner == '{') - i32::from(inner == '}');
                }
                out.push('…');
            }
            '0'..='9' => {
                while chars.next_if(char::is_ascii_digit).is_some() {}
                out.push('N');
            }
            _ => out.push(c),
        }
    }
    match allowed {
        Some(allowed) => format!("{out}: supported values: {allowed}"),
        None => out,
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short: fn(&str) -> String = |text| text.chars().take(160).collect();
        match self {
            Cause::Missed(field, message) => write!(f, "missed    {field}: {}", short(message)),
            Cause::Invented(path, code) => write!(f, "invented  {path}: {code}"),
        }
    }
}

#[test]
fn what_differs_by_values_only_is_the_same() {
    assert_eq!(without_indexes("spec.containers[12].env[0].name"), "spec.containers[].env[].name");
    assert_eq!(without_indexes("metadata.labels[a/b]"), "metadata.labels[]");
    assert_eq!(
        without_values(r#"Invalid value: "a\"b": must be at most 63, not {"x"}"#),
        "Invalid value: …: must be at most N, not {…}"
    );
    assert_eq!(
        without_values(r#"Unsupported value: "x": supported values: "A", "B2""#),
        r#"Unsupported value: …: supported values: "A", "B2""#
    );
    assert_eq!(without_values(r#"Invalid value: {"a":{"b":1}}: no"#), "Invalid value: …: no");
}
