//! Volumes that a node makes: directories, claims, images, and those of drivers.

use serde_json::Value;
use sojourn_crds::dns;

use super::super::amount;
use super::super::paths::{descent_problem, leads_up};
use super::super::read::{entries, is_set, text};
use super::{CODE, Report, check_needed};
use crate::finding::{FieldPath, seen};
use crate::rules::pod::{quantity, references};

const HOST_PATH_TYPES: [&str; 7] =
    ["DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice"];

pub(super) fn empty_dir(report: &mut Report<'_>, path: &FieldPath, source: &Value) {
    check_size(report, || path.child("sizeLimit"), &source["sizeLimit"]);
}

/// Says when the size of a directory in memory or on the node is no quantity, or negative.
pub(crate) fn check_size(report: &mut Report<'_>, path: impl Fn() -> FieldPath, size: &Value) {
    if quantity::check(report, CODE, &path, size) && amount::is_negative(size) {
        report.add(
            CODE,
            path(),
            format!("{} is negative", seen(&amount::shown(size))),
            "write a size such as 1Gi, or leave it out for no limit",
        );
    }
}

pub(super) fn host_path(report: &mut Report<'_>, path: &FieldPath, source: &Value) {
    let host_path = text(source, "path");
    if host_path.is_empty() {
        report.required(CODE, path.child("path"), "it says what of the node is mounted");
        return;
    }
    if leads_up(host_path) {
        report.add(
            CODE,
            path.child("path"),
            format!("{} contains '..'", seen(host_path)),
            "write the path without it",
        );
    }
    let kind = text(source, "type");
    if !kind.is_empty() && !HOST_PATH_TYPES.contains(&kind) {
        report.unsupported(CODE, path.child("type"), kind, &HOST_PATH_TYPES);
    }
}

pub(super) fn git_repo(report: &mut Report<'_>, path: &FieldPath, source: &Value) {
    check_needed(report, path, source, &["repository"]);
    let directory = text(source, "directory");
    if let Some(problem) = descent_problem(directory) {
        report.add(
            CODE,
            path.child("directory"),
            format!("{} {problem}", seen(directory)),
            "write a path relative to the volume",
        );
    }
}

pub(super) fn claim(report: &mut Report<'_>, path: &FieldPath, source: &Value) {
    check_needed(report, path, source, &["claimName"]);
}

/// In a template the reference may be empty; in a pod it may not, which is for who fills the template.
pub(super) fn image(report: &mut Report<'_>, path: &FieldPath, source: &Value) {
    let policy = text(source, "pullPolicy");
    if !matches!(policy, "" | "Always" | "IfNotPresent" | "Never") {
        report.unsupported(CODE, path.child("pullPolicy"), policy, &["Always", "IfNotPresent", "Never"]);
    }
}

pub(super) fn csi(report: &mut Report<'_>, path: &FieldPath, source: &Value) {
    let driver = text(source, "driver");
    if driver.is_empty() {
        report.required(CODE, path.child("driver"), "it says who makes the volume");
    } else if driver.len() > 63 || !dns::is_subdomain(&driver.to_lowercase()) {
        report.add(
            CODE,
            path.child("driver"),
            format!("{} cannot be the name of a driver", seen(driver)),
            "use the name of its CSIDriver, a DNS name of at most 63 characters",
        );
    }
    if is_set(source, "nodePublishSecretRef") {
        let name = text(&source["nodePublishSecretRef"], "name");
        let path = path.child("nodePublishSecretRef").child("name");
        if name.is_empty() {
            report.required(CODE, path, "the reference names no secret");
        } else {
            references::check(report, CODE, path, name, "a Secret");
        }
    }
}

pub(super) fn flex_volume(report: &mut Report<'_>, path: &FieldPath, source: &Value) {
    check_needed(report, path, source, &["driver"]);
    for (key, _) in entries(source, "options").filter(|(key, _)| is_reserved(key)) {
        report.add(
            CODE,
            path.child("options").key(key),
            format!("{} belongs to Kubernetes, as all of kubernetes.io and k8s.io does", seen(key)),
            "use an option of the driver",
        );
    }
}

