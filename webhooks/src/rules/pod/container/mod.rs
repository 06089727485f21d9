//! What Kubernetes refuses in a container, one sort of field a file.
//!
//! `validateContainers` and `validateInitContainers` of `pkg/apis/core/validation/validation.go` in `k8s.io/kubernetes`,
//! after the defaults of `pkg/apis/core/v1/defaults.go`. The names of containers, their images, the volumes of mounts and
//! the paths of mounts are judged elsewhere.

pub(crate) mod amount;
pub(crate) mod at;
pub(crate) mod devices;
pub(crate) mod downward;
pub(crate) mod env;
mod handler;
pub(crate) mod lifecycle;
pub(crate) mod mounts;
pub(crate) mod ports;
pub(crate) mod probe;
mod resize;
pub(crate) mod resources;
pub(crate) mod security_context;
mod surroundings;
#[cfg(test)]
pub(super) mod testing;
pub(crate) mod value;
mod versions;
pub(crate) mod windows;

use serde_json::Value;

use crate::finding::{Code, seen};
use crate::rules::pod::Report;
use crate::rules::pod::read::{is_true, list, present};
use at::At;
use ports::HostPorts;
use probe::ProbeKind;
pub(crate) use surroundings::{PodTraits, Surroundings};
use value::{check_choice, check_set_choice};
use versions::{RESTART_DROPPED, RESTART_RULES, STOP_SIGNAL, since};

const CODE: Code = Code::ContainerInvalid;

/// When a container runs. An init container that is always restarted runs beside the others, as a sidecar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// One of `containers`.
    Main,
    /// One of `initContainers`.
    Init,
}

/// Says what is wrong with a container. Containers that run side by side are given the same `host_ports`.
pub(crate) fn check<'a>(
    report: &mut Report<'_>,
    at: &At<'_>,
    container: &'a Value,
    role: Role,
    around: &Surroundings<'_>,
    host_ports: &mut HostPorts<'a>,
) {
    check_image(report, &at.child("image"), container["image"].as_str().unwrap_or_default());
    let pull = ["Always", "IfNotPresent", "Never"];
    check_choice(report, CODE, &at.child("imagePullPolicy"), &container["imagePullPolicy"], &pull);
    let policies = ["FallbackToLogsOnError", "File"];
    let policy = at.child("terminationMessagePolicy");
    check_choice(report, CODE, &policy, &container["terminationMessagePolicy"], &policies);

    let mounts = list(container, "volumeMounts");
    let privileged = is_true(&container["securityContext"], "privileged");
    let devices = list(container, "volumeDevices");
    let ports = list(container, "ports");
    ports::check(report, &at.child("ports"), ports, around.pod.host_network, host_ports);
    env::check(report, &at.child("env"), list(container, "env"));
    env::check_sources(report, &at.child("envFrom"), list(container, "envFrom"));
    mounts::check(report, &at.child("volumeMounts"), mounts, privileged);
    devices::check(report, &at.child("volumeDevices"), devices, mounts, around.sort_of_volume);
    resources::check(report, &at.child("resources"), &container["resources"], &around.pod.claims);
    let policies = list(container, "resizePolicy");
    resize::check(report, &at.child("resizePolicy"), policies, around.never_restarts);
    security_context::check(report, &at.child("securityContext"), &container["securityContext"], &around.pod);
    check_restart_policy(report, &at.child("restartPolicy"), &container["restartPolicy"], role);

    let runs_on = role == Role::Main || container["restartPolicy"] == "Always";
    if runs_on {
        check_while_running(report, at, container, around.grace_seconds);
    } else {
        check_of_steps(report, at, container);
    }
}

/// The API server takes an image with white space at its ends in the template of a workload, and then refuses each of
/// its pods. It takes pods with white space in the middle of an image, which no node can pull.
pub(crate) fn check_image(report: &mut Report<'_>, at: &At<'_>, image: &str) {
    if image != image.trim() {
        let message = format!("{} begins or ends with white space", seen(image));
        report.add(CODE, at.path(), message, "remove the white space");
    } else if image.contains(char::is_whitespace) {
        let message = format!("{} has white space in it, so no node can pull it", seen(image));
        report.add(Code::ImageInvalid, at.path(), message, "write one image, for example busybox:1.36");
    }
}

/// Probes and hooks of a container that runs on.
fn check_while_running(report: &mut Report<'_>, at: &At<'_>, container: &Value, grace_seconds: i64) {
    for kind in ProbeKind::ALL {
        if let Some(probe) = present(container, kind.field()) {
            probe::check(report, &at.child(kind.field()), probe, kind);
        }
    }
    if let Some(hooks) = present(container, "lifecycle") {
        lifecycle::check(report, &at.child("lifecycle"), hooks, grace_seconds);
    }
}

/// An init container that ends has neither.
fn check_of_steps(report: &mut Report<'_>, at: &At<'_>, container: &Value) {
    let dropped = since(report, STOP_SIGNAL)
        && ["postStart", "preStop"].iter().all(|hook| present(&container["lifecycle"], hook).is_none())
        && present(&container["lifecycle"], "stopSignal").is_some();
    let fields = ProbeKind::ALL.map(ProbeKind::field).into_iter().chain((!dropped).then_some("lifecycle"));
    for field in fields.filter(|field| present(container, field).is_some()) {
        report.add(
            Code::ProbeInvalid,
            at.child(field).path(),
            "it is not for an init container that ends before the next one starts",
            "leave it out, or set restartPolicy to Always",
        );
    }
}

