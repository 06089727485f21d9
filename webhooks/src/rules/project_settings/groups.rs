//! Each group gets each of its roles once, by a binding that is named after both.
//!
//! For a group whose name has a slash or a percent sign, the original retries to create the binding for ever without a
//! message, and continues with the other groups. It ignores duplicates, and skips entries without a name.

use std::collections::BTreeMap;

use sojourn_crds::ambient::ProjectSettingsSpec;
use sojourn_crds::ambient::names::group_binding;

use super::spec;
use crate::finding::{Code, FieldPath, Finding, seen};

/// Reports groups that get no binding, or no new one.
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
        // Kubernetes accepts every path segment of a URL as the name of a RoleBinding.
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
