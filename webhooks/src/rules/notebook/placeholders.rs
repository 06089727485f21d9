//! Placeholders are ones that are replaced.
//!
//! agentserver passes on what it does not know. In the name of a claim that can only be a mistake; in a value of the
//! environment it may be meant for the program, unless it is all but one of ours.

use sojourn_crds::notebook::names::{PLACEHOLDER, PLACEHOLDER_SHORT, unknown_placeholders};

use crate::finding::{Code, FieldPath, Finding, seen};

/// Says what is no placeholder in a text where nothing else can be meant. True when all are.
pub(crate) fn check_all(path: &FieldPath, text: &str, findings: &mut Vec<Finding>) -> bool {
    let unknown = unknown_placeholders(text).next();
    if let Some(unknown) = unknown {
        findings.push(refusal(path, unknown));
    }
    unknown.is_none()
}

/// Says what is no placeholder in a text that is handed to a program.
pub(crate) fn check_ours(path: &FieldPath, text: &str, findings: &mut Vec<Finding>) {
    let ours = |found: &&str| {
        let word = found.trim_matches(['{', '}']).to_ascii_lowercase().replace(['_', '-'], "");
        word.starts_with("workspace")
    };
    if let Some(unknown) = unknown_placeholders(text).find(ours) {
        findings.push(refusal(path, unknown));
    } else if let Some(unknown) = unknown_placeholders(text).next() {
        findings.push(Finding::new(
            Code::PlaceholderKept,
            path.clone(),
            format!("{} is no placeholder", seen(unknown)),
            "it is passed on as it is",
        ));
    }
}

fn refusal(path: &FieldPath, unknown: &str) -> Finding {
    Finding::new(
        Code::PlaceholderUnknown,
        path.clone(),
        format!("{} is no placeholder", seen(unknown)),
        format!("use {PLACEHOLDER} or {PLACEHOLDER_SHORT}"),
    )
}
