//! Plans as text, for people, and as JSON or YAML, for programs.

use super::{
    ide,
    outline::{Outline, Session, Subject},
};
use crate::{
    cmd::check::report::{object as problem_object, printable, text as problem_text},
    core::{
        amalthea::{deadlines::Decision, events::rule},
        manifest::{
            Write,
            changes::{Change, changes, shown},
        },
        object::Kind,
    },
};
use anyhow::Context as _;
use clap::ValueEnum;
use jiff::Timestamp;
use serde_json::{Value, json};
use sojourn_crds::{
    amalthea::{API_VERSION, KIND},
    condition::Condition,
    ide_session,
};
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

/// What is done with a child, in one word.
fn verb(write: &Write) -> &'static str {
    match write {
        Write::Create { .. } => "create",
        Write::Apply { .. } => "change",
    }
}

/// The fields that a write changes of the child that is there.
fn changed(session: &Session, write: &Write) -> Vec<Change> {
    let (kind, name) = write.target();
    match (write, session.observed.owned(kind, name)) {
        (Write::Apply { manifest, .. }, Some(live)) => changes(live, manifest),
        _ => Vec::new(),
    }
}

/// What is decided at a moment, and by which rule.
fn reason(session: &Session, what: Decision) -> String {
    let rule = |why| rule(&session.observed.session, why);
    match what {
        Decision::Hibernate(why) => format!("hibernate it: {}", rule(why)),
        Decision::Delete(why) => format!("delete it: {}", rule(why)),
        Decision::GiveUpScheduling => "say that it failed: no node took its pod".to_owned(),
        Decision::TellUnready => "say which container is not ready".to_owned(),
        Decision::ForgetFailure => "see that it has not crashed again".to_owned(),
        Decision::AskIfIdle => "ask whether somebody uses it".to_owned(),
        Decision::TellUnschedulable => "say that no node takes its pod".to_owned(),
    }
}

/// How long until a moment, in the largest units.
fn until(at: Timestamp, now: Timestamp) -> String {
    let seconds = at.duration_since(now).as_secs();
    if seconds <= 0 {
        return "now".to_owned();
    }
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let shown: String =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect();
    format!("in {shown}")
}

fn text(outline: &Outline) -> String {
    let mut out = String::new();
    let of = if outline.namespace.is_empty() { String::new() } else { format!("{}/", outline.namespace) };
    let head = printable(&format!("{} {of}{}", outline.kind, outline.name));
    let standing = |asked: bool, exists: bool| match (asked, exists) {
        (false, _) => "as in a cluster that has nothing of it (--kubeconfig compares with one)",
        (true, true) => "it is there; compared with that",
        (true, false) => "it would be created",
    };
    // Writing to a String cannot fail.
    let _ = match &outline.subject {
        Subject::Unknown => writeln!(
            out,
            "{head}: nothing is planned for this kind; sojourn plan knows {KIND} ({API_VERSION}) and {} ({})",
            ide_session::KIND,
            ide_session::API_VERSION
        ),
        Subject::Denied => writeln!(out, "{head}: it would be refused, so nothing would be done"),
        Subject::Session(session) => writeln!(out, "{head}: {}", standing(session.asked, session.exists)),
        Subject::IdeSession(session) => writeln!(out, "{head}: {}", standing(session.asked, session.exists)),
    };
    for note in &outline.notes {
        let _ = writeln!(out, "note: {}", printable(note));
    }
    out.extend(outline.problems.iter().map(problem_text));
    match &outline.subject {
        Subject::Session(session) => out.push_str(&session_text(session)),
        Subject::IdeSession(session) => out.push_str(&ide::text(session)),
        Subject::Unknown | Subject::Denied => {}
    }
    out
}

