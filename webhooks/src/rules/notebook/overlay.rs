//! What is laid over the pod template leaves the operator what it needs, and gives a pod that a Deployment can have.
//!
//! agentserver has no such field. The labels that select the pod, the volume of the files and its mount stay the
//! operator's; everything else that Kubernetes accepts is accepted.

use std::collections::BTreeMap;

use serde_json::Value;
use sojourn_crds::notebook::{Notebook, names};

use super::spec;
use crate::finding::{Code, FieldPath, Finding, seen};
use crate::rules::metadata;
use crate::rules::pod::read::{list, text};
use crate::rules::unique_names::UniqueNames;

/// Labels that the operator sets on every pod.
const LABELS: [&str; 6] = [
    names::LABEL_APP,
    names::LABEL_MANAGED_BY,
    names::LABEL_WORKSPACE,
    names::LABEL_NAME,
    names::LABEL_INSTANCE,
    names::LABEL_KEPT_BY,
];

/// Says what is wrong with the overlay.
pub(crate) fn check(notebook: &Notebook, findings: &mut Vec<Finding>) {
    let Some(overlay) = &notebook.spec.pod_template else { return };
    let path = spec("podTemplate");
    check_metadata(&path.child("metadata"), &overlay["metadata"], findings);
    let (path, pod) = (path.child("spec"), &overlay["spec"]);
    check_lifecycle(&path, pod, findings);
    check_volumes(&path, pod, findings);
}

fn check_metadata(path: &FieldPath, data: &Value, findings: &mut Vec<Finding>) {
    let texts = |field: &str| -> BTreeMap<String, String> {
        let entries = data[field].as_object().into_iter().flatten();
        entries.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
    };
    let (labels, annotations) = (texts("labels"), texts("annotations"));
    for label in LABELS.into_iter().filter(|label| labels.contains_key(*label)) {
        findings.push(Finding::new(
            Code::OverlayLabelFixed,
            path.child("labels").key(label),
            "the operator sets this label, and finds the pod by it",
            "leave it out, or use another label",
        ));
    }
    metadata::check(path, Some(&labels), Some(&annotations), findings);
}

/// A Deployment takes only pods that are always started again.
fn check_lifecycle(path: &FieldPath, pod: &Value, findings: &mut Vec<Finding>) {
    if let Some(policy) = pod["restartPolicy"].as_str().filter(|policy| *policy != "Always") {
        findings.push(Finding::new(
            Code::OverlayEndsPod,
            path.child("restartPolicy"),
            format!("{} is not for the pods of a Deployment, which has Always", seen(policy)),
            "leave it out",
        ));
    }
    if !pod["activeDeadlineSeconds"].is_null() {
        findings.push(Finding::new(
            Code::OverlayEndsPod,
            path.child("activeDeadlineSeconds"),
            "is not for the pods of a Deployment",
            "set spec.maxLifetime instead",
        ));
    }
}

fn check_volumes(path: &FieldPath, pod: &Value, findings: &mut Vec<Finding>) {
    let own = vec![names::VOLUME.to_owned()];
    let mut taken = UniqueNames::new("volume", Code::VolumeNameInvalid, Code::VolumeNameTaken, own);
    let path = path.child("volumes");
    for (index, volume) in list(pod, "volumes").iter().enumerate() {
        taken.take(&path.index(index), text(volume, "name"), findings);
    }
}
