//! How pods are spread over places.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Report;
use super::labels::{check_keys_not_twice, check_pod_keys, check_selector, selector_keys};
use super::read::{integer, is_set, list, text, texts};
use crate::finding::{Code, FieldPath, seen};
use crate::settings::KubernetesVersion;

const CODE: Code = Code::SelectorInvalid;
/// Since here a pod's selector is told from what `matchLabelKeys` adds to it, so that one mention passes in a template
/// (gate `MatchLabelKeysInPodTopologySpreadSelectorMerge`); before, every mention is refused.
const KEYS_ARE_MERGED: KubernetesVersion = KubernetesVersion { major: 1, minor: 34 };

/// Says what is wrong with the constraints at `path`.
pub(crate) fn check(report: &mut Report<'_>, path: &FieldPath, constraints: &[Value]) {
    let mut had: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (index, constraint) in constraints.iter().enumerate() {
        let path = path.index(index);
        check_one(report, &path, constraint);
        let (key, when) = (text(constraint, "topologyKey"), text(constraint, "whenUnsatisfiable"));
        if let Some(first) = had.insert((key, when), index) {
            report.add(
                CODE,
                path,
                format!("{} and {} are those of constraint {first}", seen(key), seen(when)),
                "join the two, or change topologyKey or whenUnsatisfiable",
            );
        }
    }
}

fn check_one(report: &mut Report<'_>, path: &FieldPath, constraint: &Value) {
    let when = text(constraint, "whenUnsatisfiable");
    let skew = integer(constraint, "maxSkew").unwrap_or_default();
    if skew < 1 {
        report.add(CODE, path.child("maxSkew"), format!("{skew} is not above zero"), "use 1 or more");
    }
    if text(constraint, "topologyKey").is_empty() {
        report.required(CODE, path.child("topologyKey"), "it says what counts as one place");
    }
    if !matches!(when, "DoNotSchedule" | "ScheduleAnyway") {
        report.unsupported(CODE, path.child("whenUnsatisfiable"), when, &["DoNotSchedule", "ScheduleAnyway"]);
    }
    if let Some(least) = integer(constraint, "minDomains") {
        if least < 1 {
            report.add(CODE, path.child("minDomains"), format!("{least} is not above zero"), "use 1 or more");
        }
        if when != "DoNotSchedule" {
            report.add(
                CODE,
                path.child("minDomains"),
                format!("minDomains does not go with whenUnsatisfiable {}", seen(when)),
                "use DoNotSchedule, or leave minDomains out",
            );
        }
    }
    for field in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
        let policy = text(constraint, field);
        if is_set(constraint, field) && !matches!(policy, "Honor" | "Ignore") {
            report.unsupported(CODE, path.child(field), policy, &["Honor", "Ignore"]);
        }
    }
    check_pod_keys(report, CODE, path, constraint, "matchLabelKeys");
    if report.kubernetes >= KEYS_ARE_MERGED {
        check_keys_not_twice(report, CODE, path, constraint);
    } else {
        check_keys_not_there(report, path, constraint);
    }
    check_selector(report, CODE, &path.child("labelSelector"), &constraint["labelSelector"]);
}

fn check_keys_not_there(report: &mut Report<'_>, path: &FieldPath, constraint: &Value) {
    if list(constraint, "matchLabelKeys").is_empty() {
        return;
    }
    let there: std::collections::BTreeSet<_> = selector_keys(&constraint["labelSelector"]).collect();
    for (index, key) in texts(constraint, "matchLabelKeys").filter(|(_, key)| there.contains(key)) {
        report.add(
            CODE,
            path.child("matchLabelKeys").index(index),
            format!("{} is in labelSelector too", seen(key)),
            "leave it out of one of the two",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::pod::testing::{found, found_in};
    use rstest::rstest;
    use serde_json::json;

    fn with(more: Value) -> Value {
        let mut constraint =
            json!({"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"});
        for (field, value) in more.as_object().unwrap() {
            constraint[field] = value.clone();
        }
        constraint
    }

    #[rstest]
    #[case(json!({}), &[])]
    // Only an empty key is refused; the key of a label it need not be.
    #[case(json!({"topologyKey": "a b"}), &[])]
    #[case(json!({"topologyKey": ""}), &["topologyKey"])]
    #[case(json!({"maxSkew": 0}), &["maxSkew"])]
    #[case(json!({"maxSkew": null}), &["maxSkew"])]
    #[case(json!({"whenUnsatisfiable": "ScheduleAnyway"}), &[])]
    #[case(json!({"whenUnsatisfiable": "Never"}), &["whenUnsatisfiable"])]
    #[case(json!({"minDomains": 1}), &[])]
    #[case(json!({"minDomains": 0}), &["minDomains"])]
    #[case(json!({"minDomains": 1, "whenUnsatisfiable": "ScheduleAnyway"}), &["minDomains"])]
    #[case(json!({"nodeAffinityPolicy": "Honor", "nodeTaintsPolicy": "Ignore"}), &[])]
    #[case(json!({"nodeAffinityPolicy": ""}), &["nodeAffinityPolicy"])]
    #[case(json!({"nodeTaintsPolicy": "Always"}), &["nodeTaintsPolicy"])]
    #[case(json!({"matchLabelKeys": ["a"]}), &["matchLabelKeys"])]
    #[case(json!({"matchLabelKeys": ["a"], "labelSelector": {}}), &[])]
    #[case(json!({"matchLabelKeys": ["a b"], "labelSelector": {}}), &["matchLabelKeys[0]"])]
    #[case(json!({"labelSelector": {"matchLabels": {"a": "b c"}}}), &["labelSelector.matchLabels[a]"])]
    fn constraints(#[case] more: Value, #[case] fields: &[&str]) {
        let paths: Vec<_> = fields.iter().map(|field| format!("c[0].{field}")).collect();
        assert_eq!(found(|report, path| check(report, path, &[with(more)]), "c"), paths);
    }

    #[test]
    fn a_constraint_is_there_once() {
        let all = [
            with(json!({})),
            with(json!({"whenUnsatisfiable": "ScheduleAnyway"})),
            with(json!({"maxSkew": 2})),
        ];
        assert_eq!(found(|report, path| check(report, path, &all), "c"), ["c[2]"]);
    }

    #[rstest]
    #[case(33, json!({"matchLabels": {"a": "b"}}), 1)]
    #[case(34, json!({"matchLabels": {"a": "b"}}), 0)]
    #[case(33, json!({"matchExpressions": [{"key": "a", "operator": "Exists"}]}), 1)]
    #[case(34, json!({"matchExpressions": [{"key": "a", "operator": "Exists"}, {"key": "a", "operator": "Exists"}]}), 1)]
    fn keys_in_the_selector(#[case] minor: u16, #[case] selector: Value, #[case] count: usize) {
        let all = [with(json!({"matchLabelKeys": ["a"], "labelSelector": selector}))];
        assert_eq!(found_in(minor, |report, path| check(report, path, &all), "c").len(), count);
    }
}
