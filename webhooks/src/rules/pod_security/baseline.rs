//! The checks of `baseline`, which `restricted` has too.

use serde_json::Value;

use super::{Level, Standard, is_profile, since};
use crate::finding::{cut, seen};
use crate::rules::pod::container::at::At;
use crate::rules::pod::read::{integer, is_set, is_true, list, present, text, texts};

const NOTHING: &str = "needs it left out";
const CLAIMS: &str = "allows claims instead";
/// Characters of the name of a container.
const LONGEST_NAME: usize = 63;
const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";

/// The capabilities that runtimes give every container.
const DEFAULT_CAPABILITIES: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];
const SELINUX_TYPES: [&str; 4] = ["", "container_t", "container_init_t", "container_kvm_t"];
/// Allowed in later versions.
const SELINUX_ENGINE_TYPE: &str = "container_engine_t";

/// See the module.
pub(super) fn check_container(standard: &mut Standard<'_>, at: &At<'_>, container: &Value) {
    if let Some(context) = present(container, "securityContext") {
        check_context(standard, &at.child("securityContext"), context);
    }
    let ports = at.child("ports");
    for (index, port) in list(container, "ports").iter().enumerate() {
        if let Some(number) = integer(port, "hostPort").filter(|number| *number != 0) {
            standard.add(&ports.index(index).child("hostPort"), number.to_string(), NOTHING);
        }
    }
    if standard.since(since::HANDLER_HOSTS) {
        check_hosts(standard, at, container);
    }
}

fn check_context(standard: &mut Standard<'_>, at: &At<'_>, context: &Value) {
    if is_true(context, "privileged") {
        standard.add(&at.child("privileged"), "true", "needs false");
    }
    // `restricted` allows fewer, and says so itself.
    if standard.enforced.level == Level::Baseline {
        let rule = "allows the default ones";
        check_capabilities(standard, at, context, &DEFAULT_CAPABILITIES, rule);
    }
    for field in ["seccompProfile", "appArmorProfile"] {
        let Some(profile) = present(context, field) else { continue };
        let kind = text(profile, "type");
        if !is_profile(kind) {
            standard.add(&at.child(field).child("type"), seen(kind), "needs RuntimeDefault");
        }
    }
    check_selinux(standard, &at.child("seLinuxOptions"), &context["seLinuxOptions"]);
}

/// Checks the capabilities that are added.
pub(super) fn check_capabilities(
    standard: &mut Standard<'_>,
    at: &At<'_>,
    context: &Value,
    allowed: &[&str],
    rule: &'static str,
) {
    let capabilities = at.child("capabilities");
    let added = capabilities.child("add");
    for (index, capability) in texts(&context["capabilities"], "add") {
        if !allowed.contains(&capability) {
            standard.add(&added.index(index), seen(capability), rule);
        }
    }
}

fn check_selinux(standard: &mut Standard<'_>, at: &At<'_>, options: &Value) {
    let kind = text(options, "type");
    let engine = kind == SELINUX_ENGINE_TYPE && standard.since(since::SELINUX_ENGINE);
    if !SELINUX_TYPES.contains(&kind) && !engine {
        standard.add(&at.child("type"), seen(kind), "needs container_t");
    }
    for field in ["user", "role"] {
        let value = text(options, field);
        if !value.is_empty() {
            standard.add(&at.child(field), seen(value), NOTHING);
        }
    }
}

/// A probe or hook asks the pod itself: elsewhere the kubelet would ask for it, from the node.
fn check_hosts(standard: &mut Standard<'_>, at: &At<'_>, container: &Value) {
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        check_handler(standard, &at.child(probe), &container[probe]);
    }
    let lifecycle = at.child("lifecycle");
    for hook in ["postStart", "preStop"] {
        check_handler(standard, &lifecycle.child(hook), &container["lifecycle"][hook]);
    }
}

fn check_handler(standard: &mut Standard<'_>, at: &At<'_>, handler: &Value) {
    for kind in ["httpGet", "tcpSocket"] {
        let host = text(&handler[kind], "host");
        if !host.is_empty() {
            standard.add(&at.child(kind).child("host"), seen(host), NOTHING);
        }
    }
}

/// See the module.
pub(super) fn check_volume(standard: &mut Standard<'_>, at: &At<'_>, volume: &Value) {
    if is_set(volume, "hostPath") {
        standard.add(&at.child("hostPath"), "a directory of the node", CLAIMS);
    }
}

/// See the module.
pub(super) fn check_annotation(standard: &mut Standard<'_>, at: &At<'_>, key: &str, value: &str) {
    let allowed = value.is_empty() || value == "runtime/default" || value.starts_with("localhost/");
    if let Some(container) = key.strip_prefix(APP_ARMOR).filter(|_| !allowed) {
        standard.add(at, format!("AppArmor {} of {}", seen(value), cut(container, LONGEST_NAME)), NOTHING);
    }
}
