//! Where a session may run, and as whom, is something that a pod can be told.
//!
//! The original copies all of it into the pod unread: Kubernetes refuses the workload, for ever and without a word in
//! the status.

use super::{Subject, spec};
use crate::rules::pod::{Report, affinity, node_selector, references, tolerations};

/// Says what no pod can be told.
pub(crate) fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    let of = subject.spec;
    tolerations::check(report, &spec("tolerations"), &of.tolerations);
    let labels = of.node_selector.iter().flatten().map(|(key, value)| (key.as_str(), value.as_str()));
    node_selector::check(report, &spec("nodeSelector"), labels);
    if let Some(affinity) = &of.affinity {
        affinity::check(report, &spec("affinity"), affinity);
    }
    let account = of.service_account_name.as_deref().unwrap_or_default();
    references::service_account(report, spec("serviceAccountName"), account);
    let class = of.priority_class_name.as_deref().unwrap_or_default();
    references::priority_class(report, spec("priorityClassName"), class);
}
