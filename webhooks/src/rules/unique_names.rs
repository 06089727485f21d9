//! Names of containers and volumes in a pod. Each name can be used once.

use std::collections::BTreeMap;

use sojourn_crds::dns;

use crate::finding::{Code, FieldPath, Finding, seen};

/// The used names of one sort of part, with their owners.
pub(crate) struct UniqueNames {
    /// The sort of part: `container` or `volume`.
    what: &'static str,
    invalid: Code,
    taken: Code,
    /// Prefix of names that a later version of the operator may use.
    reserved: Option<&'static str>,
    owners: BTreeMap<String, String>,
}

impl UniqueNames {
    /// Names of which the operator uses `own`.
    pub(crate) fn new(what: &'static str, invalid: Code, taken: Code, own: Vec<String>) -> Self {
        let owners = own.into_iter().map(|name| (name, "the operator".to_owned())).collect();
        Self { what, invalid, taken, reserved: None, owners }
    }

    /// The same, with a warning about names that start with `prefix`.
    pub(crate) fn reserving(self, prefix: &'static str) -> Self {
        Self { reserved: Some(prefix), ..self }
    }

    /// Adds the `name` of the part at `path`, and reports what is wrong with it.
    pub(crate) fn take(&mut self, path: &FieldPath, name: &str, findings: &mut Vec<Finding>) {
        let at = path.child("name");
        if !dns::is_label(name) {
            findings.push(Finding::new(
                self.invalid,
                at.clone(),
                format!("{} cannot name a {}", seen(name), self.what),
                "use at most 63 of a-z, 0-9 and '-', no '-' at the ends",
            ));
        }
        if let Some(owner) = self.owners.get(name) {
            findings.push(Finding::new(
                self.taken,
                at,
                format!("{} is already the name of a {} of {owner}", seen(name), self.what),
                "choose another name",
            ));
        } else if self.reserved.is_some_and(|prefix| name.starts_with(prefix)) {
            findings.push(Finding::new(
                Code::ReservedPrefix,
                at,
                format!("{} has the prefix that the operator uses", seen(name)),
                "a later version may collide",
            ));
        }
        self.owners.entry(name.to_owned()).or_insert_with(|| path.to_string());
    }
}
