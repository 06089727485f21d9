//! Containers of a session's pod have names that are valid and distinct, and images.
//!
//! The original passes extra containers on unread. A duplicate, an invalid name or a missing image makes Kubernetes
//! refuse the workload, and the reconcile fails for ever without a word in the status. An unused name with the
//! operator's prefix runs, so it is only warned about.

use serde_json::Value;
use sojourn_crds::amalthea::names::PREFIX;

use super::{Subject, pod, spec};
use crate::finding::{Code, FieldPath, Finding};
use crate::rules::unique_names::UniqueNames;

/// The containers that the user adds, with their paths: init containers and others share one set of names.
pub(crate) fn extra<'a>(subject: &Subject<'a>) -> impl Iterator<Item = (FieldPath, &'a Value)> {
    extra_by_list(subject).map(|(list, index, container)| (spec(list).index(index), container))
}

/// The containers that the user adds, each with the field of its list and its place there.
pub(crate) fn extra_by_list<'a>(
    subject: &Subject<'a>,
) -> impl Iterator<Item = (&'static str, usize, &'a Value)> {
    let list = |field: &'static str, containers: &'a [Value]| {
        containers.iter().enumerate().map(move |(index, container)| (field, index, container))
    };
    list("initContainers", &subject.spec.extra_init_containers)
        .chain(list("extraContainers", &subject.spec.extra_containers))
}

/// Says what is wrong with the containers.
pub(crate) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let own = pod::containers(subject);
    let mut names = UniqueNames::new("container", Code::ContainerNameInvalid, Code::ContainerNameTaken, own)
        .reserving(PREFIX);
    for (path, container) in extra(subject) {
        names.take(&path, container["name"].as_str().unwrap_or_default(), findings);
        if container["image"].as_str().is_none_or(str::is_empty) {
            findings.push(Finding::new(
                Code::ContainerImageMissing,
                path.child("image"),
                "the container has no image",
                "name one",
            ));
        }
    }
}