fn check_restart_policy(report: &mut Report<'_>, at: &At<'_>, policy: &Value, role: Role) {
    if since(report, RESTART_RULES) {
        check_set_choice(report, CODE, at, policy, &["Always", "Never", "OnFailure"]);
    } else if since(report, RESTART_DROPPED) {
        // Whatever it says, the gate is off.
    } else if role == Role::Init {
        check_set_choice(report, CODE, at, policy, &["Always"]);
    } else if let Some(policy) = policy.as_str() {
        let message = format!("{policy:?} is given, and before Kubernetes 1.34 only init containers have it");
        report.add(CODE, at.path(), message, "leave it out");
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{paths_at, paths_of};
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    fn around(never_restarts: bool) -> Surroundings<'static> {
        let pod = PodTraits::default();
        Surroundings { grace_seconds: 30, never_restarts, sort_of_volume: &|_| None, pod }
    }

    fn found(minor: u16, container: &Value, role: Role) -> Vec<String> {
        paths_at(minor, |report, at| {
            check(report, at, container, role, &around(false), &mut HostPorts::default());
        })
    }

    #[test]
    fn every_part_is_looked_at() {
        let container = json!({
            "imagePullPolicy": "always", "terminationMessagePolicy": "Files",
            "ports": [{}], "env": [{}], "envFrom": [{}], "volumeMounts": [{"subPath": "/"}],
            "volumeDevices": [{"name": "a", "devicePath": "/a"}], "resources": {"limits": {"x": 1}},
            "resizePolicy": [{"resourceName": "cpu", "restartPolicy": "RestartContainer"}],
            "securityContext": {"runAsUser": -1}, "livenessProbe": {}, "readinessProbe": {}, "startupProbe": {},
            "lifecycle": {"preStop": {}},
        });
        let found = paths_of(|report, at| {
            check(report, at, &container, Role::Main, &around(true), &mut HostPorts::default());
        });
        let wanted = [
            "x.envFrom[0]",
            "x.env[0].name",
            "x.imagePullPolicy",
            "x.lifecycle.preStop",
            "x.livenessProbe",
            "x.ports[0].containerPort",
            "x.readinessProbe",
            "x.resizePolicy[0].restartPolicy",
            "x.resources.limits[x]",
            "x.securityContext.runAsUser",
            "x.startupProbe",
            "x.terminationMessagePolicy",
            "x.volumeDevices[0].name",
            "x.volumeMounts[0].subPath",
        ];
        assert_eq!(found, wanted);
    }

    #[rstest]
    #[case(json!({"image": "a b"}), Role::Main, &["x.image"])]
    #[case(json!({"image": "registry.example:5000/a/b:1@sha256:0"}), Role::Main, &[])]
    #[case(json!({"image": " a"}), Role::Main, &["x.image"])]
    #[case(json!({"image": "a\n"}), Role::Init, &["x.image"])]
    #[case(json!({"imagePullPolicy": "", "terminationMessagePolicy": ""}), Role::Main, &[])]
    #[case(json!({"imagePullPolicy": "Never", "terminationMessagePolicy": "File", "env": null, "ports": null}), Role::Main, &[])]
    #[case(json!({"volumeMounts": [{"mountPropagation": "Bidirectional"}], "securityContext": {"privileged": true}}), Role::Main, &[])]
    #[case(json!({"livenessProbe": {"tcpSocket": {"port": 1}}, "lifecycle": null}), Role::Init, &["x.livenessProbe"])]
    #[case(json!({"livenessProbe": {"tcpSocket": {"port": 1}}, "restartPolicy": "Always"}), Role::Init, &[])]
    #[case(json!({"livenessProbe": {}, "restartPolicy": "Always"}), Role::Init, &["x.livenessProbe"])]
    #[case(json!({"lifecycle": {}}), Role::Init, &["x.lifecycle"])]
    #[case(json!({"lifecycle": {"preStop": {"exec": {"command": ["a"]}}}}), Role::Init, &["x.lifecycle"])]
    #[case(json!({"lifecycle": {"stopSignal": "SIGTERM"}}), Role::Init, &[])]
    #[case(json!({"startupProbe": null, "readinessProbe": null}), Role::Init, &[])]
    fn containers(#[case] container: Value, #[case] role: Role, #[case] wrong: &[&str]) {
        assert_eq!(found(34, &container, role), wrong, "{container}");
    }

    #[test]
    fn an_unknown_stop_signal_leaves_an_empty_lifecycle() {
        let container = json!({"lifecycle": {"stopSignal": "SIGTERM"}});
        assert_eq!(found(32, &container, Role::Init), ["x.lifecycle"]);
    }

    #[rstest]
    #[case(33, Role::Main, json!("Always"), false)]
    #[case(33, Role::Main, json!(null), true)]
    #[case(33, Role::Init, json!("Always"), true)]
    #[case(33, Role::Init, json!("Never"), false)]
    #[case(33, Role::Init, json!(""), false)]
    #[case(34, Role::Main, json!("Always"), true)]
    #[case(34, Role::Main, json!("Other"), true)]
    #[case(34, Role::Init, json!("Never"), true)]
    #[case(35, Role::Main, json!("Never"), true)]
    #[case(35, Role::Init, json!("OnFailure"), true)]
    #[case(35, Role::Main, json!("Other"), false)]
    fn restart_policies(#[case] minor: u16, #[case] role: Role, #[case] policy: Value, #[case] good: bool) {
        let container = json!({"restartPolicy": policy});
        assert_eq!(found(minor, &container, role).is_empty(), good, "{policy} on 1.{minor}");
    }
}
