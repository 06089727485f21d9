//! Rights of a container.
//!
//! `ValidateSecurityContext`. Whether containers may be `privileged` is a flag of the API server that is not known here.

use std::ops::RangeInclusive;

use serde_json::Value;

use super::PodTraits;
use super::at::At;
use super::value::{check_range, check_set_choice};
use super::versions::{PROC_MOUNT, since};
use super::windows;
use crate::finding::Code;
use crate::rules::pod::read::{is_true, list, present};
use crate::rules::pod::{Report, profiles};

const CODE: Code = Code::SecurityContextInvalid;

/// The numbers that users and groups can have.
pub(crate) const IDS: RangeInclusive<i64> = 0..=i32::MAX as i64;

/// What of a security context is for Linux only.
const LINUX: [&str; 10] = [
    "allowPrivilegeEscalation",
    "appArmorProfile",
    "capabilities",
    "privileged",
    "procMount",
    "readOnlyRootFilesystem",
    "runAsGroup",
    "runAsUser",
    "seLinuxOptions",
    "seccompProfile",
];

/// Says what is wrong with the security context of a container of `pod`.
pub(crate) fn check(report: &mut Report<'_>, at: &At<'_>, context: &Value, pod: &PodTraits<'_>) {
    for field in ["runAsUser", "runAsGroup"] {
        check_range(report, CODE, &at.child(field), &context[field], IDS);
    }
    if since(report, PROC_MOUNT) {
        // Unmasked is for pods with users of their own.
        let allowed: &[_] = if pod.own_users { &["Default", "Unmasked"] } else { &["Default"] };
        check_set_choice(report, CODE, &at.child("procMount"), &context["procMount"], allowed);
    }
    profiles::check_seccomp(report, &at.child("seccompProfile"), &context["seccompProfile"]);
    profiles::check_app_armor(report, &at.child("appArmorProfile"), &context["appArmorProfile"]);
    if let Some(options) = present(context, "windowsOptions") {
        windows::check(report, &at.child("windowsOptions"), options, pod.host_network);
    }
    check_system(report, at, context, pod.system);
    if context["allowPrivilegeEscalation"].as_bool() == Some(false) {
        check_escalation(report, at, context);
    }
}

/// What is for another operating system than the one that the pod names.
fn check_system(report: &mut Report<'_>, at: &At<'_>, context: &Value, system: &str) {
    let foreign: &[&str] = match system {
        "linux" => &["windowsOptions"],
        "windows" => &LINUX,
        _ => return,
    };
    for field in foreign.iter().filter(|field| present(context, field).is_some()) {
        let message = format!("is not for the pods of {system}");
        report.add(CODE, at.child(field).path(), message, "leave it out, or change os");
    }
}

