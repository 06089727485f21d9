//! Rights of a container.
//!
//! `ValidateSecurityContext`. Whether containers may be `privileged` is a flag of the API server that is not known here.

use std::ops::RangeInclusive;

use serde_json::Value;

use super::at::At;
use super::value::{check_range, check_set_choice, is_true, leads_up, list, present, text};
use super::versions::{PROC_MOUNT, since};
use super::windows;
use crate::finding::{Code, seen};
use crate::rules::pod::Report;

const CODE: Code = Code::SecurityContextInvalid;

/// The numbers that users and groups can have.
pub(crate) const IDS: RangeInclusive<i64> = 0..=i32::MAX as i64;

const LOCAL: &str = "Localhost";
const PROFILES: [&str; 3] = [LOCAL, "RuntimeDefault", "Unconfined"];

/// What a path to a profile can be long: the longest path of Linux.
const LONGEST_PROFILE: usize = 4095;

/// Says what is wrong with the security context of a container.
pub(crate) fn check(report: &mut Report<'_>, at: &At<'_>, context: &Value) {
    for field in ["runAsUser", "runAsGroup"] {
        check_range(report, CODE, &at.child(field), &context[field], IDS);
    }
    if since(report, PROC_MOUNT) {
        // Unmasked is for pods with hostUsers: false, which a session's pod is not.
        check_set_choice(report, CODE, &at.child("procMount"), &context["procMount"], &["Default"]);
    }
    if let Some(profile) = present(context, "seccompProfile") {
        check_profile(report, &at.child("seccompProfile"), profile, seccomp_problem);
    }
    if let Some(profile) = present(context, "appArmorProfile") {
        check_profile(report, &at.child("appArmorProfile"), profile, app_armor_problem);
    }
    if let Some(options) = present(context, "windowsOptions") {
        windows::check(report, &at.child("windowsOptions"), options);
    }
    if context["allowPrivilegeEscalation"].as_bool() == Some(false) {
        check_escalation(report, at, context);
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

/// A profile that is read from the node has a path, and no other one has.
fn check_profile(
    report: &mut Report<'_>,
    at: &At<'_>,
    profile: &Value,
    problem: fn(&str) -> Option<&'static str>,
) {
    let kind = text(profile, "type");
    if !PROFILES.contains(&kind) {
        report.unsupported(CODE, at.child("type").path(), kind, &PROFILES);
    }
    let path = profile["localhostProfile"].as_str();
    let at = at.child("localhostProfile");
    match path {
        None if kind == LOCAL => {
            report.required(CODE, at.path(), "a profile of the type Localhost has a path")
        }
        Some(path) if kind == LOCAL => {
            if let Some(problem) = problem(path) {
                report.add(
                    CODE,
                    at.path(),
                    format!("{} {problem}", seen(path)),
                    "name a profile of the node",
                );
            }
        }
        Some(path) => {
            let message = format!("{} is only for the type Localhost", seen(path));
            report.add(CODE, at.path(), message, "leave it out, or set the type to Localhost");
        }
        None => {}
    }
}

fn seccomp_problem(path: &str) -> Option<&'static str> {
    if path.starts_with('/') {
        return Some("is not a relative path");
    }
    leads_up(path).then_some("leads up with '..'")
}

fn app_armor_problem(path: &str) -> Option<&'static str> {
    if path.is_empty() {
        return Some("names no profile");
    }
    if path.trim() != path {
        return Some("has spaces at its ends");
    }
    (path.len() > LONGEST_PROFILE).then_some("is longer than 4095 bytes")
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
        assert_eq!(paths_of(|report, at| check(report, at, &context)), wrong, "{context}");
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
        assert_eq!(paths_of(|report, at| check(report, at, &context)), wrong, "{context}");
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
        let found = paths_of(|report, at| check(report, at, &context));
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
        assert_eq!(paths_at(minor, |report, at| check(report, at, &context)).is_empty(), good, "{mount}");
    }
}
