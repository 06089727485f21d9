//! Claims of volumes: those of their own, and those that a pod brings along.

use serde_json::Value;
use sojourn_crds::dns;

use super::amount;
use super::labels::check_selector;
use super::read::{is_set, list, text, text_if_set};
use super::{Report, quantity, references};
use crate::finding::{Code, FieldPath, seen};
use crate::settings::KubernetesVersion;

const MODES: [&str; 4] = ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", ONE_POD];
/// The mode that goes with no other.
const ONE_POD: &str = "ReadWriteOncePod";
/// Before, an API server drops the class of attributes unread, unless the gate `VolumeAttributesClass` is on.
const ATTRIBUTES: KubernetesVersion = KubernetesVersion { major: 1, minor: 34 };

/// Says what is wrong with the access modes at `path`.
pub(crate) fn check_modes(report: &mut Report<'_>, code: Code, path: &FieldPath, modes: &[&str]) {
    if modes.is_empty() {
        report.required(code, path.clone(), "a claim needs an access mode, such as ReadWriteOnce");
    }
    for mode in modes.iter().filter(|mode| !MODES.contains(mode)) {
        report.unsupported(code, path.clone(), mode, &MODES);
    }
    if modes.contains(&ONE_POD) && modes.iter().any(|mode| *mode != ONE_POD && MODES.contains(mode)) {
        report.add(
            code,
            path.clone(),
            format!("{ONE_POD} does not go with other access modes"),
            "leave the other ones out",
        );
    }
}

/// Says what is wrong with a claim that a pod brings along.
pub(super) fn check_template(report: &mut Report<'_>, code: Code, path: &FieldPath, spec: &Value) {
    let modes: Vec<_> =
        list(spec, "accessModes").iter().map(|mode| mode.as_str().unwrap_or_default()).collect();
    check_modes(report, code, &path.child("accessModes"), &modes);
    let size = &spec["resources"]["requests"]["storage"];
    let at = || path.child("resources").child("requests").child("storage");
    let resources = &spec["resources"];
    for field in ["requests", "limits"] {
        let path = path.child("resources").child(field);
        for (name, amount) in resources[field].as_object().into_iter().flatten() {
            quantity::check(report, code, || path.child(name), amount);
        }
    }
    if size.is_null() {
        report.required(code, at(), "a claim needs a size");
    } else if size.as_str().is_none_or(quantity::is_readable) && !amount::is_positive(size) {
        let message = format!("{} is not a size above zero", seen(&amount::shown(size)));
        report.add(code, at(), message, "write for example 1Gi");
    }
    check_class_and_mode(report, code, path, spec);
    check_sources(report, code, path, spec);
}

/// Says what is wrong with a claim of its own, except for modes and size, which are judged where it is written.
pub(crate) fn check_rest(report: &mut Report<'_>, code: Code, path: &FieldPath, spec: &Value) {
    check_class_and_mode(report, code, path, spec);
    // An API server drops sources that it does not serve, before it judges the rest.
    let (source, reference) = (&spec["dataSource"], &spec["dataSourceRef"]);
    let across = !text(reference, "namespace").is_empty();
    match (is_set(spec, "dataSource"), is_set(spec, "dataSourceRef") && !across) {
        (true, false) if is_claim(source) || is_snapshot(source) => {
            check_source(report, code, &path.child("dataSource"), source);
        }
        (false, true) => check_source(report, code, &path.child("dataSourceRef"), reference),
        (true, true) => check_sources(report, code, path, spec),
        _ => {}
    }
}

fn check_class_and_mode(report: &mut Report<'_>, code: Code, path: &FieldPath, spec: &Value) {
    check_selector(report, code, &path.child("selector"), &spec["selector"]);
    let class = text(spec, "storageClassName");
    if !class.is_empty() {
        references::check(report, code, path.child("storageClassName"), class, "a StorageClass");
    }
    let attributes = text(spec, "volumeAttributesClassName");
    if !attributes.is_empty() && report.kubernetes >= ATTRIBUTES {
        let path = path.child("volumeAttributesClassName");
        references::check(report, code, path, attributes, "a VolumeAttributesClass");
    }
    if let Some(mode) =
        text_if_set(spec, "volumeMode").filter(|mode| !matches!(*mode, "Block" | "Filesystem"))
    {
        report.unsupported(code, path.child("volumeMode"), mode, &["Filesystem", "Block"]);
    }
}

