//! The result of a check as text: for people, for programs, for code scanners, for GitHub's annotations.

use clap::ValueEnum;
use serde_json::{Value, json};
use sojourn_webhooks::{Severity, finding::in_one};

use super::examine::{Examination, Located};
use crate::cmd::{terminal::printable, topics::topics};

/// How the result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// One problem a line, for people and editors.
    Text,
    /// An array of problems.
    Json,
    /// SARIF 2.1.0, for code scanners.
    Sarif,
    /// Workflow commands, which GitHub shows beside the lines.
    Github,
}

/// The result in the form that was asked for.
pub fn render(examination: &Examination, output: Output) -> Result<String, serde_json::Error> {
    let problems = &examination.problems;
    let pretty = |value: &Value| serde_json::to_string_pretty(value).map(|text| text + "\n");
    match output {
        Output::Text => Ok(problems.iter().map(text).collect::<String>() + &summary(examination) + "\n"),
        Output::Json => pretty(&problems.iter().map(object).collect()),
        Output::Sarif => pretty(&sarif(problems)),
        Output::Github => Ok(problems.iter().map(command).collect()),
    }
}

/// What came out, in one line.
pub(super) fn summary(examination: &Examination) -> String {
    let counted = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let objects = |count| counted(count, "object");
    let skipped = match examination.skipped {
        0 => String::new(),
        count => format!("; {} of other kinds skipped", objects(count)),
    };
    format!(
        "{} checked, {} denied, {}{skipped}",
        objects(examination.checked),
        examination.denied,
        counted(examination.warnings(), "warning")
    )
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Deny => "error",
        Severity::Warn => "warning",
    }
}

/// Kind and name, as people write them.
fn subject(located: &Located) -> String {
    let namespace =
        if located.namespace.is_empty() { String::new() } else { format!("{}/", located.namespace) };
    format!("{} {namespace}{}", located.kind, located.name)
}

/// A problem as people read it, its hint below.
pub(in crate::cmd) fn text(located: &Located) -> String {
    let problem = &located.problem;
    let hint = if problem.hint.is_empty() {
        String::new()
    } else {
        format!("    hint: {}\n", printable(&problem.hint))
    };
    let line = format!(
        "{}:{}:{}: {}: {}: {}: {} [{}]",
        located.file,
        located.place.line,
        located.place.column,
        word(problem.severity),
        subject(located),
        problem.path,
        problem.message,
        problem.code
    );
    format!("{}\n{hint}", printable(&line))
}

/// A problem as programs read it.
pub(in crate::cmd) fn object(located: &Located) -> Value {
    let problem = &located.problem;
    json!({
        "file": located.file,
        "document": located.document,
        "line": located.place.line,
        "column": located.place.column,
        "kind": located.kind,
        "namespace": located.namespace,
        "name": located.name,
        "code": problem.code,
        "severity": word(problem.severity),
        "path": problem.path.as_str(),
        "message": problem.message,
        "hint": problem.hint,
    })
}

fn sentence(located: &Located) -> String {
    let problem = &located.problem;
    let text = in_one(&problem.message, &problem.hint);
    format!("{}: {}: {text}", subject(located), problem.path)
}

fn sarif(problems: &[Located]) -> Value {
    let rules: Vec<_> = topics()
        .into_iter()
        .map(|topic| {
            json!({
                "id": topic.code,
                "shortDescription": {"text": topic.text},
                "defaultConfiguration": {"level": word(topic.severity)},
            })
        })
        .collect();
    let results: Vec<_> = problems
        .iter()
        .map(|located| {
            // SARIF counts from one, and knows no zero.
            let region = json!({
                "startLine": located.place.line.max(1),
                "startColumn": located.place.column.max(1),
            });
            json!({
                "ruleId": located.problem.code,
                "level": word(located.problem.severity),
                "message": {"text": sentence(located)},
                "locations": [{
                    "physicalLocation": {"artifactLocation": {"uri": uri(&located.file)}, "region": region},
                    "logicalLocations": [{"fullyQualifiedName": located.problem.path.as_str()}],
                }],
            })
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "sojourn",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            // Columns are counted in characters.
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

/// A path as a URI reference.
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    path.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn command(located: &Located) -> String {
    let message = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| message(text).replace(':', "%3A").replace(',', "%2C");
    format!(
        "::{} file={},line={},col={},title={}::{}\n",
        word(located.problem.severity),
        property(&located.file),
        located.place.line,
        located.place.column,
        property(located.problem.code),
        message(&printable(&sentence(located)))
    )
}
