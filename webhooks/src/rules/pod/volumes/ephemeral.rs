//! Volumes with a claim of their own, which comes and goes with the pod.

use serde_json::Value;

use super::super::read::{entries, is_set, text};
use super::super::{annotations, labels};
use super::{CODE, Report};
use crate::finding::FieldPath;
use crate::rules::pod::claim;

pub(super) fn check(report: &mut Report<'_>, path: &FieldPath, source: &Value) {
    let path = path.child("volumeClaimTemplate");
    let template = &source["volumeClaimTemplate"];
    if template.is_null() {
        report.required(CODE, path, "the claim is made of it");
        return;
    }
    check_metadata(report, &path.child("metadata"), &template["metadata"]);
    claim::check_template(report, CODE, &path.child("spec"), &template["spec"]);
}

fn check_metadata(report: &mut Report<'_>, path: &FieldPath, metadata: &Value) {
    labels::check(report, CODE, &path.child("labels"), entries(metadata, "labels"));
    let all = || entries(metadata, "annotations");
    annotations::check_keys(report, CODE, &path.child("annotations"), all().map(|(key, _)| key));
    let bytes = all().map(|(key, value)| key.len() + value.len()).sum();
    annotations::check_size(report, CODE, &path.child("annotations"), bytes);
    // Kubernetes takes nothing but labels and annotations, and counts an empty list as something.
    let names = ["name", "namespace"].into_iter().filter(|field| !text(metadata, field).is_empty());
    let fields = names.chain(is_set(metadata, "finalizers").then_some("finalizers"));
    for field in fields {
        report.add(
            CODE,
            path.child(field),
            format!("the claim of a pod cannot be given its {field}"),
            "leave it out; only labels and annotations are possible",
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
    #[case(json!(null), &[])]
    #[case(json!({"labels": {"a": "b"}, "annotations": {"A.b/c": "any text"}}), &[])]
    #[case(json!({"name": "", "namespace": ""}), &[])]
    #[case(json!({"name": "a"}), &["e.volumeClaimTemplate.metadata.name"])]
    #[case(json!({"namespace": "a", "finalizers": []}), &["e.volumeClaimTemplate.metadata.namespace", "e.volumeClaimTemplate.metadata.finalizers"])]
    #[case(json!({"labels": {"a": "b c"}}), &["e.volumeClaimTemplate.metadata.labels[a]"])]
    #[case(json!({"annotations": {"a b": "c"}}), &["e.volumeClaimTemplate.metadata.annotations[a b]"])]
    fn metadata_of_claims(#[case] metadata: Value, #[case] paths: &[&str]) {
        let spec = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
        let source = json!({"volumeClaimTemplate": {"metadata": metadata, "spec": spec}});
        assert_eq!(found(|report, path| check(report, path, &source), "e"), paths);
    }

    #[test]
    fn a_template_is_needed_and_judged() {
        assert_eq!(found(|report, path| check(report, path, &json!({})), "e"), ["e.volumeClaimTemplate"]);
        let source = json!({"volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"]}}});
        assert_eq!(
            found(|report, path| check(report, path, &source), "e"),
            ["e.volumeClaimTemplate.spec.resources.requests.storage"]
        );
    }
}