/// What a volume is filled from. The two fields say the same, unless the second one looks into another namespace.
fn check_sources(report: &mut Report<'_>, code: Code, path: &FieldPath, spec: &Value) {
    for field in ["dataSource", "dataSourceRef"].into_iter().filter(|field| is_set(spec, field)) {
        check_source(report, code, &path.child(field), &spec[field]);
    }
    if !is_set(spec, "dataSourceRef") {
        return;
    }
    let (source, reference) = (&spec["dataSource"], &spec["dataSourceRef"]);
    let namespace = text(reference, "namespace");
    if !namespace.is_empty() && !dns::is_label(namespace) {
        report.add(
            code,
            path.child("dataSourceRef").child("namespace"),
            format!("{} cannot be the name of a namespace", seen(namespace)),
            "use at most 63 of a-z, 0-9 and '-', no '-' at the ends",
        );
    }
    if source.is_null() {
        return;
    }
    let same = |field: &str| text(source, field) == text(reference, field);
    let groups = (text_if_set(source, "apiGroup"), text_if_set(reference, "apiGroup"));
    let problem = if !namespace.is_empty() {
        "does not go with a dataSourceRef in another namespace"
    } else if groups.0 != groups.1 || !same("kind") || !same("name") {
        "is not what dataSourceRef says"
    } else {
        return;
    };
    report.add(code, path.child("dataSource"), problem, "leave dataSource out; dataSourceRef says it too");
}

fn check_source(report: &mut Report<'_>, code: Code, path: &FieldPath, source: &Value) {
    for field in ["kind", "name"].into_iter().filter(|field| text(source, field).is_empty()) {
        report.required(code, path.child(field), "it says what the volume is filled from");
    }
    let (group, kind) = (text(source, "apiGroup"), text(source, "kind"));
    if group.is_empty() && kind != "PersistentVolumeClaim" {
        report.add(
            code,
            path.clone(),
            format!("{} without an apiGroup is nothing that a volume can be filled from", seen(kind)),
            "name the apiGroup, or use PersistentVolumeClaim",
        );
    } else if !group.is_empty() && !dns::is_subdomain(group) {
        let message = format!("{} cannot be an API group", seen(group));
        report.add(code, path.child("apiGroup"), message, "write it like snapshot.storage.k8s.io");
    }
}

fn is_claim(source: &Value) -> bool {
    text(source, "apiGroup").is_empty() && text(source, "kind") == "PersistentVolumeClaim"
}

