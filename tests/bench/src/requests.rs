//! What the operator asked of the API server, from the audit log.

use sojourn_cluster::AuditEntry;
use std::{collections::BTreeMap, fmt};

/// Requests by what was asked.
#[derive(Default)]
pub(crate) struct Requests(BTreeMap<String, usize>);

impl Requests {
    /// Counts all requests but those that do not depend on sessions: renewals of the Lease and of watches, which end
    /// every few minutes, and the one list of metrics for all of them.
    pub(crate) fn count(entries: &[AuditEntry]) -> Self {
        let mut counts = BTreeMap::new();
        let counted = entries.iter().filter(|entry| {
            let metrics = entry.resource == "pods" && entry.verb == "list" && entry.subresource.is_empty();
            entry.resource != "leases" && entry.verb != "watch" && !metrics
        });
        for entry in counted {
            let subresource = Some(entry.subresource.as_str()).filter(|name| !name.is_empty());
            let what = [Some(entry.verb.as_str()), Some(&entry.resource), subresource];
            let what = what.into_iter().flatten().collect::<Vec<_>>().join(" ");
            *counts.entry(format!("{what} {}", entry.code)).or_default() += 1;
        }
        Self(counts)
    }

    /// How many of them were writes of the status of sessions.
    pub(crate) fn status_writes(&self) -> usize {
        self.of("patch amaltheasessions status ")
    }

    /// How many of them published an Event.
    pub(crate) fn events(&self) -> usize {
        self.of("create events ")
    }

    fn of(&self, what: &str) -> usize {
        self.0.iter().filter(|(asked, _)| asked.starts_with(what)).map(|(_, count)| count).sum()
    }

    /// How many there were.
    pub(crate) fn total(&self) -> usize {
        self.0.values().sum()
    }
}

impl fmt::Display for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> = self.0.iter().map(|(what, count)| format!("{count} {what}")).collect();
        f.write_str(&parts.join(", "))
    }
}
