//! Labels, and selectors of labels.

use serde_json::Value;

use super::Report;
use super::read::{entries, is_set, list, text, texts};
use crate::finding::{Code, FieldPath, seen};
use crate::rules::metadata::{is_name, is_qualified_name};

const KEY_HINT: &str =
    "write [prefix/]name, the prefix a DNS name, the name at most 63 letters, digits, '-', '_' and '.'";
const VALUE_HINT: &str =
    "use at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends, or nothing";

/// Whether `value` can be the value of a label.
pub(super) fn is_value(value: &str) -> bool {
    value.is_empty() || is_name(value)
}

/// Says when `key` cannot be the key of a label.
pub(super) fn check_key(report: &mut Report<'_>, code: Code, path: impl FnOnce() -> FieldPath, key: &str) {
    if !is_qualified_name(key) {
        report.add(code, path(), format!("{} cannot be the key of a label", seen(key)), KEY_HINT);
    }
}

/// Says when `value` cannot be the value of a label.
pub(super) fn check_value(
    report: &mut Report<'_>,
    code: Code,
    path: impl FnOnce() -> FieldPath,
    value: &str,
) {
    if !is_value(value) {
        report.add(code, path(), format!("{} cannot be the value of a label", seen(value)), VALUE_HINT);
    }
}

/// Says which entries of a map of labels are none.
pub(super) fn check<'a>(
    report: &mut Report<'_>,
    code: Code,
    path: &FieldPath,
    labels: impl Iterator<Item = (&'a str, &'a str)>,
) {
    for (key, value) in labels {
        check_key(report, code, || path.key(key), key);
        check_value(report, code, || path.key(key), value);
    }
}

/// Says what is wrong with a selector of labels; one that is absent is none.
pub(super) fn check_selector(report: &mut Report<'_>, code: Code, path: &FieldPath, selector: &Value) {
    check(report, code, &path.child("matchLabels"), entries(selector, "matchLabels"));
    for (index, requirement) in list(selector, "matchExpressions").iter().enumerate() {
        let path = path.child("matchExpressions").index(index);
        let values = list(requirement, "values");
        match text(requirement, "operator") {
            operator @ ("In" | "NotIn") if values.is_empty() => {
                report.required(code, path.child("values"), &format!("the operator {operator} needs values"));
            }
            operator @ ("Exists" | "DoesNotExist") if !values.is_empty() => report.add(
                code,
                path.child("values"),
                format!("the operator {operator} takes no values"),
                "leave them out, or use In or NotIn",
            ),
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            operator => report.unsupported(
                code,
                path.child("operator"),
                operator,
                &["In", "NotIn", "Exists", "DoesNotExist"],
            ),
        }
        check_key(report, code, || path.child("key"), text(requirement, "key"));
        for (index, value) in texts(requirement, "values") {
            check_value(report, code, || path.child("values").index(index), value);
        }
    }
}

/// The keys that a selector speaks of, in the order of its fields.
pub(super) fn selector_keys(selector: &Value) -> impl Iterator<Item = &str> {
    let labels = entries(selector, "matchLabels").map(|(key, _)| key);
    labels.chain(list(selector, "matchExpressions").iter().map(|requirement| text(requirement, "key")))
}

/// Says when the keys in `field`, whose values are taken from the pod itself, do not go with the selector beside it.
pub(super) fn check_pod_keys(
    report: &mut Report<'_>,
    code: Code,
    path: &FieldPath,
    of: &Value,
    field: &'static str,
) {
    if list(of, field).is_empty() {
        return;
    }
    if !is_set(of, "labelSelector") {
        report.add(
            code,
            path.child(field),
            format!("{field} does nothing without a labelSelector"),
            "add a labelSelector, {} for all pods, or leave it out",
        );
        return;
    }
    for (index, key) in texts(of, field) {
        check_key(report, code, || path.child(field).index(index), key);
    }
}

/// Says which keys in `matchLabelKeys` the selector has twice.
///
/// Kubernetes adds a requirement for each of these keys to the selector of a pod, and afterwards takes a key that is in
/// `matchExpressions` after it was anywhere in the selector for one that the user wrote too.
pub(super) fn check_keys_not_twice(report: &mut Report<'_>, code: Code, path: &FieldPath, of: &Value) {
    let keys = list(of, "matchLabelKeys");
    if keys.is_empty() {
        return;
    }
    let selector = &of["labelSelector"];
    let mut had: std::collections::BTreeSet<_> =
        entries(selector, "matchLabels").map(|(key, _)| key).collect();
    for requirement in list(selector, "matchExpressions") {
        let key = text(requirement, "key");
        if !had.insert(key)
            && let Some(index) = keys.iter().rposition(|other| other == key)
        {
            report.add(
                code,
                path.child("matchLabelKeys").index(index),
                format!("{} is in labelSelector too", seen(key)),
                "leave it out of one of the two",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::pod::testing::found;
    use rstest::rstest;
    use serde_json::json;

    const CODE: Code = Code::SelectorInvalid;

    #[rstest]
    #[case(json!({}), &[])]
    #[case(json!(null), &[])]
    #[case(json!({"matchLabels": {"a": "b", "x.y/z": ""}}), &[])]
    #[case(json!({"matchLabels": {"a b": "b"}}), &["s.matchLabels[a b]"])]
    #[case(json!({"matchLabels": {"a": "-b"}}), &["s.matchLabels[a]"])]
    #[case(json!({"matchExpressions": [{"key": "a", "operator": "In", "values": ["x"]}]}), &[])]
    #[case(json!({"matchExpressions": [{"key": "a", "operator": "In", "values": []}]}), &["s.matchExpressions[0].values"])]
    #[case(json!({"matchExpressions": [{"key": "a", "operator": "NotIn"}]}), &["s.matchExpressions[0].values"])]
    #[case(json!({"matchExpressions": [{"key": "a", "operator": "Exists"}]}), &[])]
    #[case(json!({"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["x"]}]}), &["s.matchExpressions[0].values"])]
    #[case(json!({"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}), &["s.matchExpressions[0].operator"])]
    #[case(json!({"matchExpressions": [{"key": "", "operator": "Exists"}]}), &["s.matchExpressions[0].key"])]
    #[case(json!({"matchExpressions": [{"key": "a", "operator": "In", "values": ["", "x y"]}]}), &["s.matchExpressions[0].values[1]"])]
    fn selectors(#[case] selector: Value, #[case] paths: &[&str]) {
        assert_eq!(found(|report, path| check_selector(report, CODE, path, &selector), "s"), paths);
    }

    #[rstest]
    #[case("a", true)]
    #[case("a.b_c-D", true)]
    #[case(&"a".repeat(63), true)]
    #[case(&"a".repeat(64), false)]
    #[case("x.y/a", true)]
    #[case("X.y/a", false)]
    #[case("/a", false)]
    #[case("a/", false)]
    #[case("a/b/c", false)]
    #[case("", false)]
    fn keys(#[case] key: &str, #[case] valid: bool) {
        let paths = found(|report, path| check_key(report, CODE, || path.clone(), key), "k");
        assert_eq!(paths.is_empty(), valid, "{key}");
    }
}
