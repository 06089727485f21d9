//! The labels and names of nodes that a pod needs or prefers.

use serde_json::Value;
use sojourn_crds::dns;

use super::super::labels::{check_key, check_value};
use super::super::read::{is_set, list, text, texts};
use super::{CODE, PREFERRED, REQUIRED, Report, check_weight};
use crate::finding::{FieldPath, seen};
use crate::settings::KubernetesVersion;

const OPERATORS: [&str; 6] = ["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"];
/// Since here the values of what a pod needs must be values of labels (kubernetes/kubernetes#128212); before, and in
/// what it prefers, they merely match nothing.
const STRICT_VALUES: KubernetesVersion = KubernetesVersion { major: 1, minor: 33 };

pub(super) fn check(report: &mut Report<'_>, path: &FieldPath, affinity: &Value) {
    if is_set(affinity, REQUIRED) {
        let path = path.child(REQUIRED).child("nodeSelectorTerms");
        let terms = list(&affinity[REQUIRED], "nodeSelectorTerms");
        let strict = report.kubernetes >= STRICT_VALUES;
        if terms.is_empty() {
            report.required(CODE, path.clone(), "an affinity that is needed has at least one term");
        }
        for (index, term) in terms.iter().enumerate() {
            check_term(report, &path.index(index), term, strict);
        }
    }
    for (index, preference) in list(affinity, PREFERRED).iter().enumerate() {
        let path = path.child(PREFERRED).index(index);
        check_weight(report, &path, preference);
        check_term(report, &path.child("preference"), &preference["preference"], false);
    }
}

fn check_term(report: &mut Report<'_>, path: &FieldPath, term: &Value, strict: bool) {
    for (index, requirement) in list(term, "matchExpressions").iter().enumerate() {
        check_labels(report, &path.child("matchExpressions").index(index), requirement, strict);
    }
    for (index, requirement) in list(term, "matchFields").iter().enumerate() {
        check_field(report, &path.child("matchFields").index(index), requirement);
    }
}

fn check_labels(report: &mut Report<'_>, path: &FieldPath, requirement: &Value, strict: bool) {
    let operator = text(requirement, "operator");
    let count = list(requirement, "values").len();
    let fits = match operator {
        "In" | "NotIn" => (count > 0, "at least one value"),
        "Exists" | "DoesNotExist" => (count == 0, "no values"),
        "Gt" | "Lt" => (count == 1, "exactly one value"),
        _ => {
            report.unsupported(CODE, path.child("operator"), operator, &OPERATORS);
            (true, "")
        }
    };
    if let (false, takes) = fits {
        report.add(
            CODE,
            path.child("values"),
            format!("the operator {operator} takes {takes}, not {count}"),
            "change the values, or the operator",
        );
    }
    check_key(report, CODE, || path.child("key"), text(requirement, "key"));
    for (index, value) in texts(requirement, "values").filter(|_| strict) {
        check_value(report, CODE, || path.child("values").index(index), value);
    }
}

