//! The name of a session is good for everything that is named after it.
//!
//! Limits are those of Kubernetes, and only those: the name stands in a label of every child (63 characters); an
//! interactive session is a StatefulSet and a Service (a DNS label that begins with a letter), and the pods of a
//! StatefulSet carry `controller-revision-hash: <name>-<up to ten characters>` (52); a data source is a volume
//! `amalthea-<name>-ds-<i>` (a DNS label of 63). The original accepts such names; Kubernetes refuses the child, every
//! pass fails, and each pass rolls the pod once more.

use sojourn_crds::amalthea::names::data_source;

use super::Subject;
use crate::finding::{Code, FieldPath, Finding, seen};

const LABEL: usize = 63;
/// What the name generator appends to `generateName`, and how much of that it keeps.
const GENERATED: usize = 5;
const REVISION_SUFFIX: usize = 11;

/// The name as far as it is known: a generated one ends in characters that nobody chose yet.
fn name_of(subject: &Subject<'_>) -> Option<(String, FieldPath)> {
    let metadata = &subject.session.metadata;
    let metadata_path = FieldPath::new("metadata");
    if let Some(name) = metadata.name.as_ref().filter(|name| !name.is_empty()) {
        return Some((name.clone(), metadata_path.child("name")));
    }
    let prefix = metadata.generate_name.as_ref().filter(|prefix| !prefix.is_empty())?;
    let kept: String = prefix.chars().take(LABEL - GENERATED).collect();
    Some((format!("{kept}xxxxx"), metadata_path.child("generateName")))
}

/// Says why the name cannot be used.
pub(crate) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let Some((name, path)) = name_of(subject) else { return };
    let batch = subject.is_batch();
    let mut limit = (LABEL, "the label of everything that belongs to the session");
    if !batch {
        limit = (LABEL - REVISION_SUFFIX, "the revision label of its pods, which appends 11 characters");
    }
    let sources = if subject.is_remote() { 0 } else { subject.spec.data_sources.len() };
    if let Some(last) = sources.checked_sub(1) {
        let most = LABEL - data_source("", last).len();
        if most < limit.0 {
            limit = (most, "the volume of its last data source");
        }
    }
    let length = name.len();
    if length > limit.0 {
        findings.push(Finding::new(
            Code::NameTooLong,
            path.clone(),
            format!("{} has {length} characters; {} allows {}", seen(&name), limit.1, limit.0),
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
