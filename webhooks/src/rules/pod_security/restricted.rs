//! The checks that `restricted` has beside those of `baseline`.

use serde_json::Value;

use super::{Standard, baseline, is_profile, since};
use crate::rules::pod::container::at::At;
use crate::rules::pod::read::{integer, is_set, text, texts};

const UNSET: &str = "not set";
/// The sources that a volume may have.
const VOLUMES: [&str; 8] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

/// See the module.
pub(super) fn check_container(standard: &mut Standard<'_>, at: &At<'_>, container: &Value) {
    let at = at.child("securityContext");
    let context = &container["securityContext"];
    check_flag(standard, &at.child("allowPrivilegeEscalation"), &context["allowPrivilegeEscalation"], false);
    // A session's pod does not say it for all of its containers.
    check_flag(standard, &at.child("runAsNonRoot"), &context["runAsNonRoot"], true);
    if standard.since(since::NO_ROOT_USER) && integer(context, "runAsUser") == Some(0) {
        standard.add(&at.child("runAsUser"), "0", "needs another user");
    }
    // A profile that is set and not allowed is the business of `baseline`.
    let pod = text(standard.pod_seccomp, "type");
    if !is_set(context, "seccompProfile") && !is_profile(pod) {
        standard.add(&at.child("seccompProfile"), UNSET, "needs RuntimeDefault");
    }
    if standard.since(since::DROP_ALL) {
        check_capabilities(standard, &at, context);
    }
}

fn check_flag(standard: &mut Standard<'_>, at: &At<'_>, flag: &Value, required: bool) {
    if flag.as_bool() != Some(required) {
        let seen = flag.as_bool().map_or_else(|| UNSET.to_owned(), |flag| flag.to_string());
        standard.add(at, seen, if required { "needs true" } else { "needs false" });
    }
}

fn check_capabilities(standard: &mut Standard<'_>, at: &At<'_>, context: &Value) {
    let capabilities = &context["capabilities"];
    if !texts(capabilities, "drop").any(|(_, dropped)| dropped == "ALL") {
        let seen = if is_set(capabilities, "drop") { "without ALL" } else { UNSET };
        standard.add(&at.child("capabilities").child("drop"), seen, "needs ALL");
    }
    baseline::check_capabilities(standard, at, context, &["NET_BIND_SERVICE"], "allows NET_BIND_SERVICE");
}

/// See the module. A volume without any source is an empty directory.
pub(super) fn check_volume(standard: &mut Standard<'_>, at: &At<'_>, volume: &Value) {
    let fields = volume.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    let mut sources = fields.map(|(name, _)| name.as_str()).filter(|name| *name != "name");
    if let Some(source) = sources.find(|source| !VOLUMES.contains(source)) {
        standard.add(&at.child(source), "a volume of this kind", "allows claims instead");
    }
}
