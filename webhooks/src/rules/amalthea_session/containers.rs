//! Containers of a session's pod have names that are valid and distinct, and images.
//!
//! The original passes extra containers on unread. A duplicate, an invalid name or a missing image makes Kubernetes
//! refuse the workload, and the reconcile fails for ever without a word in the status. An unused name with the
//! operator's prefix runs, so it is only warned about.

use std::collections::BTreeMap;

use serde_json::Value;
use sojourn_crds::amalthea::names::PREFIX;

use super::pod::{self, is_dns_label};
use super::{Subject, spec};
use crate::finding::{Code, FieldPath, Finding, seen};

/// The containers that the user adds, with their paths: init containers and others share one set of names.
pub(crate) fn extra<'a>(subject: &Subject<'a>) -> impl Iterator<Item = (FieldPath, &'a Value)> {
    let list = |field: &'static str, containers: &'a [Value]| {
        containers.iter().enumerate().map(move |(index, container)| (spec(field).index(index), container))
    };
    list("initContainers", &subject.spec.extra_init_containers)
        .chain(list("extraContainers", &subject.spec.extra_containers))
}

/// Says what is wrong with the containers.
pub(crate) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut taken: BTreeMap<String, String> =
        pod::containers(subject).into_iter().map(|name| (name, "the operator".to_owned())).collect();
    for (path, container) in extra(subject) {
        let name = container["name"].as_str().unwrap_or_default();
        let at = path.child("name");
        if !is_dns_label(name) {
            findings.push(Finding::new(
                Code::ContainerNameInvalid,
                at.clone(),
                format!("{} cannot name a container", seen(name)),
                "use at most 63 of a-z, 0-9 and '-', no '-' at the ends",
            ));
        }
        if let Some(owner) = taken.get(name) {
            findings.push(Finding::new(
                Code::ContainerNameTaken,
                at,
                format!("{} is already the name of a container of {owner}", seen(name)),
                "choose another name",
            ));
        } else if name.starts_with(PREFIX) {
            findings.push(Finding::new(
                Code::ReservedPrefix,
                at,
                format!("{} has the prefix that the operator uses", seen(name)),
                "a later version may collide",
            ));
        }
        if container["image"].as_str().is_none_or(str::is_empty) {
            findings.push(Finding::new(
                Code::ContainerImageMissing,
                path.child("image"),
                "the container has no image",
                "name one",
            ));
        }
        taken.entry(name.to_owned()).or_insert_with(|| path.to_string());
    }
}