fn is_snapshot(source: &Value) -> bool {
    text(source, "apiGroup") == "snapshot.storage.k8s.io" && text(source, "kind") == "VolumeSnapshot"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::pod::testing::{found, found_in};
    use rstest::rstest;
    use serde_json::json;

    const CODE: Code = Code::ClaimInvalid;

    #[rstest]
    #[case(&["ReadWriteOnce"], 0)]
    #[case(&["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany"], 0)]
    #[case(&["ReadWriteOncePod"], 0)]
    #[case(&["ReadWriteOncePod", "ReadWriteOncePod"], 0)]
    #[case(&["ReadWriteOncePod", "ReadOnlyMany"], 1)]
    #[case(&[], 1)]
    #[case(&["readonly"], 1)]
    #[case(&["ReadWriteOncePod", "readonly"], 1)]
    fn access_modes(#[case] modes: &[&str], #[case] count: usize) {
        assert_eq!(found(|report, path| check_modes(report, CODE, path, modes), "m").len(), count);
    }

    fn claim(more: Value) -> Value {
        let mut spec =
            json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
        for (field, value) in more.as_object().unwrap() {
            spec[field] = value.clone();
        }
        spec
    }

    const CLAIM: &str = "PersistentVolumeClaim";

    #[rstest]
    #[case(json!({}), &[])]
    #[case(json!({"accessModes": []}), &["c.accessModes"])]
    #[case(json!({"resources": {}}), &["c.resources.requests.storage"])]
    #[case(json!({"resources": {"requests": {"storage": 0}}}), &["c.resources.requests.storage"])]
    #[case(json!({"resources": {"requests": {"storage": "1n"}}}), &[])]
    #[case(json!({"resources": {"requests": {"storage": "1gb"}}}), &["c.resources.requests.storage"])]
    #[case(json!({"resources": {"requests": {"storage": "1Gi"}, "limits": {"storage": "2 Gi"}}}), &["c.resources.limits.storage"])]
    #[case(json!({"storageClassName": ""}), &[])]
    #[case(json!({"storageClassName": "A"}), &["c.storageClassName"])]
    #[case(json!({"volumeAttributesClassName": "A"}), &["c.volumeAttributesClassName"])]
    #[case(json!({"volumeMode": "Block"}), &[])]
    #[case(json!({"volumeMode": ""}), &["c.volumeMode"])]
    #[case(json!({"selector": {"matchLabels": {"a": "b c"}}}), &["c.selector.matchLabels[a]"])]
    #[case(json!({"dataSource": {"kind": CLAIM, "name": "a"}}), &[])]
    #[case(json!({"dataSource": {"kind": "VolumeSnapshot", "name": "a"}}), &["c.dataSource"])]
    #[case(json!({"dataSource": {"kind": "VolumeSnapshot", "apiGroup": "snapshot.storage.k8s.io", "name": "a"}}), &[])]
    #[case(json!({"dataSource": {"kind": CLAIM, "name": ""}}), &["c.dataSource.name"])]
    #[case(json!({"dataSourceRef": {"kind": "Odd", "apiGroup": "A", "name": "a"}}), &["c.dataSourceRef.apiGroup"])]
    #[case(json!({"dataSource": {"kind": CLAIM, "name": "a"}, "dataSourceRef": {"kind": CLAIM, "name": "a"}}), &[])]
    #[case(json!({"dataSource": {"kind": CLAIM, "name": "a"}, "dataSourceRef": {"kind": CLAIM, "name": "b"}}), &["c.dataSource"])]
    #[case(json!({"dataSourceRef": {"kind": CLAIM, "name": "b", "namespace": "c"}}), &[])]
    #[case(json!({"dataSourceRef": {"kind": CLAIM, "name": "b", "namespace": "C"}}), &["c.dataSourceRef.namespace"])]
    #[case(json!({"dataSource": {"kind": CLAIM, "name": "b"}, "dataSourceRef": {"kind": CLAIM, "name": "b", "namespace": "c"}}), &["c.dataSource"])]
    fn templates(#[case] more: Value, #[case] paths: &[&str]) {
        let spec = claim(more);
        assert_eq!(found(|report, path| check_template(report, CODE, path, &spec), "c"), paths);
    }

    #[rstest]
    #[case(json!({"storageClassName": "A"}), 1)]
    #[case(json!({"accessModes": []}), 0)]
    // Sources that are dropped are not judged.
    #[case(json!({"dataSource": {"kind": "Odd", "name": ""}}), 0)]
    #[case(json!({"dataSource": {"kind": CLAIM, "name": ""}}), 1)]
    #[case(json!({"dataSourceRef": {"kind": "Odd", "name": "a"}}), 1)]
    #[case(json!({"dataSourceRef": {"kind": "Odd", "name": "a", "namespace": "B"}}), 0)]
    #[case(json!({"dataSource": {"kind": CLAIM, "name": "a"}, "dataSourceRef": {"kind": CLAIM, "name": "b"}}), 1)]
    fn the_rest(#[case] more: Value, #[case] count: usize) {
        let spec = claim(more);
        assert_eq!(found(|report, path| check_rest(report, CODE, path, &spec), "c").len(), count);
    }

    #[rstest]
    #[case(33, 0)]
    #[case(34, 1)]
    fn attributes_are_judged_since(#[case] minor: u16, #[case] count: usize) {
        let spec = claim(json!({"volumeAttributesClassName": "A"}));
        assert_eq!(
            found_in(minor, |report, path| check_template(report, CODE, path, &spec), "c").len(),
            count
        );
    }
}
