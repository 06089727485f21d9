//! The name of a session is good for everything that is named after it.
//!
//! Limits are those of Kubernetes, and only those: the name stands in a label of every child (63 characters); an
//! interactive session is a StatefulSet and a Service (a DNS label that begins with a letter), and the pods of a
//! StatefulSet carry `controller-revision-hash: <name>-<up to ten characters>` (52); a data source is a volume
//! `amalthea-<name>-ds-<i>` (a DNS label of 63). The original accepts such names; Kubernetes refuses the child, every
//! pass fails, and each pass rolls the pod once more. With 53 characters one revision in five happens to have a shorter
//! suffix and gets its pod, until the next edit of the spec draws another.

use sojourn_crds::amalthea::names::data_source;

use super::Subject;
use crate::finding::{Code, Finding, seen};
use crate::rules::object_name;

const LABEL: usize = 63;
/// What Kubernetes appends to the name of a StatefulSet in a label of its pods, dash included.
const REVISION_SUFFIX: usize = 11;
/// Says why the name cannot be used.
pub(crate) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let Some((name, path)) = object_name::of(&subject.session.metadata) else { return };
    let batch = subject.is_batch();
    let mut limit = (LABEL, "it stands in a label of every child");
    if !batch {
        limit = (LABEL - REVISION_SUFFIX, "a label of its pods appends 11");
    }
    let sources = if subject.is_remote() { 0 } else { subject.spec.data_sources.len() };
    if let Some(last) = sources.checked_sub(1) {
        let most = LABEL - data_source("", last).len();
        if most < limit.0 {
            limit = (most, "its last data source makes a volume name of it");
        }
    }
    let length = name.len();
    if length > limit.0 {
        findings.push(Finding::new(
            Code::NameTooLong,
            path.clone(),
            format!("{} has {length} characters; at most {} fit, since {}", seen(&name), limit.0, limit.1),
            "choose a shorter name",
        ));
    }
    let interactive_refuses =
        !batch && (name.contains('.') || !name.starts_with(|c: char| c.is_ascii_lowercase()));
    if interactive_refuses {
        findings.push(Finding::new(
            Code::NameInvalid,
            path,
            format!("{} cannot name a Service: only a-z, 0-9 and '-', and a letter first", seen(&name)),
            "choose another name",
        ));
    } else if batch && sources > 0 && name.contains('.') {
        findings.push(Finding::new(
            Code::NameInvalid,
            path,
            format!(
                "{} cannot stand in the name of a data source's volume, which allows no dots",
                seen(&name)
            ),
            "choose another name",
        ));
    }
}
