//! Volumes of a session's pod have names that are valid and distinct.
//!
//! The original passes extra volumes on unread: Kubernetes then refuses the workload, for ever and without a word in
//! the status. An unused name with the operator's prefix runs, so it is only warned about. The same goes for a volume
//! whose source Kubernetes refuses.

use serde_json::json;
use sojourn_crds::amalthea::names::PREFIX;

use super::{Subject, pod, spec};
use crate::finding::{Code, Finding};
use crate::rules::pod::{self as pod_rules, Report};
use crate::rules::unique_names::UniqueNames;

/// Says what is wrong with the volumes.
pub(crate) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let own = pod::volumes(subject);
    let mut names =
        UniqueNames::new("volume", Code::VolumeNameInvalid, Code::VolumeNameTaken, own).reserving(PREFIX);
    for (index, volume) in subject.spec.extra_volumes.iter().enumerate() {
        let path = spec("extraVolumes").index(index);
        names.take(&path, volume["name"].as_str().unwrap_or_default(), findings);
    }
}

/// Says what is wrong with the sources of the volumes.
pub(crate) fn check_sources(subject: &Subject<'_>, report: &mut Report<'_>) {
    pod_rules::volumes::check(report, &spec("extraVolumes"), &subject.spec.extra_volumes);
    if let Some(size) = &subject.spec.session.shm_size {
        pod_rules::volumes::check_size(report, || spec("session").child("shmSize"), &json!(size));
    }
}
