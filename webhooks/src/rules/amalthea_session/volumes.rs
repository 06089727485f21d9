//! Volumes of a session's pod have names that are valid and distinct.
//!
//! The original passes extra volumes on unread: Kubernetes then refuses the workload, for ever and without a word in
//! the status. An unused name with the operator's prefix runs, so it is only warned about.

use std::collections::BTreeMap;

use sojourn_crds::amalthea::names::PREFIX;

use super::pod::{self, is_dns_label};
use super::{Subject, spec};
use crate::finding::{Code, Finding, seen};

/// Says what is wrong with the volumes.
pub(crate) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut taken: BTreeMap<String, String> =
        pod::volumes(subject).into_iter().map(|name| (name, "the operator".to_owned())).collect();
    for (index, volume) in subject.spec.extra_volumes.iter().enumerate() {
        let name = volume["name"].as_str().unwrap_or_default();
        let path = spec("extraVolumes").index(index);
        let at = path.child("name");
        if !is_dns_label(name) {
            findings.push(Finding::new(
                Code::VolumeNameInvalid,
                at.clone(),
                format!("{} cannot name a volume", seen(name)),
                "use at most 63 of a-z, 0-9 and '-', no '-' at the ends",
            ));
        }
        if let Some(owner) = taken.get(name) {
            findings.push(Finding::new(
                Code::VolumeNameTaken,
                at,
                format!("{} is already the name of a volume of {owner}", seen(name)),
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
        taken.entry(name.to_owned()).or_insert_with(|| path.to_string());
    }
}