fn check_field(report: &mut Report<'_>, path: &FieldPath, requirement: &Value) {
    let (operator, key) = (text(requirement, "operator"), text(requirement, "key"));
    let count = list(requirement, "values").len();
    if !matches!(operator, "In" | "NotIn") {
        report.unsupported(CODE, path.child("operator"), operator, &["In", "NotIn"]);
    } else if count != 1 {
        report.add(
            CODE,
            path.child("values"),
            format!("a field is compared with exactly one value, not {count}"),
            "give one value, and one term for each node",
        );
    }
    if key != "metadata.name" {
        report.unsupported(CODE, path.child("key"), key, &["metadata.name"]);
        return;
    }
    for (index, value) in texts(requirement, "values").filter(|(_, value)| !dns::is_subdomain(value)) {
        report.add(
            CODE,
            path.child("values").index(index),
            format!("{} cannot be the name of a node", seen(value)),
            "use a DNS name in lower case",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::pod::testing::{found, found_in};
    use rstest::rstest;
    use serde_json::json;

    fn needs(term: Value) -> Value {
        json!({REQUIRED: {"nodeSelectorTerms": [term]}})
    }

    #[rstest]
    #[case(json!({}), &[])]
    #[case(json!({"matchExpressions": [{"key": "a", "operator": "In", "values": ["b", ""]}]}), &[])]
    #[case(json!({"matchExpressions": [{"key": "a", "operator": "In", "values": []}]}), &["matchExpressions[0].values"])]
    #[case(json!({"matchExpressions": [{"key": "a", "operator": "NotIn"}]}), &["matchExpressions[0].values"])]
    #[case(json!({"matchExpressions": [{"key": "a", "operator": "Exists"}]}), &[])]
    #[case(json!({"matchExpressions": [{"key": "a", "operator": "DoesNotExist", "values": ["b"]}]}), &["matchExpressions[0].values"])]
    #[case(json!({"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}), &[])]
    #[case(json!({"matchExpressions": [{"key": "a", "operator": "Lt", "values": ["1", "2"]}]}), &["matchExpressions[0].values"])]
    #[case(json!({"matchExpressions": [{"key": "a", "operator": "Equal", "values": ["1"]}]}), &["matchExpressions[0].operator"])]
    #[case(json!({"matchExpressions": [{"key": "a b", "operator": "Exists"}]}), &["matchExpressions[0].key"])]
    #[case(json!({"matchExpressions": [{"key": "a", "operator": "In", "values": ["b", "c d"]}]}), &["matchExpressions[0].values[1]"])]
    #[case(json!({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-1"]}]}), &[])]
    #[case(json!({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["a", "b"]}]}), &["matchFields[0].values"])]
    #[case(json!({"matchFields": [{"key": "metadata.name", "operator": "Exists"}]}), &["matchFields[0].operator"])]
    #[case(json!({"matchFields": [{"key": "metadata.uid", "operator": "In", "values": ["a"]}]}), &["matchFields[0].key"])]
    #[case(json!({"matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": ["A"]}]}), &["matchFields[0].values[0]"])]
    fn terms(#[case] term: Value, #[case] fields: &[&str]) {
        let paths: Vec<_> =
            fields.iter().map(|field| format!("n.{REQUIRED}.nodeSelectorTerms[0].{field}")).collect();
        let affinity = needs(term);
        assert_eq!(found(|report, path| check(report, path, &affinity), "n"), paths);
    }

    #[rstest]
    #[case(json!({}), &[])]
    #[case(json!({REQUIRED: null}), &[])]
    #[case(json!({REQUIRED: {"nodeSelectorTerms": []}}), &["n.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"])]
    #[case(json!({PREFERRED: []}), &[])]
    #[case(json!({PREFERRED: [{"weight": 1, "preference": {}}, {"weight": 100, "preference": {}}]}), &[])]
    #[case(json!({PREFERRED: [{"weight": 0, "preference": {}}]}), &["n.preferredDuringSchedulingIgnoredDuringExecution[0].weight"])]
    #[case(json!({PREFERRED: [{"weight": 101, "preference": {}}]}), &["n.preferredDuringSchedulingIgnoredDuringExecution[0].weight"])]
    #[case(json!({PREFERRED: [{"weight": 1, "preference": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["c d"]}]}}]}), &[])]
    fn affinities(#[case] affinity: Value, #[case] paths: &[&str]) {
        assert_eq!(found(|report, path| check(report, path, &affinity), "n"), paths);
    }

    #[rstest]
    #[case(32, 0)]
    #[case(33, 1)]
    fn values_are_judged_since(#[case] minor: u16, #[case] count: usize) {
        let affinity =
            needs(json!({"matchExpressions": [{"key": "a", "operator": "In", "values": ["c d"]}]}));
        assert_eq!(found_in(minor, |report, path| check(report, path, &affinity), "n").len(), count);
    }
}
