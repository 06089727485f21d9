//! Volumes of files that hold what is known about the pod itself.

use serde_json::Value;

use super::super::container::at::At;
use super::super::container::downward::{RESOURCES, check_divisor, is_resource, subscript};
use super::super::read::{is_set, list, text};
use super::files::{check_file, check_mode};
use super::{CODE, Report};
use crate::finding::{FieldPath, seen};
use crate::rules::metadata::is_qualified_name;

const FIELDS: [&str; 5] =
    ["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];
pub(super) fn check(report: &mut Report<'_>, path: &FieldPath, source: &Value) {
    check_mode(report, path, source, "defaultMode");
    check_items(report, path, source);
}

/// Says what is wrong with the files in `items`.
pub(super) fn check_items(report: &mut Report<'_>, path: &FieldPath, source: &Value) {
    for (index, file) in list(source, "items").iter().enumerate() {
        let path = path.child("items").index(index);
        check_file(report, &path, file);
        match (is_set(file, "fieldRef"), is_set(file, "resourceFieldRef")) {
            (true, true) => report.add(
                CODE,
                path.clone(),
                "the file has both fieldRef and resourceFieldRef",
                "keep one of them",
            ),
            (true, false) => check_field(report, &path.child("fieldRef"), &file["fieldRef"]),
            (false, true) => {
                check_resource(report, &path.child("resourceFieldRef"), &file["resourceFieldRef"]);
            }
            (false, false) => {
                report.required(CODE, path.child("fieldRef"), "a file needs fieldRef or resourceFieldRef");
            }
        }
    }
}

fn check_field(report: &mut Report<'_>, path: &FieldPath, reference: &Value) {
    let version = text(reference, "apiVersion");
    if !matches!(version, "" | "v1") {
        report.unsupported(CODE, path.child("apiVersion"), version, &["v1"]);
        return;
    }
    let path = path.child("fieldPath");
    match text(reference, "fieldPath") {
        "" => report.required(CODE, path, "it says what the file holds"),
        field => match subscript(field) {
            Some((of, key)) => check_subscript(report, path, field, of, key),
            None if FIELDS.contains(&field) => {}
            None => report.unsupported(CODE, path, field, &FIELDS),
        },
    }
}

fn check_subscript(report: &mut Report<'_>, path: FieldPath, field: &str, of: &str, key: &str) {
    let valid = match of {
        // Kubernetes compares annotation keys in lower case.
        "metadata.annotations" => is_qualified_name(&key.to_lowercase()),
        "metadata.labels" => is_qualified_name(key),
        _ => false,
    };
    if !valid {
        report.add(
            CODE,
            path,
            format!("{} is not one label or annotation", seen(field)),
            "write metadata.labels['key'] or metadata.annotations['key'] with a key that one can have",
        );
    }
}

fn check_resource(report: &mut Report<'_>, path: &FieldPath, reference: &Value) {
    let resource = text(reference, "resource");
    if text(reference, "containerName").is_empty() {
        report.required(CODE, path.child("containerName"), "it says whose resource the file holds");
    } else if resource.is_empty() {
        report.required(CODE, path.child("resource"), "it says which resource the file holds");
    } else if !is_resource(resource) {
        report.unsupported(CODE, path.child("resource"), resource, &RESOURCES);
    }
    if is_resource(resource) {
        let at = At::root(path.as_str());
        check_divisor(report, CODE, &at.child("divisor"), resource, &reference["divisor"]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::pod::testing::found;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case("metadata.name", true)]
    #[case("metadata.labels", true)]
    #[case("metadata.labels['a.b/c']", true)]
    #[case("metadata.labels['A.b/c']", false)]
    #[case("metadata.annotations['A.b/c']", true)]
    #[case("metadata.annotations['a b']", false)]
    #[case("metadata.labels['']", false)]
    #[case("metadata.name['a']", false)]
    #[case("['a']", false)]
    #[case("spec.nodeName", false)]
    #[case("status.podIP", false)]
    #[case("", false)]
    fn fields(#[case] field: &str, #[case] valid: bool) {
        let source = json!({"items": [{"path": "a", "fieldRef": {"fieldPath": field}}]});
        let paths: &[&str] = if valid { &[] } else { &["d.items[0].fieldRef.fieldPath"] };
        assert_eq!(found(|report, path| check(report, path, &source), "d"), paths, "{field}");
    }

    #[rstest]
    #[case("limits.cpu", json!(null), true)]
    #[case("limits.cpu", json!("0"), true)]
    #[case("limits.cpu", json!("1m"), true)]
    #[case("limits.cpu", json!("0.001"), true)]
    #[case("limits.cpu", json!(1), true)]
    #[case("limits.cpu", json!("10m"), false)]
    #[case("limits.cpu", json!("1k"), false)]
    #[case("requests.memory", json!("1Mi"), true)]
    #[case("requests.memory", json!("1024Ki"), true)]
    #[case("requests.memory", json!("1G"), true)]
    #[case("requests.memory", json!("1000"), true)]
    #[case("requests.memory", json!("1024"), false)]
    #[case("requests.memory", json!("2Mi"), false)]
    #[case("requests.memory", json!("1m"), false)]
    #[case("limits.ephemeral-storage", json!("1Ei"), true)]
    #[case("limits.hugepages-2Mi", json!("1Mi"), true)]
    #[case("limits.hugepages-2Mi", json!("3"), false)]
    fn divisors(#[case] resource: &str, #[case] divisor: Value, #[case] valid: bool) {
        let reference = json!({"containerName": "a", "resource": resource, "divisor": divisor});
        let paths: &[&str] = if valid { &[] } else { &["r.divisor"] };
        assert_eq!(found(|report, path| check_resource(report, path, &reference), "r"), paths, "{reference}");
    }

    #[rstest]
    #[case(json!({"path": "a"}), &["d.items[0].fieldRef"])]
    #[case(json!({"path": "a", "fieldRef": {"fieldPath": "metadata.name"}, "resourceFieldRef": {}}), &["d.items[0]"])]
    #[case(json!({"fieldRef": {"fieldPath": "metadata.name"}}), &["d.items[0].path"])]
    #[case(json!({"path": "a", "mode": 1000, "fieldRef": {"fieldPath": "metadata.name"}}), &["d.items[0].mode"])]
    #[case(json!({"path": "a", "fieldRef": {"apiVersion": "v2", "fieldPath": "metadata.name"}}), &["d.items[0].fieldRef.apiVersion"])]
    #[case(json!({"path": "a", "resourceFieldRef": {"resource": "limits.cpu"}}), &["d.items[0].resourceFieldRef.containerName"])]
    #[case(json!({"path": "a", "resourceFieldRef": {"containerName": "a"}}), &["d.items[0].resourceFieldRef.resource"])]
    #[case(json!({"path": "a", "resourceFieldRef": {"containerName": "a", "resource": "limits.gpu"}}), &["d.items[0].resourceFieldRef.resource"])]
    fn files(#[case] file: Value, #[case] paths: &[&str]) {
        let source = json!({"items": [file]});
        assert_eq!(found(|report, path| check(report, path, &source), "d"), paths);
    }
}
