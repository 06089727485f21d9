//! Labels and annotations of `spec.template` are ones that Kubernetes accepts.
//!
//! The original copies them onto every child unread: all children are then refused, at every pass, and the status
//! says nothing. Some mean something to Kubernetes itself on a pod, a Service or a Job, and are refused there.

use sojourn_crds::amalthea::{StringMap, TemplateMetadata, names};

use super::{Subject, containers, pod, spec};
use crate::finding::{Code, Finding, seen};
use crate::rules::metadata;
use crate::rules::pod::{Report, annotations};

/// The annotation that the operator adds to every child: `sojourn.dev/applied` with two fingerprints and a dot.
pub(super) const STAMP_BYTES: usize = 19 + 33;
/// What it adds to a workload: that, a run and a UID.
const WORKLOAD_BYTES: usize =
    STAMP_BYTES + names::RUN_ID_ANNOTATION.len() + 26 + names::SESSION_UID_ANNOTATION.len() + 36;
/// Labels in which a Job says which one it is.
const JOB_NAMES: [&str; 2] = ["job-name", "batch.kubernetes.io/job-name"];
const JOB_UIDS: [&str; 2] = ["controller-uid", "batch.kubernetes.io/controller-uid"];

/// Says which labels and annotations are not.
pub(crate) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    if let Some(template) = metadata_of(subject) {
        let path = spec("template").child("metadata");
        metadata::check(&path, template.labels.as_ref(), template.annotations.as_ref(), findings);
    }
}

/// Says which of them mean something that the children cannot have.
pub(crate) fn check_uses(subject: &Subject<'_>, report: &mut Report<'_>) {
    let Some(template) = metadata_of(subject) else { return };
    if let Some(labels) = template.labels.as_ref().filter(|_| subject.is_batch()) {
        check_job_labels(subject, labels, report);
    }
    let Some(all) = &template.annotations else { return };
    let path = spec("template").child("metadata").child("annotations");
    let bytes: usize = all.iter().map(|(key, value)| key.len() + value.len()).sum();
    annotations::check_size(report, Code::TemplateInvalid, &path, bytes + WORKLOAD_BYTES);
    let has_container = |name: &str| {
        let own = pod::containers(subject).iter().any(|own| own == name);
        own || containers::extra(subject).any(|(_, extra)| extra["name"] == name)
    };
    let facts = annotations::PodFacts { has_node: false, has_container: &has_container };
    let entries = all.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    annotations::check_pod(report, &path, entries, &facts);
    if !subject.is_batch() {
        annotations::check_service(report, &path, |key| all.get(key).map(String::as_str));
    }
}

/// The metadata that every child gets.
pub(super) fn metadata_of<'a>(subject: &Subject<'a>) -> Option<&'a TemplateMetadata> {
    subject.spec.template.as_ref().and_then(|template| template.metadata.as_ref())
}

/// Kubernetes sets these labels of a Job's pods itself, and refuses a Job that says something else.
fn check_job_labels(subject: &Subject<'_>, labels: &StringMap, report: &mut Report<'_>) {
    let name = subject.session.metadata.name.as_deref();
    for (key, value) in labels {
        let key = key.as_str();
        let other_name = JOB_NAMES.contains(&key) && name != Some(value);
        if other_name || JOB_UIDS.contains(&key) {
            report.add(
                Code::TemplateInvalid,
                spec("template").child("metadata").child("labels").key(key),
                format!("{} is not what Kubernetes says of the session's Job in this label", seen(value)),
                "leave it out",
            );
        }
    }
}
