//! Each group gets each of its roles once, by a binding that can be named after both.
//!
//! The original tries for ever to make the binding of a group whose name has a slash or a percent sign, tells nobody,
//! and goes on with the other groups. What is there twice it finds made already; an entry without a name it skips.

use std::collections::BTreeMap;

use sojourn_crds::ambient::ProjectSettingsSpec;
use sojourn_crds::ambient::names::group_binding;

use super::spec;
use crate::finding::{Code, FieldPath, Finding, seen};

/// Says which groups get nothing, or nothing new.
pub(crate) fn check(of: &ProjectSettingsSpec, findings: &mut Vec<Finding>) {
    let mut known: BTreeMap<_, FieldPath> = BTreeMap::new();
    for (index, access) in of.group_access.iter().enumerate() {
        let item = spec("groupAccess").index(index);
        let group = access.group_name.trim();
        if group.is_empty() {
            findings.push(Finding::new(
                Code::GroupNameMissing,
                item.child("groupName"),
                "is empty, so the entry is skipped",
                "",
            ));
            continue;
        }
        if let Some(first) = known.get(&(group, access.role)) {
            findings.push(Finding::new(
                Code::GroupTwice,
                item,
                format!("gives what {first} gives already"),
                "remove one of them",
            ));
            continue;
        }
        known.insert((group, access.role), item.clone());
        let binding = group_binding(group, access.role);
        // What Kubernetes takes as the name of a RoleBinding: all that can stand between two slashes of a URL.
        if binding.contains(['/', '%']) {
            findings.push(Finding::new(
                Code::GroupNameInvalid,
                item.child("groupName"),
                format!("{} gets nothing: its RoleBinding cannot be named {}", seen(group), seen(&binding)),
                "choose a group without '/' and '%' in its name",
            ));
        }
    }
}
