//! Plans for kinds with children: what is shown of their children.

use crate::{
    cmd::terminal::printable,
    core::{
        manifest::{
            Write,
            changes::{Change, changes, shown},
        },
        object::Kind,
        workload::{KeepReason, KeptSecret, Observed, Plan, WorkloadKind},
    },
};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// The fields that a write changes of the child that is there.
fn changed<K: WorkloadKind>(observed: &Observed<K>, write: &Write) -> Vec<Change> {
    let (kind, name) = write.target();
    match (write, observed.owned(kind, name)) {
        (Write::Apply { manifest, .. }, Some(live)) => changes(live, manifest),
        _ => Vec::new(),
    }
}

/// The steps of a plan for people, one a line; `keep` are the children that stay as they are.
pub(super) fn text<K: WorkloadKind>(plan: &Plan, observed: &Observed<K>, keep: &[(Kind, String)]) -> String {
    let mut out = String::new();
    let mut line = |mark: &str, text: String| {
        let _ = writeln!(out, "  {mark} {}", printable(&text));
    };
    for release in &plan.release {
        line("~", format!("Job {} is let go: its result is on record, or does not count", release.name));
    }
    for delete in &plan.delete {
        line("-", format!("{} {}", delete.kind, delete.name));
    }
    for write in &plan.write {
        let (kind, name) = write.target();
        line(if matches!(write, Write::Create { .. }) { "+" } else { "~" }, format!("{kind} {name}"));
        for change in changed(observed, write) {
            line("    ", format!("{}: {} -> {}", change.path, value(&change.from), value(&change.to)));
        }
    }
    for (kind, name) in keep {
        line("=", format!("{kind} {name}"));
    }
    for blocked in &plan.blocked {
        line("!", format!("{} {}: {}", blocked.kind, blocked.name, blocked.message));
    }
    for name in &plan.delete_secrets {
        line("-", format!("Secret {name}, which the session adopted"));
    }
    for KeptSecret { name, reason } in &plan.keep_secrets {
        let why = match reason {
            KeepReason::Shared => "other sessions refer to it",
            // Only the operator has the key that records are verified with.
            KeepReason::NotApproved => "deleted only if the operator finds a record that this was approved",
        };
        line("=", format!("Secret {name}, which the session adopted: {why}"));
    }
    if let Some(finalizers) = &plan.finalizers {
        line("~", format!("finalizers of the session: {}", finalizers.join(", ")));
    }
    out
}

/// The steps of a plan for programs.
pub(super) fn steps<K: WorkloadKind>(
    plan: &Plan,
    observed: &Observed<K>,
    keep: &[(Kind, String)],
) -> Vec<Value> {
    let child =
        |action: &str, kind: Kind, name: &str| json!({"action": action, "kind": kind.name(), "name": name});
    let mut children: Vec<Value> = Vec::new();
    children.extend(plan.release.iter().map(|release| child("release", Kind::Job, &release.name)));
    children.extend(plan.delete.iter().map(|delete| child("delete", delete.kind, &delete.name)));
    for write in &plan.write {
        let (kind, name) = write.target();
        let mut entry =
            child(if matches!(write, Write::Create { .. }) { "create" } else { "change" }, kind, name);
        match write {
            Write::Create { manifest, .. } => entry["manifest"] = shown(kind, manifest),
            Write::Apply { .. } => {
                let fields = changed(observed, write).into_iter();
                entry["changes"] = fields
                    .map(|change| json!({"path": change.path, "from": change.from, "to": change.to}))
                    .collect();
            }
        }
        children.push(entry);
    }
    children.extend(keep.iter().map(|(kind, name)| child("keep", *kind, name)));
    children.extend(plan.blocked.iter().map(|blocked| {
        let mut entry = child("blocked", blocked.kind, &blocked.name);
        entry["message"] = json!(blocked.message);
        entry
    }));
    children.extend(plan.delete_secrets.iter().map(|name| child("delete", Kind::Secret, name)));
    children.extend(plan.keep_secrets.iter().map(|kept| child("keep", Kind::Secret, &kept.name)));
    children
}

/// How long until a moment, in the largest units.
pub(super) fn until(at: Timestamp, now: Timestamp) -> String {
    let seconds = at.duration_since(now).as_secs();
    if seconds <= 0 {
        return "now".to_owned();
    }
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let shown: String =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect();
    format!("in {shown}")
}

/// Seconds are enough for people.
pub(super) fn whole(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}

fn value(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        value => value.to_string(),
    }
}
