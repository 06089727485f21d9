//! Mounts of a container, beside the names of their volumes and the uniqueness of their paths.
//!
//! `ValidateVolumeMounts`. A path may be relative or hold a colon, whatever its documentation says.

use serde_json::Value;

use super::at::At;
use super::value::check_set_choice;
use super::versions::{RECURSIVE_READ_ONLY, since};
use crate::finding::{Code, seen};
use crate::rules::pod::Report;
use crate::rules::pod::paths::leads_up;
use crate::rules::pod::read::{is_true, text};

const CODE: Code = Code::MountInvalid;

const NONE: &str = "None";

/// Says what is wrong with the mounts of a container that is `privileged` or not.
pub(crate) fn check(report: &mut Report<'_>, at: &At<'_>, mounts: &[Value], privileged: bool) {
    for (index, mount) in mounts.iter().enumerate() {
        let at = at.index(index);
        for field in ["subPath", "subPathExpr"] {
            check_sub_path(report, &at.child(field), text(mount, field));
        }
        let (path, expression) = (text(mount, "subPath"), text(mount, "subPathExpr"));
        if !path.is_empty() && !expression.is_empty() {
            let message = format!("subPath is given, too: {}", seen(path));
            report.add(
                CODE,
                at.child("subPathExpr").path(),
                message,
                "give subPath or subPathExpr, not both",
            );
        }
        check_propagation(report, &at.child("mountPropagation"), mount, privileged);
        if since(report, RECURSIVE_READ_ONLY) {
            check_recursive(report, &at.child("recursiveReadOnly"), mount);
        }
    }
}

fn check_sub_path(report: &mut Report<'_>, at: &At<'_>, path: &str) {
    let problem = if path.starts_with('/') {
        "is not relative"
    } else if leads_up(path) {
        "leads up with '..'"
    } else {
        return;
    };
    report.add(CODE, at.path(), format!("{} {problem}", seen(path)), "write a path inside the volume");
}

fn check_propagation(report: &mut Report<'_>, at: &At<'_>, mount: &Value, privileged: bool) {
    const BOTH: &str = "Bidirectional";
    let propagation = &mount["mountPropagation"];
    check_set_choice(report, CODE, at, propagation, &[BOTH, "HostToContainer", NONE]);
    if propagation == BOTH && !privileged {
        report.add(
            CODE,
            at.path(),
            "Bidirectional is only for privileged containers",
            "use HostToContainer, or leave it out",
        );
    }
}

fn check_recursive(report: &mut Report<'_>, at: &At<'_>, mount: &Value) {
    let recursive = &mount["recursiveReadOnly"];
    check_set_choice(report, CODE, at, recursive, &["Disabled", "Enabled", "IfPossible"]);
    let Some(recursive @ ("Enabled" | "IfPossible")) = recursive.as_str() else { return };
    if !is_true(mount, "readOnly") {
        report.add(CODE, at.path(), format!("{recursive} needs readOnly: true"), "set readOnly");
    }
    if mount["mountPropagation"].as_str().is_some_and(|propagation| propagation != NONE) {
        let message = format!("{recursive} goes with no mountPropagation but None");
        report.add(CODE, at.path(), message, "leave mountPropagation out");
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{paths_at, paths_of};
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case(json!({"mountPath": "a:b", "subPath": "a/b..c", "readOnly": true}), &[])]
    #[case(json!({"subPath": "", "subPathExpr": "$(POD)/x"}), &[])]
    #[case(json!({"subPath": "/a"}), &["x[0].subPath"])]
    #[case(json!({"subPath": "a/../b"}), &["x[0].subPath"])]
    #[case(json!({"subPath": ".."}), &["x[0].subPath"])]
    #[case(json!({"subPathExpr": "/$(A)"}), &["x[0].subPathExpr"])]
    #[case(json!({"subPathExpr": "../$(A)"}), &["x[0].subPathExpr"])]
    #[case(json!({"subPath": "a", "subPathExpr": "b"}), &["x[0].subPathExpr"])]
    #[case(json!({"mountPropagation": null}), &[])]
    #[case(json!({"mountPropagation": "None"}), &[])]
    #[case(json!({"mountPropagation": "HostToContainer"}), &[])]
    #[case(json!({"mountPropagation": ""}), &["x[0].mountPropagation"])]
    #[case(json!({"mountPropagation": "Both"}), &["x[0].mountPropagation"])]
    #[case(json!({"mountPropagation": "Bidirectional"}), &["x[0].mountPropagation"])]
    fn mounts(#[case] mount: Value, #[case] wrong: &[&str]) {
        let found = paths_of(|report, at| check(report, at, std::slice::from_ref(&mount), false));
        assert_eq!(found, wrong, "{mount}");
    }

    #[test]
    fn privileged_containers_may_propagate() {
        let mounts = [json!({"mountPropagation": "Bidirectional"})];
        assert!(paths_of(|report, at| check(report, at, &mounts, true)).is_empty());
    }

    #[rstest]
    #[case(json!({"recursiveReadOnly": "Disabled"}), true)]
    #[case(json!({"recursiveReadOnly": "Enabled", "readOnly": true, "mountPropagation": "None"}), true)]
    #[case(json!({"recursiveReadOnly": "IfPossible", "readOnly": true}), true)]
    #[case(json!({"recursiveReadOnly": "IfPossible", "readOnly": true, "mountPropagation": "HostToContainer"}), false)]
    #[case(json!({"recursiveReadOnly": "IfPossible", "readOnly": false}), false)]
    #[case(json!({"recursiveReadOnly": "Enabled"}), false)]
    #[case(json!({"recursiveReadOnly": ""}), false)]
    #[case(json!({"recursiveReadOnly": "enabled", "readOnly": true}), false)]
    fn recursive(#[case] mount: Value, #[case] good: bool) {
        for (minor, good) in [(30, true), (31, good), (34, good)] {
            let found = paths_at(minor, |report, at| check(report, at, std::slice::from_ref(&mount), false));
            assert_eq!(found.is_empty(), good, "{mount} on 1.{minor}: {found:?}");
        }
    }
}
