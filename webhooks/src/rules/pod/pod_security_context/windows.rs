//! What only pods of Windows have, and what they do not.

use serde_json::Value;

use super::super::container::at::At;
use super::super::container::windows::check_options;
use super::super::read::{is_set, is_true, list};
use super::{CODE, Report};
use crate::finding::FieldPath;

/// What of a security context is for Linux only.
const LINUX_CONTEXT: [&str; 11] = [
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "fsGroup",
    "fsGroupChangePolicy",
    "sysctls",
    "runAsUser",
    "runAsGroup",
    "supplementalGroups",
    "supplementalGroupsPolicy",
    "seLinuxChangePolicy",
];

pub(super) fn check(report: &mut Report<'_>, path: &FieldPath, pod: &Value, options: &Value) {
    check_options(report, &At::root(path.as_str()), options);
    // Every container inherits it, or contradicts it and is refused for that.
    if is_true(options, "hostProcess") && !is_true(pod, "hostNetwork") {
        report.add(
            CODE,
            path.child("hostProcess"),
            "does not go without hostNetwork",
            "set hostNetwork to true, or leave this out",
        );
    }
}

/// Says what of the pod at `path` is for Linux only.
pub(super) fn check_pod(report: &mut Report<'_>, path: &FieldPath, pod: &Value) {
    let mut found = |path: FieldPath| {
        report.add(CODE, path, "is not for the pods of windows", "leave it out, or change os");
    };
    let context = &pod["securityContext"];
    let set = |field: &&str| {
        if *field == "sysctls" { !list(context, field).is_empty() } else { is_set(context, field) }
    };
    for field in LINUX_CONTEXT.into_iter().filter(set) {
        found(path.child("securityContext").child(field));
    }
    for field in ["hostUsers", "shareProcessNamespace"].into_iter().filter(|field| is_set(pod, field)) {
        found(path.child(field));
    }
    for field in ["hostPID", "hostIPC"].into_iter().filter(|field| is_true(pod, field)) {
        found(path.child(field));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::pod::container::windows::user_problem;
    use crate::rules::pod::testing::found;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case("user", true)]
    #[case(r"DOMAIN\user", true)]
    #[case(r"sub.Example.org\user", true)]
    #[case(r"a_b\user", true)]
    #[case("", false)]
    #[case("a\tb", false)]
    #[case(r"a\b\c", false)]
    #[case(r"\user", false)]
    #[case(r".a_b\user", false)]
    #[case(r"a*b\user", false)]
    #[case(r"sixteen_letters_\user", false)]
    #[case(r"a\", false)]
    #[case(". .", false)]
    #[case("a.", true)]
    #[case("a@b", false)]
    #[case(&"a".repeat(104), true)]
    #[case(&"a".repeat(105), false)]
    fn users(#[case] name: &str, #[case] valid: bool) {
        assert_eq!(user_problem(name).is_none(), valid, "{name}");
    }

    #[rstest]
    #[case(json!({}), json!({}), &[])]
    #[case(json!({"gmsaCredentialSpecName": "a.b", "gmsaCredentialSpec": "x"}), json!({}), &[])]
    #[case(json!({"gmsaCredentialSpecName": "A"}), json!({}), &["w.gmsaCredentialSpecName"])]
    #[case(json!({"gmsaCredentialSpec": ""}), json!({}), &["w.gmsaCredentialSpec"])]
    #[case(json!({"gmsaCredentialSpec": "x".repeat(65536)}), json!({}), &[])]
    #[case(json!({"gmsaCredentialSpec": "x".repeat(65537)}), json!({}), &["w.gmsaCredentialSpec"])]
    #[case(json!({"runAsUserName": ""}), json!({}), &["w.runAsUserName"])]
    #[case(json!({"hostProcess": true}), json!({}), &["w.hostProcess"])]
    #[case(json!({"hostProcess": true}), json!({"hostNetwork": true}), &[])]
    #[case(json!({"hostProcess": false}), json!({}), &[])]
    fn windows_options(#[case] options: Value, #[case] pod: Value, #[case] paths: &[&str]) {
        assert_eq!(found(|report, path| check(report, path, &pod, &options), "w"), paths);
    }
}
