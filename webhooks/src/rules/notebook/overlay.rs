//! What is laid over the pod template leaves the operator what it needs, and gives a pod that a Deployment can have.
//!
//! agentserver has no such field. The labels that select the pod, the volume of the files and its mount stay the
//! operator's; everything else that Kubernetes accepts is accepted.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sojourn_crds::notebook::{DEFAULT_MOUNT_PATH, Notebook, names};

use super::{resources, spec};
use crate::finding::{Code, FieldPath, Finding, seen};
use crate::rules::metadata;
use crate::rules::mount_paths::Paths;
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
    check_containers(notebook, &path, pod, findings);
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

fn list<'a>(path: &FieldPath, of: &'a Value, field: &str) -> Vec<(FieldPath, &'a Value)> {
    let path = path.child(field);
    let items = of[field].as_array().into_iter().flatten().enumerate();
    items.map(|(index, item)| (path.index(index), item)).collect()
}

fn text<'a>(of: &'a Value, field: &str) -> &'a str {
    of[field].as_str().unwrap_or_default()
}

fn check_volumes(path: &FieldPath, pod: &Value, findings: &mut Vec<Finding>) {
    let own = vec![names::VOLUME.to_owned()];
    let mut taken = UniqueNames::new("volume", Code::VolumeNameInvalid, Code::VolumeNameTaken, own);
    for (path, volume) in list(path, pod, "volumes") {
        taken.take(&path, text(volume, "name"), findings);
    }
}

fn check_containers(notebook: &Notebook, path: &FieldPath, pod: &Value, findings: &mut Vec<Finding>) {
    let volumes: BTreeSet<_> =
        list(path, pod, "volumes").into_iter().map(|(_, volume)| text(volume, "name")).collect();
    let containers = list(path, pod, "containers");
    // The first of that name changes the server's container; any other would be a second one.
    let server = containers.iter().position(|(_, container)| text(container, "name") == names::CONTAINER);
    let containers = containers.into_iter().enumerate();
    let init = list(path, pod, "initContainers").into_iter().map(|container| (false, container));
    let all = init.chain(containers.map(|(index, container)| (Some(index) == server, container)));
    let own = vec![names::CONTAINER.to_owned()];
    let mut taken = UniqueNames::new("container", Code::ContainerNameInvalid, Code::ContainerNameTaken, own);
    for (is_server, (path, container)) in all {
        if !is_server {
            taken.take(&path, text(container, "name"), findings);
            if text(container, "image").is_empty() {
                findings.push(Finding::new(
                    Code::ContainerImageMissing,
                    path.child("image"),
                    "the container has no image",
                    "name one",
                ));
            }
        }
        resources::check_at(&path.child("resources"), &container["resources"], findings);
        check_mounts(notebook, is_server, &path, container, &volumes, findings);
    }
}

fn check_mounts(
    notebook: &Notebook,
    is_server: bool,
    path: &FieldPath,
    container: &Value,
    volumes: &BTreeSet<&str>,
    findings: &mut Vec<Finding>,
) {
    let mut paths = Paths::default();
    if is_server {
        let volume = notebook.spec.workspace_volume.as_ref();
        let own = volume.map_or(DEFAULT_MOUNT_PATH, |volume| &volume.mount_path);
        paths.add_quietly(spec("workspaceVolume").child("mountPath"), own, findings);
    }
    for (path, mount) in list(path, container, "volumeMounts") {
        let name = text(mount, "name");
        if name != names::VOLUME && !volumes.contains(name) {
            findings.push(Finding::new(
                Code::VolumeMissing,
                path.child("name"),
                format!("the pod has no volume {}", seen(name)),
                "add it to spec.podTemplate.spec.volumes",
            ));
        }
        paths.add(path.child("mountPath"), text(mount, "mountPath"), findings);
    }
}
