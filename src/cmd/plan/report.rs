//! Plans as text, for people, and as JSON or YAML, for programs.

use super::{
    kind::KINDS,
    outline::{Outline, Standing, Subject},
};
use crate::cmd::{
    check::report::{object as problem_object, text as problem_text},
    terminal::printable,
};
use anyhow::Context as _;
use clap::ValueEnum;
use serde_json::{Value, json};
use sojourn_crds::condition::Condition;
use std::fmt::Write as _;

/// How the result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For people.
    Text,
    /// A list of plans, with whole manifests.
    Json,
    /// The same as YAML.
    Yaml,
}

/// The plans in the form that was asked for.
pub(super) fn render(outlines: &[Outline], output: Output) -> anyhow::Result<String> {
    let all = || outlines.iter().map(object).collect::<Value>();
    match output {
        Output::Text => Ok(outlines.iter().map(text).collect::<Vec<_>>().join("\n")),
        Output::Json => Ok(serde_json::to_string_pretty(&all())? + "\n"),
        Output::Yaml => serde_saphyr::to_string(&all()).context("the plan cannot be written as YAML"),
    }
}

fn text(outline: &Outline) -> String {
    let mut out = String::new();
    let of = if outline.namespace.is_empty() { String::new() } else { format!("{}/", outline.namespace) };
    let head = printable(&format!("{} {of}{}", outline.kind, outline.name));
    // Writing to a String cannot fail.
    let _ = match &outline.subject {
        Subject::Unknown => {
            let known: Vec<String> =
                KINDS.iter().map(|kind| format!("{} ({})", kind.kind(), kind.api_version())).collect();
            let known = known.join(" and ");
            writeln!(out, "{head}: nothing is planned for this kind; sojourn plan knows {known}")
        }
        Subject::Denied => writeln!(out, "{head}: it would be refused, so nothing would be done"),
        Subject::Planned(standing, _) => writeln!(
            out,
            "{head}: {}",
            match standing {
                Standing::Offline =>
                    "as in a cluster that has nothing of it (--kubeconfig compares with one)",
                Standing::Exists => "it is there; compared with that",
                Standing::New => "it would be created",
            }
        ),
    };
    for note in &outline.notes {
        let _ = writeln!(out, "note: {}", printable(note));
    }
    out.extend(outline.problems.iter().map(problem_text));
    if let Subject::Planned(_, forecast) = &outline.subject {
        out.push_str(&forecast.text());
    }
    out
}

/// The conditions of a status, one a line.
pub(super) fn conditions_text(conditions: &[Condition]) -> String {
    let line = |condition: &Condition| {
        let why = [condition.reason.as_deref(), condition.message.as_deref()];
        let why: Vec<_> = why.into_iter().flatten().collect();
        let line = format!("{}={} ({})", condition.kind, condition.status, why.join(": "));
        format!("    {}\n", printable(&line))
    };
    conditions.iter().map(line).collect()
}

fn object(outline: &Outline) -> Value {
    let mut object = json!({
        "file": outline.file,
        "line": outline.place.line,
        "kind": outline.kind,
        "namespace": outline.namespace,
        "name": outline.name,
        "findings": outline.problems.iter().map(problem_object).collect::<Value>(),
        "notes": outline.notes,
        "verdict": match &outline.subject {
            Subject::Unknown => "unknown",
            Subject::Denied => "denied",
            Subject::Planned(..) => "planned",
        },
    });
    if let Subject::Planned(_, forecast) = &outline.subject {
        object["plan"] = forecast.plan();
        object["status"] = forecast.status();
        object["next"] = forecast.deadlines();
    }
    object
}
