//! What came out: figures, and disagreements by cause, each with the smallest session that shows it as a case for
//! `webhooks/cases`.

use crate::disagreement::{Cause, Opinions};
use serde_json::{Value, json};
use sojourn_webhooks::table;
use std::fmt::Write as _;

/// How many groups are shown when the test fails. All are in the report.
const SHOWN: usize = 20;

/// Sessions that both disagree about for one cause.
pub(crate) struct Group {
    pub(crate) cause: Cause,
    /// How many sessions.
    pub(crate) count: usize,
    /// The smallest session, as somebody writes it.
    pub(crate) session: Value,
    /// What both say about it.
    pub(crate) opinions: Opinions,
}

/// Every group in full, the largest first.
pub(crate) fn whole(groups: &[Group]) -> String {
    let mut out = String::new();
    for group in groups {
        let _ = writeln!(out, "{:=<120}\n{:5} x {}\n", "", group.count, group.cause);
        out.push_str(&case(group));
    }
    out
}

/// One line for each of the largest groups.
pub(crate) fn summary(groups: &[Group]) -> String {
    let mut out = String::new();
    for group in groups.iter().take(SHOWN) {
        let _ = writeln!(out, "{:5} x {}", group.count, group.cause);
    }
    if let Some(more) = groups.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        let _ = writeln!(out, "and {more} more groups");
    }
    out
}

/// The session as a case. What the API server said stands above it.
fn case(group: &Group) -> String {
    let mut out = String::new();
    for refusal in &group.opinions.refusals {
        let _ =
            writeln!(out, "# {} refused, {}: {}", refusal.kind, refusal.field, one_line(&refusal.message));
    }
    for finding in &group.opinions.denials {
        let _ = writeln!(out, "# we deny: {} {}", finding.code, one_line(&finding.to_string()));
    }
    let missed = matches!(group.cause, Cause::Missed(..));
    let expect = if missed {
        let finding = json!({"code": "?", "path": "?", "severity": "Deny"});
        json!({"allowed": false, "code": 422, "findings": [finding]})
    } else {
        json!({"allowed": true})
    };
    let about = match &group.cause {
        Cause::Missed(field, message) => format!("Kubernetes refuses {field}: {message}."),
        Cause::Invented(path, _) => format!("Kubernetes takes {path}."),
    };
    // In the order of the other cases.
    let parts = [
        ("about", json!(about)),
        ("webhook", json!(table::VALIDATE_SESSION)),
        ("operation", json!("CREATE")),
        ("object", group.session.clone()),
        ("expect", expect),
    ];
    for (name, value) in parts {
        match serde_saphyr::to_string(&json!({name: value})) {
            Ok(text) => out.push_str(&shortened(&text)),
            Err(error) => drop(writeln!(out, "{name}: ? # {error}: {value}")),
        }
    }
    out.push('\n');
    out
}

/// A value of thousands of letters says no more than its length.
fn shortened(text: &str) -> String {
    const LONG: usize = 2000;
    let shorten = |line: &str| match line.chars().count() {
        count if count > LONG => {
            format!("{}… # {count} characters\n", line.chars().take(80).collect::<String>())
        }
        _ => format!("{line}\n"),
    };
    text.lines().map(shorten).collect()
}

fn one_line(text: &str) -> String {
    text.chars().take(400).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