fn session_text(session: &Session) -> String {
    let (mut out, preview) = (String::new(), &session.preview);
    let mut line = |mark: &str, text: String| {
        let _ = writeln!(out, "  {mark} {}", printable(&text));
    };
    if let Some(run) = &preview.begin_run {
        line("+", format!("run {run} is written down first: the session resumes"));
    }
    for release in &preview.plan.release {
        line("~", format!("Job {} is let go: its result is on record, or does not count", release.name));
    }
    for delete in &preview.plan.delete {
        line("-", format!("{} {}", delete.kind, delete.name));
    }
    for write in &preview.plan.write {
        let (kind, name) = write.target();
        line(if matches!(write, Write::Create { .. }) { "+" } else { "~" }, format!("{kind} {name}"));
        for change in changed(session, write) {
            line("    ", format!("{}: {} -> {}", change.path, value(&change.from), value(&change.to)));
        }
    }
    for (kind, name) in &preview.keep {
        line("=", format!("{kind} {name}"));
    }
    for blocked in &preview.plan.blocked {
        line("!", format!("{} {}: {}", blocked.kind, blocked.name, blocked.message));
    }
    for name in &preview.plan.delete_secrets {
        line("-", format!("Secret {name}, which the session adopted"));
    }
    for name in &preview.plan.keep_secrets {
        line("=", format!("Secret {name}, which the session adopted: other sessions refer to it"));
    }
    if let Some(finalizers) = &preview.plan.finalizers {
        line("~", format!("finalizers of the session: {}", finalizers.join(", ")));
    }
    let status = &preview.report.status;
    let _ = writeln!(out, "  status {}", status.state.as_str());
    // The ID of a first run follows from the UID, which a session that is not there has not.
    let run = status.run_id.as_ref().filter(|_| session.exists);
    for (name, text) in [("url", status.url.as_ref()), ("error", status.error.as_ref()), ("run", run)] {
        if let Some(text) = text {
            let _ = writeln!(out, "    {name}: {}", printable(text));
        }
    }
    out.push_str(&conditions_text(&status.conditions));
    if preview.scheduled_decisions.is_empty() {
        out.push_str("  next: nothing is due because of the time alone\n");
    }
    for wake in &preview.scheduled_decisions {
        let when = format!("{} ({})", whole(wake.at), until(wake.at, session.now));
        let _ = writeln!(out, "  next: {when}: {}", reason(session, wake.what));
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

/// Seconds are enough for people.
fn whole(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}

fn value(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        value => value.to_string(),
    }
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
            Subject::Session(_) | Subject::IdeSession(_) => "planned",
        },
    });
    if let Subject::IdeSession(session) = &outline.subject {
        object["plan"] = ide::object(session);
        object["status"] = json!(session.preview.status);
        object["next"] = json!([]);
    }
    if let Subject::Session(session) = &outline.subject {
        object["plan"] = plan_object(session);
        object["status"] = json!(session.preview.report.status);
        let scheduled_decisions = session.preview.scheduled_decisions.iter();
        object["next"] = scheduled_decisions
            .map(|wake| json!({"at": wake.at.to_string(), "why": reason(session, wake.what)}))
            .collect();
    }
    object
}

fn plan_object(session: &Session) -> Value {
    let (preview, plan) = (&session.preview, &session.preview.plan);
    let child =
        |action: &str, kind: Kind, name: &str| json!({"action": action, "kind": kind.name(), "name": name});
    let mut children: Vec<Value> = Vec::new();
    children.extend(plan.release.iter().map(|release| child("release", Kind::Job, &release.name)));
    children.extend(plan.delete.iter().map(|delete| child("delete", delete.kind, &delete.name)));
    for write in &plan.write {
        let (kind, name) = write.target();
        let mut entry = child(verb(write), kind, name);
        match write {
            Write::Create { manifest, .. } => entry["manifest"] = shown(kind, manifest),
            Write::Apply { .. } => {
                let fields = changed(session, write).into_iter();
                entry["changes"] = fields
                    .map(|change| json!({"path": change.path, "from": change.from, "to": change.to}))
                    .collect();
            }
        }
        children.push(entry);
    }
    children.extend(preview.keep.iter().map(|(kind, name)| child("keep", *kind, name)));
    children.extend(plan.blocked.iter().map(|blocked| {
        let mut entry = child("blocked", blocked.kind, &blocked.name);
        entry["message"] = json!(blocked.message);
        entry
    }));
    children.extend(plan.delete_secrets.iter().map(|name| child("delete", Kind::Secret, name)));
    children.extend(plan.keep_secrets.iter().map(|name| child("keep", Kind::Secret, name)));
    json!({
        "exists": session.exists,
        "beginRun": preview.begin_run,
        "children": children,
        "finalizers": plan.finalizers,
    })
}
