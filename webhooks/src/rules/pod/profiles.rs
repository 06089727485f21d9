//! Profiles of seccomp and AppArmor, of a pod and of a container.
//!
//! `validateSeccompProfileField` and `validateAppArmorProfileField`.

use serde_json::Value;

use super::Report;
use super::container::at::At;
use super::paths::descent_problem;
use super::read::{is_set, text, text_if_set};
use crate::finding::{Code, seen};

const CODE: Code = Code::SecurityContextInvalid;
const TYPES: [&str; 3] = ["Localhost", "RuntimeDefault", "Unconfined"];
/// Bytes of a path to a profile: the longest path of Linux.
const LONGEST_PROFILE: usize = 4095;

/// Says what is wrong with a profile of seccomp; an absent one is right.
pub(crate) fn check_seccomp(report: &mut Report<'_>, at: &At<'_>, profile: &Value) {
    let Some(file) = file(report, at, profile) else { return };
    if let Some(problem) = descent_problem(file) {
        report.add(
            CODE,
            at.child("localhostProfile").path(),
            format!("{} {problem}", seen(file)),
            "write a path below the kubelet's directory of seccomp profiles",
        );
    }
}

/// Says what is wrong with a profile of AppArmor; an absent one is right.
pub(crate) fn check_app_armor(report: &mut Report<'_>, at: &At<'_>, profile: &Value) {
    let Some(name) = file(report, at, profile) else { return };
    let problem = match name.trim() {
        "" => "names no profile",
        trimmed if trimmed != name => "has blanks at its ends",
        _ if name.len() > LONGEST_PROFILE => "is longer than 4095 bytes",
        _ => return,
    };
    report.add(
        CODE,
        at.child("localhostProfile").path(),
        format!("{} {problem}", seen(name)),
        "write the name of a profile that is loaded on the node",
    );
}

/// The profile on the node, where there is to be one.
fn file<'a>(report: &mut Report<'_>, at: &At<'_>, profile: &'a Value) -> Option<&'a str> {
    if profile.is_null() {
        return None;
    }
    let place = at.child("localhostProfile");
    match text(profile, "type") {
        "Localhost" => {
            let file = text_if_set(profile, "localhostProfile");
            if file.is_none() {
                report.required(CODE, place.path(), "the type Localhost names a profile");
            }
            file
        }
        kind => {
            if kind.is_empty() {
                report.required(CODE, at.child("type").path(), "a profile has a type");
            } else if !TYPES.contains(&kind) {
                report.unsupported(CODE, at.child("type").path(), kind, &TYPES);
            }
            if is_set(profile, "localhostProfile") {
                report.add(
                    CODE,
                    place.path(),
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

    type Check = fn(&mut Report<'_>, &At<'_>, &Value);

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
            assert_eq!(found(|report, path| check(report, &At::root(path.as_str()), &profile), "p"), paths);
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
        assert_eq!(
            found(|report, path| check(report, &At::root(path.as_str()), &profile), "p").is_empty(),
            valid,
            "{file}"
        );
    }
}
