//! Mount paths of the volumes of one container. Each path can be used once.

use std::collections::BTreeMap;

use crate::finding::{Code, FieldPath, Finding, seen};

/// The mount paths of one container.
#[derive(Default)]
pub(crate) struct Paths {
    taken: BTreeMap<String, FieldPath>,
}

impl Paths {
    /// Adds a path of the user, and reports what is wrong with it.
    pub(crate) fn add(&mut self, at: FieldPath, path: &str, findings: &mut Vec<Finding>) {
        if path.is_empty() {
            findings.push(Finding::new(
                Code::MountPathMissing,
                at,
                "the mount path is empty",
                "write an absolute path",
            ));
            return;
        }
        if !path.starts_with('/') {
            findings.push(Finding::new(
                Code::MountPathRelative,
                at.clone(),
                format!("{} is relative and ends up at {}", seen(path), seen(&format!("/{path}"))),
                "",
            ));
        }
        self.add_quietly(at, path, findings);
    }

    /// Adds a path without checking its form.
    pub(crate) fn add_quietly(&mut self, at: FieldPath, path: &str, findings: &mut Vec<Finding>) {
        match self.taken.get(path) {
            Some(other) => findings.push(Finding::new(
                Code::MountPathTaken,
                at,
                format!("{} is mounted already by {other}", seen(path)),
                "choose another path",
            )),
            None => {
                self.taken.insert(path.to_owned(), at);
            }
        }
    }
}