fn check_escalation(report: &mut Report<'_>, at: &At<'_>, context: &Value) {
    let at = at.child("allowPrivilegeEscalation");
    if is_true(context, "privileged") {
        report.add(
            CODE,
            at.path(),
            "it is false although privileged is true",
            "leave one of them out: a privileged container has all privileges",
        );
    }
    // Without its prefix the capability has the same effect, but is not looked for.
    if list(&context["capabilities"], "add").iter().any(|capability| capability == "CAP_SYS_ADMIN") {
        report.add(
            CODE,
            at.path(),
            "it is false although the capability CAP_SYS_ADMIN is added",
            "leave one of them out",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{paths_at, paths_of};
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case(json!({}), &[])]
    #[case(json!({"privileged": true, "runAsUser": 0, "runAsGroup": 2147483647}), &[])]
    #[case(json!({"runAsUser": -1}), &["x.runAsUser"])]
    #[case(json!({"runAsUser": 2147483648_i64}), &["x.runAsUser"])]
    #[case(json!({"runAsGroup": 2147483648_i64}), &["x.runAsGroup"])]
    #[case(json!({"allowPrivilegeEscalation": false, "capabilities": {"add": ["SYS_ADMIN"]}}), &[])]
    #[case(json!({"allowPrivilegeEscalation": true, "privileged": true}), &[])]
    #[case(json!({"allowPrivilegeEscalation": false, "privileged": true}), &["x.allowPrivilegeEscalation"])]
    #[case(json!({"allowPrivilegeEscalation": false, "capabilities": {"add": ["CAP_SYS_ADMIN"]}}), &["x.allowPrivilegeEscalation"])]
    #[case(json!({"procMount": "Default"}), &[])]
    #[case(json!({"windowsOptions": {"hostProcess": true}}), &["x.windowsOptions.hostProcess"])]
    fn contexts(#[case] context: Value, #[case] wrong: &[&str]) {
        assert_eq!(
            paths_of(|report, at| check(report, at, &context, &PodTraits::default())),
            wrong,
            "{context}"
        );
    }

    #[rstest]
    #[case(json!({"type": "RuntimeDefault"}), &[])]
    #[case(json!({"type": "Unconfined", "localhostProfile": null}), &[])]
    #[case(json!({"type": "Localhost", "localhostProfile": "a/b..c"}), &[])]
    #[case(json!({}), &["x.seccompProfile.type"])]
    #[case(json!({"type": "Other"}), &["x.seccompProfile.type"])]
    #[case(json!({"type": "Localhost"}), &["x.seccompProfile.localhostProfile"])]
    #[case(json!({"type": "Localhost", "localhostProfile": ""}), &[])]
    #[case(json!({"type": "Localhost", "localhostProfile": "/a"}), &["x.seccompProfile.localhostProfile"])]
    #[case(json!({"type": "Localhost", "localhostProfile": "a/../b"}), &["x.seccompProfile.localhostProfile"])]
    #[case(json!({"type": "Unconfined", "localhostProfile": ""}), &["x.seccompProfile.localhostProfile"])]
    fn seccomp(#[case] profile: Value, #[case] wrong: &[&str]) {
        let context = json!({"seccompProfile": profile});
        assert_eq!(
            paths_of(|report, at| check(report, at, &context, &PodTraits::default())),
            wrong,
            "{context}"
        );
    }

    #[rstest]
    #[case(json!({"type": "RuntimeDefault"}), true)]
    #[case(json!({"type": "Localhost", "localhostProfile": "/a/../b"}), true)]
    #[case(json!({"type": "Localhost", "localhostProfile": "a".repeat(4095)}), true)]
    #[case(json!({"type": "Localhost", "localhostProfile": "a".repeat(4096)}), false)]
    #[case(json!({"type": "Localhost", "localhostProfile": ""}), false)]
    #[case(json!({"type": "Localhost", "localhostProfile": " a"}), false)]
    #[case(json!({"type": "Localhost"}), false)]
    #[case(json!({"type": "Unconfined", "localhostProfile": "a"}), false)]
    #[case(json!({"type": ""}), false)]
    fn app_armor(#[case] profile: Value, #[case] good: bool) {
        let context = json!({"appArmorProfile": profile});
        let found = paths_of(|report, at| check(report, at, &context, &PodTraits::default()));
        assert_eq!(found.is_empty(), good, "{context}: {found:?}");
    }

    #[rstest]
    #[case(32, "Unmasked", true)]
    #[case(32, "Other", true)]
    #[case(33, "Default", true)]
    #[case(33, "Unmasked", false)]
    #[case(34, "", false)]
    fn proc_mounts(#[case] minor: u16, #[case] mount: &str, #[case] good: bool) {
        let context = json!({"procMount": mount});
        assert_eq!(
            paths_at(minor, |report, at| check(report, at, &context, &PodTraits::default())).is_empty(),
            good,
            "{mount}"
        );
    }

    #[rstest]
    #[case("", json!({"windowsOptions": {}, "runAsUser": 1, "privileged": true}), &[])]
    #[case("linux", json!({"windowsOptions": {}, "runAsUser": 1}), &["x.windowsOptions"])]
    #[case("windows", json!({"windowsOptions": {}, "runAsNonRoot": true}), &[])]
    #[case("windows", json!({"runAsUser": 1, "privileged": false, "capabilities": {}}),
        &["x.capabilities", "x.privileged", "x.runAsUser"])]
    fn systems(#[case] system: &str, #[case] context: Value, #[case] wrong: &[&str]) {
        let pod = PodTraits { system, ..PodTraits::default() };
        assert_eq!(paths_of(|report, at| check(report, at, &context, &pod)), wrong, "{context}");
    }

    #[test]
    fn pods_with_users_of_their_own_may_see_all_of_proc() {
        let pod = PodTraits { own_users: true, ..PodTraits::default() };
        let context = json!({"procMount": "Unmasked"});
        assert!(paths_of(|report, at| check(report, at, &context, &pod)).is_empty());
    }
}
