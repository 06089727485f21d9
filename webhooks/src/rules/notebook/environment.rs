//! The environment is one that a container can have.
//!
//! agentserver hands it on unread. Kubernetes refuses a Deployment with a variable that has no name or two sources, and
//! of two with one name only the last counts, which nobody can have meant. What is laid over a variable is judged with
//! it, where it is written.

use std::collections::BTreeMap;

use sojourn_crds::notebook::Notebook;

use super::{placeholders, server, spec};
use crate::finding::{Code, Finding, seen};
use crate::rules::pod::Report;
use crate::rules::pod::container::at::At;
use crate::rules::pod::container::env::{self, Naming};
use crate::rules::pod::read::{list, text};

/// Says which variables are set twice, and what is no placeholder in their values.
pub(crate) fn check(notebook: &Notebook, findings: &mut Vec<Finding>) {
    let mut taken = BTreeMap::new();
    for (index, variable) in notebook.spec.env.iter().enumerate() {
        let path = spec("env").index(index);
        let name = text(variable, "name");
        if let Some(first) = taken.insert(name, path.clone()) {
            findings.push(Finding::new(
                Code::EnvNameTaken,
                path.child("name"),
                format!("{} is set already by {first}", seen(name)),
                "set it once",
            ));
        }
        placeholders::check_ours(&path.child("value"), text(variable, "value"), findings);
    }
}

/// Says what else Kubernetes refuses in a variable that nothing is laid over.
pub(crate) fn check_fields(notebook: &Notebook, report: &mut Report<'_>) {
    let laid_over = server::overlay(notebook).map_or(&[][..], |(_, overlay)| list(overlay, "env"));
    let (root, env) = (At::root("spec"), &notebook.spec.env);
    let at = root.child("env");
    for (index, variable) in env.iter().enumerate() {
        if !laid_over.iter().any(|over| over["name"] == variable["name"]) {
            env::check_one(report, &at.index(index), variable, Naming::AsWritten);
        }
    }
}
