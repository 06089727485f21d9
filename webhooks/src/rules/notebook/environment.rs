//! The environment is one that a container can have.
//!
//! agentserver hands it on unread. Kubernetes refuses a Deployment with a variable that has no name or two sources, and
//! of two with one name only the last counts, which nobody can have meant.

use std::collections::BTreeMap;

use sojourn_crds::notebook::Notebook;

use super::{placeholders, spec};
use crate::finding::{Code, Finding, seen};

/// Says what is wrong with the environment.
pub(crate) fn check(notebook: &Notebook, findings: &mut Vec<Finding>) {
    let mut taken = BTreeMap::new();
    for (index, variable) in notebook.spec.env.iter().enumerate() {
        let path = spec("env").index(index);
        let name = variable["name"].as_str().unwrap_or_default();
        let value = variable["value"].as_str().unwrap_or_default();
        if !is_variable(name) {
            findings.push(Finding::new(
                Code::EnvNameInvalid,
                path.child("name"),
                format!("{} cannot be the name of a variable", seen(name)),
                "use letters, digits and '_'",
            ));
        } else if let Some(first) = taken.insert(name, path.clone()) {
            findings.push(Finding::new(
                Code::EnvNameTaken,
                path.child("name"),
                format!("{} is set already by {first}", seen(name)),
                "set it once",
            ));
        }
        if !value.is_empty() && !variable["valueFrom"].is_null() {
            findings.push(Finding::new(
                Code::EnvValueAmbiguous,
                path.child("valueFrom"),
                format!("{} has a value already", seen(name)),
                "give value or valueFrom, not both",
            ));
        }
        placeholders::check_ours(&path.child("value"), value, findings);
    }
}

/// What Kubernetes takes as the name of a variable: printable ASCII without '='.
fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'=')
}
