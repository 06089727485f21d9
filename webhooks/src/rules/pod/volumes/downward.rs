//! Volumes of files that hold what is known about the pod itself.

use serde_json::Value;
use sojourn_crds::quantity::Quantity;

use super::super::amount;
use super::super::read::{is_set, list, text};
use super::files::{check_file, check_mode};
use super::{CODE, Report};
use crate::finding::{FieldPath, seen};
use crate::rules::metadata::is_qualified_name;

const FIELDS: [&str; 5] =
    ["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];
const RESOURCES: [&str; 6] = [
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
];
const HUGE_PAGES: [&str; 2] = ["limits.hugepages-", "requests.hugepages-"];

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

/// Splits `metadata.labels['key']`.
fn subscript(field: &str) -> Option<(&str, &str)> {
    let (of, key) = field.strip_suffix("']")?.split_once("['")?;
    (!of.is_empty()).then_some((of, key))
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
    let huge = HUGE_PAGES.iter().any(|prefix| resource.starts_with(prefix));
    if text(reference, "containerName").is_empty() {
        report.required(CODE, path.child("containerName"), "it says whose resource the file holds");
    } else if resource.is_empty() {
        report.required(CODE, path.child("resource"), "it says which resource the file holds");
    } else if !huge && !RESOURCES.contains(&resource) {
        report.unsupported(CODE, path.child("resource"), resource, &RESOURCES);
    }
    let divisor = &reference["divisor"];
    let unit = match resource.split_once('.').map(|(_, name)| name) {
        Some("cpu") if RESOURCES.contains(&resource) => is_unit_of_cpu(divisor),
        _ if huge || RESOURCES.contains(&resource) => is_unit_of_bytes(divisor),
        _ => true,
    };
    if !unit {
        report.add(
            CODE,
            path.child("divisor"),
            format!("{} is not a unit of {}", seen(&amount::shown(divisor)), seen(resource)),
            "use 1 or 1m for CPU; 1, 1k to 1E or 1Ki to 1Ei for anything else",
        );
    }
}

const NANO: i128 = 1_000_000_000;

/// The value of a divisor in billionths; none for one that is absent, zero or cannot be read.
fn nanos(divisor: &Value) -> Option<i128> {
    let nanos = serde_json::from_value::<Quantity>(divisor.clone()).ok()?.nanos()?;
    (nanos != 0).then_some(nanos)
}

fn is_unit_of_cpu(divisor: &Value) -> bool {
    nanos(divisor).is_none_or(|nanos| nanos == NANO || nanos == NANO / 1000)
}

/// Kubernetes compares the canonical text, in which 1024 is no 1Ki and 1000Ki no power of 1000.
fn is_unit_of_bytes(divisor: &Value) -> bool {
    let Some(nanos) = nanos(divisor) else { return true };
    let binary = divisor.as_str().is_some_and(|text| text.ends_with('i'));
    let power = if binary { 1024 } else { 1000 };
    (0..=6).any(|exponent| nanos == NANO * i128::pow(power, exponent))
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
