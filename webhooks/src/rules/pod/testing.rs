//! What the tests of the pod rules have in common.

use super::Report;
use crate::finding::FieldPath;
use crate::settings::KubernetesVersion;

/// The paths of what `check` finds for the newest Kubernetes, in order.
pub(super) fn found(check: impl FnOnce(&mut Report<'_>, &FieldPath), path: &str) -> Vec<String> {
    found_in(34, check, path)
}

/// The paths of what `check` finds for Kubernetes 1.`minor`, in order.
pub(super) fn found_in(
    minor: u16,
    check: impl FnOnce(&mut Report<'_>, &FieldPath),
    path: &str,
) -> Vec<String> {
    let mut findings = Vec::new();
    check(&mut Report::new(KubernetesVersion { major: 1, minor }, &mut findings), &FieldPath::new(path));
    for finding in &findings {
        assert!(!finding.message.is_empty() && !finding.hint.is_empty(), "{finding} says too little");
    }
    findings.into_iter().map(|finding| finding.path.to_string()).collect()
}
