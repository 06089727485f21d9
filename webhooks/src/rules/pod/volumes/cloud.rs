//! Volumes of disks and shares of clouds and storage systems.

use serde_json::Value;
use sojourn_crds::dns;

use super::super::read::{integer, is_set, text, text_if_set};
use super::{CODE, Report, check_needed};
use crate::finding::{FieldPath, seen};

pub(super) fn aws(report: &mut Report<'_>, path: &FieldPath, source: &Value) {
    check_needed(report, path, source, &["volumeID"]);
    check_partition(report, path, source);
}

pub(super) fn gce(report: &mut Report<'_>, path: &FieldPath, source: &Value) {
    check_needed(report, path, source, &["pdName"]);
    check_partition(report, path, source);
}

fn check_partition(report: &mut Report<'_>, path: &FieldPath, source: &Value) {
    if let Some(partition) = integer(source, "partition").filter(|number| !(0..=255).contains(number)) {
        report.add(
            CODE,
            path.child("partition"),
            format!("{partition} is not from 0 to 255"),
            "leave it out for the whole disk",
        );
    }
}

pub(super) fn azure_disk(report: &mut Report<'_>, path: &FieldPath, source: &Value) {
    check_needed(report, path, source, &["diskName", "diskURI"]);
    let caching = text_if_set(source, "cachingMode").unwrap_or("ReadWrite");
    if !matches!(caching, "None" | "ReadOnly" | "ReadWrite") {
        report.unsupported(CODE, path.child("cachingMode"), caching, &["None", "ReadOnly", "ReadWrite"]);
    }
    // Kubernetes fills this in before it judges.
    let kind = text_if_set(source, "kind").unwrap_or("Shared");
    if !matches!(kind, "Shared" | "Dedicated" | "Managed") {
        report.unsupported(CODE, path.child("kind"), kind, &["Shared", "Dedicated", "Managed"]);
    }
    let uri = text(source, "diskURI");
    let start = if kind == "Managed" { "/subscriptions/" } else { "https://" };
    if !uri.is_empty() && !uri.starts_with(start) {
        report.add(
            CODE,
            path.child("diskURI"),
            format!(
                "{} does not begin with {start}, as that of a disk of the kind {} does",
                seen(uri),
                seen(kind)
            ),
            "use the kind Managed with /subscriptions/…, another one with https://…",
        );
    }
}

pub(super) fn azure_file(report: &mut Report<'_>, path: &FieldPath, source: &Value) {
    check_needed(report, path, source, &["secretName", "shareName"]);
}

pub(super) fn cinder(report: &mut Report<'_>, path: &FieldPath, source: &Value) {
    check_needed(report, path, source, &["volumeID"]);
    check_secret(report, path, source);
}

pub(super) fn vsphere(report: &mut Report<'_>, path: &FieldPath, source: &Value) {
    check_needed(report, path, source, &["volumePath"]);
}

pub(super) fn photon(report: &mut Report<'_>, path: &FieldPath, source: &Value) {
    check_needed(report, path, source, &["pdID"]);
}

pub(super) fn portworx(report: &mut Report<'_>, path: &FieldPath, source: &Value) {
    check_needed(report, path, source, &["volumeID"]);
}

pub(super) fn scale_io(report: &mut Report<'_>, path: &FieldPath, source: &Value) {
    check_needed(report, path, source, &["gateway", "system", "volumeName"]);
}

pub(super) fn storage_os(report: &mut Report<'_>, path: &FieldPath, source: &Value) {
    check_needed(report, path, source, &["volumeName"]);
    for field in ["volumeName", "volumeNamespace"] {
        let name = text(source, field);
        if !name.is_empty() && !dns::is_label(name) {
            report.add(
                CODE,
                path.child(field),
                format!("{} is not a DNS label", seen(name)),
                "use at most 63 of a-z, 0-9 and '-', no '-' at the ends",
            );
        }
    }
    check_secret(report, path, source);
}

fn check_secret(report: &mut Report<'_>, path: &FieldPath, source: &Value) {
    if is_set(source, "secretRef") && text(&source["secretRef"], "name").is_empty() {
        let path = path.child("secretRef").child("name");
        report.required(CODE, path, "the reference names no secret");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::pod::testing::found;
    use crate::rules::pod::volumes::Check;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case(aws, json!({"volumeID": "a", "partition": 255}), &[])]
    #[case(aws, json!({"partition": 256}), &["v.volumeID", "v.partition"])]
    #[case(gce, json!({"pdName": "a", "partition": 0}), &[])]
    #[case(gce, json!({"pdName": "a", "partition": -1}), &["v.partition"])]
    #[case(azure_disk, json!({"diskName": "a", "diskURI": "https://b"}), &[])]
    #[case(azure_disk, json!({"diskName": "a", "diskURI": "/subscriptions/b", "kind": "Managed", "cachingMode": "None"}), &[])]
    #[case(azure_disk, json!({}), &["v.diskName", "v.diskURI"])]
    #[case(azure_disk, json!({"diskName": "a", "diskURI": "/subscriptions/b"}), &["v.diskURI"])]
    #[case(azure_disk, json!({"diskName": "a", "diskURI": "https://b", "kind": "Managed"}), &["v.diskURI"])]
    #[case(azure_disk, json!({"diskName": "a", "diskURI": "https://b", "kind": "Odd"}), &["v.kind"])]
    #[case(azure_disk, json!({"diskName": "a", "diskURI": "https://b", "cachingMode": ""}), &["v.cachingMode"])]
    #[case(azure_file, json!({"secretName": "a", "shareName": "b"}), &[])]
    #[case(azure_file, json!({}), &["v.secretName", "v.shareName"])]
    #[case(cinder, json!({"volumeID": "a"}), &[])]
    #[case(cinder, json!({"volumeID": "a", "secretRef": {}}), &["v.secretRef.name"])]
    #[case(vsphere, json!({"volumePath": "a"}), &[])]
    #[case(vsphere, json!({}), &["v.volumePath"])]
    #[case(photon, json!({"pdID": "a"}), &[])]
    #[case(photon, json!({}), &["v.pdID"])]
    #[case(portworx, json!({"volumeID": "a"}), &[])]
    #[case(portworx, json!({}), &["v.volumeID"])]
    #[case(scale_io, json!({"gateway": "a", "system": "b", "volumeName": "c"}), &[])]
    // The secret it is said to need is not asked for.
    #[case(scale_io, json!({"gateway": "a", "system": "b"}), &["v.volumeName"])]
    #[case(storage_os, json!({"volumeName": "a", "volumeNamespace": "b", "secretRef": {"name": "C"}}), &[])]
    #[case(storage_os, json!({}), &["v.volumeName"])]
    #[case(storage_os, json!({"volumeName": "A", "volumeNamespace": "b.c", "secretRef": {"name": ""}}), &["v.volumeName", "v.volumeNamespace", "v.secretRef.name"])]
    fn sources(#[case] check: Check, #[case] source: Value, #[case] paths: &[&str]) {
        assert_eq!(found(|report, path| check(report, path, &source), "v"), paths, "{source}");
    }
}
