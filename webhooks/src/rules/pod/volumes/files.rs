//! Volumes of files from secrets and config maps, and where in a volume files may lie.

use serde_json::Value;

use super::super::paths::descent_problem;
use super::super::read::{integer, list, text};
use super::{CODE, Report, check_needed};
use crate::finding::{FieldPath, seen};

pub(super) fn secret(report: &mut Report<'_>, path: &FieldPath, source: &Value) {
    check_needed(report, path, source, &["secretName"]);
    check_mode(report, path, source, "defaultMode");
    check_items(report, path, source);
}

pub(super) fn config_map(report: &mut Report<'_>, path: &FieldPath, source: &Value) {
    check_needed(report, path, source, &["name"]);
    check_mode(report, path, source, "defaultMode");
    check_items(report, path, source);
}

/// Says what is wrong with the files that the keys in `items` become.
pub(super) fn check_items(report: &mut Report<'_>, path: &FieldPath, source: &Value) {
    for (index, item) in list(source, "items").iter().enumerate() {
        let path = path.child("items").index(index);
        if text(item, "key").is_empty() {
            report.required(CODE, path.child("key"), "it says what the file holds");
        }
        check_file(report, &path, item);
    }
}

/// Says what is wrong with `path` and `mode` of a file.
pub(super) fn check_file(report: &mut Report<'_>, path: &FieldPath, file: &Value) {
    check_path(report, path, file, "path");
    check_mode(report, path, file, "mode");
}

/// Says when the path of a file in a volume is missing, or leads out of the volume.
pub(super) fn check_path(report: &mut Report<'_>, path: &FieldPath, of: &Value, field: &str) {
    let file = text(of, field);
    if file.is_empty() {
        report.required(CODE, path.child(field), "it says where in the volume the file lies");
    } else if let Some(problem) = descent_problem(file)
        .or_else(|| file.starts_with("..").then_some("begins with '..', which the kubelet keeps for itself"))
    {
        report.add(
            CODE,
            path.child(field),
            format!("{} {problem}", seen(file)),
            "write a path relative to the volume, such as conf/a.yaml",
        );
    }
}

/// Says when the permissions in `field` are none.
pub(super) fn check_mode(report: &mut Report<'_>, path: &FieldPath, of: &Value, field: &str) {
    if let Some(mode) = integer(of, field).filter(|mode| !(0..=0o777).contains(mode)) {
        report.add(
            CODE,
            path.child(field),
            format!("{mode} is no mode of a file: it is not from 0 to 0777 octal, which is 511"),
            "write it in octal in YAML, such as 0644, and in decimal in JSON, such as 420",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::pod::testing::found;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case(json!({"secretName": "a"}), &[])]
    // Kubernetes looks only whether there is a name.
    #[case(json!({"secretName": "Not A Name"}), &[])]
    #[case(json!({"secretName": ""}), &["s.secretName"])]
    #[case(json!({}), &["s.secretName"])]
    #[case(json!({"secretName": "a", "defaultMode": 511}), &[])]
    #[case(json!({"secretName": "a", "defaultMode": 0}), &[])]
    #[case(json!({"secretName": "a", "defaultMode": 512}), &["s.defaultMode"])]
    #[case(json!({"secretName": "a", "defaultMode": -1}), &["s.defaultMode"])]
    #[case(json!({"secretName": "a", "items": [{"key": "k", "path": "a/b"}]}), &[])]
    #[case(json!({"secretName": "a", "items": [{"key": "", "path": ""}]}), &["s.items[0].key", "s.items[0].path"])]
    #[case(json!({"secretName": "a", "items": [{"key": "k", "path": "/a"}]}), &["s.items[0].path"])]
    #[case(json!({"secretName": "a", "items": [{"key": "k", "path": "a/../b"}]}), &["s.items[0].path"])]
    #[case(json!({"secretName": "a", "items": [{"key": "k", "path": "../b"}]}), &["s.items[0].path"])]
    #[case(json!({"secretName": "a", "items": [{"key": "k", "path": "..b"}]}), &["s.items[0].path"])]
    #[case(json!({"secretName": "a", "items": [{"key": "k", "path": ".b/..c"}]}), &[])]
    #[case(json!({"secretName": "a", "items": [{"key": "k", "path": "b", "mode": 512}]}), &["s.items[0].mode"])]
    fn secrets(#[case] source: Value, #[case] paths: &[&str]) {
        assert_eq!(found(|report, path| secret(report, path, &source), "s"), paths);
    }

    #[rstest]
    #[case(json!({"name": "a", "optional": true}), &[])]
    #[case(json!({}), &["c.name"])]
    #[case(json!({"name": "a", "defaultMode": 1000}), &["c.defaultMode"])]
    #[case(json!({"name": "a", "items": [{"key": "k"}]}), &["c.items[0].path"])]
    fn config_maps(#[case] source: Value, #[case] paths: &[&str]) {
        assert_eq!(found(|report, path| config_map(report, path, &source), "c"), paths);
    }
}
