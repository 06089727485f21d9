//! Profiles of seccomp and AppArmor.

use serde_json::Value;

use super::super::read::{is_set, text, text_if_set};
use super::super::volumes::descent_problem;
use super::{CODE, Report};
use crate::finding::{FieldPath, seen};

const TYPES: [&str; 3] = ["Localhost", "RuntimeDefault", "Unconfined"];
const LONGEST_PROFILE: usize = 4095;

pub(super) fn check_seccomp(report: &mut Report<'_>, path: &FieldPath, profile: &Value) {
    let Some(file) = file(report, path, profile) else { return };
    if let Some(problem) = descent_problem(file) {
        report.add(
            CODE,
            path.child("localhostProfile"),
            format!("{} {problem}", seen(file)),
            "write a path below the kubelet's directory of seccomp profiles",
        );
    }
}

pub(super) fn check_app_armor(report: &mut Report<'_>, path: &FieldPath, profile: &Value) {
    let Some(name) = file(report, path, profile) else { return };
    let problem = match name.trim() {
        "" => "names no profile",
        trimmed if trimmed != name => "has blanks at its ends",
        _ if name.len() > LONGEST_PROFILE => "is longer than 4095 characters",
        _ => return,
    };
    report.add(
        CODE,
        path.child("localhostProfile"),
        format!("{} {problem}", seen(name)),
        "write the name of a profile that is loaded on the node",
    );
}

/// The profile on the node, where there is to be one.
fn file<'a>(report: &mut Report<'_>, path: &FieldPath, profile: &'a Value) -> Option<&'a str> {
    if profile.is_null() {
        return None;
    }
    match text(profile, "type") {
        "Localhost" => {
            let file = text_if_set(profile, "localhostProfile");
            if file.is_none() {
                report.required(CODE, path.child("localhostProfile"), "the type Localhost names a profile");
            }
            file
        }
        kind => {
            if kind.is_empty() {
                report.required(CODE, path.child("type"), "a profile has a type");
            } else if !TYPES.contains(&kind) {
                report.unsupported(CODE, path.child("type"), kind, &TYPES);
            }
            if is_set(profile, "localhostProfile") {
                report.add(
                    CODE,
                    path.child("localhostProfile"),
                    format!("does not go with the type {}", seen(kind)),
                    "leave it out, or use the type Localhost",
                );
            }
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::pod::testing::found;
    use rstest::rstest;
    use serde_json::json;

    type Check = fn(&mut Report<'_>, &FieldPath, &Value);

    #[rstest]
    #[case(json!(null), &[])]
    #[case(json!({"type": "RuntimeDefault"}), &[])]
    #[case(json!({"type": "Localhost", "localhostProfile": "a/b"}), &[])]
    #[case(json!({}), &["p.type"])]
    #[case(json!({"type": "runtime/default"}), &["p.type"])]
    #[case(json!({"type": "Localhost"}), &["p.localhostProfile"])]
    #[case(json!({"type": "Unconfined", "localhostProfile": "a"}), &["p.localhostProfile"])]
    fn profiles(#[case] profile: Value, #[case] paths: &[&str]) {
        for check in [check_seccomp as Check, check_app_armor] {
            assert_eq!(found(|report, path| check(report, path, &profile), "p"), paths);
        }
    }

    #[rstest]
    #[case(check_seccomp, "", true)]
    #[case(check_seccomp, "/a", false)]
    #[case(check_seccomp, "a/../b", false)]
    #[case(check_app_armor, "", false)]
    #[case(check_app_armor, " a", false)]
    #[case(check_app_armor, "/a/../b c", true)]
    #[case(check_app_armor, &"a".repeat(4095), true)]
    #[case(check_app_armor, &"a".repeat(4096), false)]
    fn files(#[case] check: Check, #[case] file: &str, #[case] valid: bool) {
        let profile = json!({"type": "Localhost", "localhostProfile": file});
        assert_eq!(found(|report, path| check(report, path, &profile), "p").is_empty(), valid, "{file}");
    }
}