fn is_reserved(option: &str) -> bool {
    let owner = option.split_once('/').map_or(option, |(owner, _)| owner);
    let owner = format!(".{}", owner.to_lowercase());
    owner.ends_with(".kubernetes.io") || owner.ends_with(".k8s.io")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::pod::testing::found;
    use crate::rules::pod::volumes::Check;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case(empty_dir, json!({}), &[])]
    #[case(empty_dir, json!({"medium": "Odd", "sizeLimit": "0"}), &[])]
    #[case(empty_dir, json!({"sizeLimit": "-1Gi"}), &["v.sizeLimit"])]
    #[case(empty_dir, json!({"sizeLimit": -1}), &["v.sizeLimit"])]
    #[case(empty_dir, json!({"sizeLimit": "1gb"}), &["v.sizeLimit"])]
    #[case(host_path, json!({"path": "/a"}), &[])]
    #[case(host_path, json!({"path": "relative", "type": ""}), &[])]
    #[case(host_path, json!({"path": "/a", "type": "CharDevice"}), &[])]
    #[case(host_path, json!({}), &["v.path"])]
    #[case(host_path, json!({"path": "/a/../b"}), &["v.path"])]
    #[case(host_path, json!({"path": "/a..b/c"}), &[])]
    #[case(host_path, json!({"path": "/a", "type": "directory"}), &["v.type"])]
    #[case(git_repo, json!({"repository": "a"}), &[])]
    #[case(git_repo, json!({"repository": "a", "directory": "."}), &[])]
    #[case(git_repo, json!({"repository": ""}), &["v.repository"])]
    #[case(git_repo, json!({"repository": "a", "directory": "/b"}), &["v.directory"])]
    #[case(git_repo, json!({"repository": "a", "directory": "b/.."}), &["v.directory"])]
    #[case(claim, json!({"claimName": "Any Text"}), &[])]
    #[case(claim, json!({"readOnly": true}), &["v.claimName"])]
    #[case(image, json!({"reference": ""}), &[])]
    #[case(image, json!({"reference": "a", "pullPolicy": "Never"}), &[])]
    #[case(image, json!({"reference": "a", "pullPolicy": "never"}), &["v.pullPolicy"])]
    #[case(csi, json!({"driver": "csi.example.org"}), &[])]
    #[case(csi, json!({"driver": "CSI.example.org"}), &[])]
    #[case(csi, json!({"driver": "a".repeat(63)}), &[])]
    #[case(csi, json!({"driver": "a".repeat(64)}), &["v.driver"])]
    #[case(csi, json!({"driver": "a_b"}), &["v.driver"])]
    #[case(csi, json!({}), &["v.driver"])]
    #[case(csi, json!({"driver": "a", "nodePublishSecretRef": {"name": "b"}}), &[])]
    #[case(csi, json!({"driver": "a", "nodePublishSecretRef": {}}), &["v.nodePublishSecretRef.name"])]
    #[case(csi, json!({"driver": "a", "nodePublishSecretRef": {"name": "B"}}), &["v.nodePublishSecretRef.name"])]
    #[case(flex_volume, json!({"driver": "a", "options": {"b": "c", "notkubernetes.io/a": "c"}}), &[])]
    #[case(flex_volume, json!({}), &["v.driver"])]
    #[case(flex_volume, json!({"driver": "a", "options": {"Kubernetes.io/b": "c"}}), &["v.options[Kubernetes.io/b]"])]
    #[case(flex_volume, json!({"driver": "a", "options": {"x.k8s.io": "c"}}), &["v.options[x.k8s.io]"])]
    fn sources(#[case] check: Check, #[case] source: Value, #[case] paths: &[&str]) {
        assert_eq!(found(|report, path| check(report, path, &source), "v"), paths, "{source}");
    }
}
