//! Containers of the overlay are ones that Kubernetes accepts: those beside the server's, and the server's own with what
//! is laid over it.
//!
//! agentserver has no such field.

use std::collections::BTreeSet;

use serde_json::Value;
use sojourn_crds::notebook::{Notebook, names};

use super::server::{self, PORT_NAME};
use super::spec;
use crate::finding::{Code, FieldPath, Finding, seen};
use crate::rules::mount_paths::Paths;
use crate::rules::pod::Report;
use crate::rules::pod::container::at::At;
use crate::rules::pod::container::devices::VolumeSort;
use crate::rules::pod::container::ports::HostPorts;
use crate::rules::pod::container::{self, PodTraits, Role, Surroundings};
use crate::rules::pod::read::{integer, list, text};
use crate::rules::unique_names::UniqueNames;
use crate::settings::KubernetesVersion;

/// How long a pod has to end, unless it says otherwise.
const GRACE_SECONDS: i64 = 30;

/// A container of the overlay.
struct Part<'a> {
    path: FieldPath,
    container: &'a Value,
    role: Role,
    /// Whether it is laid over the server's, and none of its own.
    is_server: bool,
}

/// Says what is wrong with the containers.
pub(crate) fn check(notebook: &Notebook, kubernetes: KubernetesVersion, findings: &mut Vec<Finding>) {
    let Some(overlay) = &notebook.spec.pod_template else { return };
    let pod = &overlay["spec"];
    let parts = parts(notebook, pod);
    check_names(&parts, findings);
    check_mounts(notebook, pod, &parts, findings);
    check_fields(notebook, pod, &parts, kubernetes, findings);
}

/// Init containers come first: of two with one name, the later one is at fault.
fn parts<'a>(notebook: &Notebook, pod: &'a Value) -> Vec<Part<'a>> {
    let server = server::overlay(notebook).map(|(index, _)| index);
    let path = spec("podTemplate").child("spec");
    let mut parts = Vec::new();
    for (field, role) in [("initContainers", Role::Init), ("containers", Role::Main)] {
        let path = path.child(field);
        for (index, container) in list(pod, field).iter().enumerate() {
            let is_server = role == Role::Main && Some(index) == server;
            parts.push(Part { path: path.index(index), container, role, is_server });
        }
    }
    parts
}

fn check_names(parts: &[Part<'_>], findings: &mut Vec<Finding>) {
    let own = vec![names::CONTAINER.to_owned()];
    let mut taken = UniqueNames::new("container", Code::ContainerNameInvalid, Code::ContainerNameTaken, own);
    for Part { path, container, .. } in parts.iter().filter(|part| !part.is_server) {
        taken.take(path, text(container, "name"), findings);
        if text(container, "image").is_empty() {
            findings.push(Finding::new(
                Code::ContainerImageMissing,
                path.child("image"),
                "the container has no image",
                "name one",
            ));
        }
    }
}

fn check_mounts(notebook: &Notebook, pod: &Value, parts: &[Part<'_>], findings: &mut Vec<Finding>) {
    let volumes: BTreeSet<_> = list(pod, "volumes").iter().map(|volume| text(volume, "name")).collect();
    for part in parts {
        let mut paths = Paths::default();
        if part.is_server {
            let own = spec("workspaceVolume").child("mountPath");
            paths.add_quietly(own, server::mount_path(notebook), findings);
        }
        let mounts = part.path.child("volumeMounts");
        for (index, mount) in list(part.container, "volumeMounts").iter().enumerate() {
            let (path, name) = (mounts.index(index), text(mount, "name"));
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
}

fn check_fields(
    notebook: &Notebook,
    pod: &Value,
    parts: &[Part<'_>],
    kubernetes: KubernetesVersion,
    findings: &mut Vec<Finding>,
) {
    let sort_of_volume = |name: &str| match list(pod, "volumes").iter().find(|volume| volume["name"] == name)
    {
        Some(volume) => Some(VolumeSort::of(volume)),
        None => (name == names::VOLUME).then_some(VolumeSort::Claim),
    };
    let around = Surroundings {
        grace_seconds: integer(pod, "terminationGracePeriodSeconds").unwrap_or(GRACE_SECONDS),
        never_restarts: false,
        sort_of_volume: &sort_of_volume,
        pod: PodTraits::of(pod),
    };
    let server = server::overlay(notebook).map(|(_, overlay)| server::merged(notebook, overlay));
    let mut of_pod = HostPorts::default();
    if around.pod.host_network && !server.as_ref().is_some_and(|server| has_port(server, notebook.spec.port))
    {
        of_pod.take(notebook.spec.port.into());
    }
    for part in parts {
        let report = &mut Report::new(kubernetes, findings);
        let at = At::root(part.path.as_str());
        let container = server.as_ref().filter(|_| part.is_server).unwrap_or(part.container);
        if part.is_server {
            check_port_names(notebook, report, &at, container);
        }
        match part.role {
            Role::Main => container::check(report, &at, container, part.role, &around, &mut of_pod),
            // They run one after the other.
            Role::Init => {
                container::check(report, &at, container, part.role, &around, &mut HostPorts::default());
            }
        }
    }
}

/// Whether what is laid over the server's container says something of its port.
fn has_port(container: &Value, number: i32) -> bool {
    list(container, "ports").iter().any(|port| port["containerPort"] == number)
}

/// The server's container has a port of the operator, unless another thing is said of the same number.
fn check_port_names(notebook: &Notebook, report: &mut Report<'_>, at: &At<'_>, container: &Value) {
    if has_port(container, notebook.spec.port) {
        return;
    }
    let ports = list(container, "ports").iter().enumerate();
    for (index, _) in ports.filter(|(_, port)| port["name"] == PORT_NAME) {
        let message = format!("{} names the port {} already", seen(PORT_NAME), notebook.spec.port);
        let path = at.child("ports").index(index).child("name").path();
        report.add(Code::ContainerPortInvalid, path, message, "choose another name");
    }
}
