//! The pods beside which, or apart from which, a pod runs.

use serde_json::Value;
use sojourn_crds::dns;

use super::super::labels::{check_key, check_keys_not_twice, check_pod_keys, check_selector};
use super::super::read::{list, text, texts};
use super::{CODE, PREFERRED, REQUIRED, Report, check_weight};
use crate::finding::{FieldPath, seen};
use crate::settings::KubernetesVersion;

/// Before, an API server drops `matchLabelKeys` and `mismatchLabelKeys` unread, unless the gate
/// `MatchLabelKeysInPodAffinity` is on.
const LABEL_KEYS: KubernetesVersion = KubernetesVersion { major: 1, minor: 31 };

pub(super) fn check(report: &mut Report<'_>, path: &FieldPath, affinity: &Value) {
    for (index, term) in list(affinity, REQUIRED).iter().enumerate() {
        check_term(report, &path.child(REQUIRED).index(index), term);
    }
    for (index, preference) in list(affinity, PREFERRED).iter().enumerate() {
        let path = path.child(PREFERRED).index(index);
        check_weight(report, &path, preference);
        check_term(report, &path.child("podAffinityTerm"), &preference["podAffinityTerm"]);
    }
}

fn check_term(report: &mut Report<'_>, path: &FieldPath, term: &Value) {
    for field in ["labelSelector", "namespaceSelector"] {
        check_selector(report, CODE, &path.child(field), &term[field]);
    }
    for (index, name) in texts(term, "namespaces").filter(|(_, name)| !dns::is_label(name)) {
        report.add(
            CODE,
            path.child("namespaces").index(index),
            format!("{} cannot be the name of a namespace", seen(name)),
            "use at most 63 of a-z, 0-9 and '-', no '-' at the ends",
        );
    }
    if report.kubernetes >= LABEL_KEYS {
        check_label_keys(report, path, term);
    }
    match text(term, "topologyKey") {
        "" => report.required(CODE, path.child("topologyKey"), "it says what counts as one place"),
        key => check_key(report, CODE, || path.child("topologyKey"), key),
    }
}

fn check_label_keys(report: &mut Report<'_>, path: &FieldPath, term: &Value) {
    check_pod_keys(report, CODE, path, term, "matchLabelKeys");
    check_pod_keys(report, CODE, path, term, "mismatchLabelKeys");
    check_keys_not_twice(report, CODE, path, term);
    let mismatch = list(term, "mismatchLabelKeys");
    for (index, key) in
        texts(term, "matchLabelKeys").filter(|(_, key)| mismatch.iter().any(|other| other == key))
    {
        report.add(
            CODE,
            path.child("matchLabelKeys").index(index),
            format!("{} is in mismatchLabelKeys too", seen(key)),
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

    #[rstest]
    #[case(json!({"topologyKey": "kubernetes.io/hostname"}), &[])]
    #[case(json!({"topologyKey": "zone", "labelSelector": {}, "namespaceSelector": {}, "namespaces": ["a"]}), &[])]
    #[case(json!({"topologyKey": ""}), &["topologyKey"])]
    #[case(json!({}), &["topologyKey"])]
    #[case(json!({"topologyKey": "a b"}), &["topologyKey"])]
    #[case(json!({"topologyKey": "a", "namespaces": ["b", "a.b"]}), &["namespaces[1]"])]
    #[case(json!({"topologyKey": "a", "labelSelector": {"matchLabels": {"a": "b c"}}}), &["labelSelector.matchLabels[a]"])]
    #[case(json!({"topologyKey": "a", "namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}}), &["namespaceSelector.matchExpressions[0].values"])]
    #[case(json!({"topologyKey": "a", "matchLabelKeys": ["b"]}), &["matchLabelKeys"])]
    #[case(json!({"topologyKey": "a", "labelSelector": {}, "matchLabelKeys": ["b"]}), &[])]
    #[case(json!({"topologyKey": "a", "labelSelector": {}, "matchLabelKeys": ["b c"]}), &["matchLabelKeys[0]"])]
    #[case(json!({"topologyKey": "a", "labelSelector": {}, "mismatchLabelKeys": ["b", ""]}), &["mismatchLabelKeys[1]"])]
    #[case(json!({"topologyKey": "a", "labelSelector": {}, "matchLabelKeys": ["b"], "mismatchLabelKeys": ["b"]}), &["matchLabelKeys[0]"])]
    // Kubernetes lets one mention pass: it cannot tell it from its own.
    #[case(json!({"topologyKey": "a", "labelSelector": {"matchLabels": {"b": "c"}}, "matchLabelKeys": ["b"]}), &[])]
    #[case(json!({"topologyKey": "a", "labelSelector": {"matchLabels": {"b": "c"}, "matchExpressions": [{"key": "b", "operator": "Exists"}]}, "matchLabelKeys": ["b"]}), &["matchLabelKeys[0]"])]
    fn terms(#[case] term: Value, #[case] fields: &[&str]) {
        let paths: Vec<_> = fields.iter().map(|field| format!("p.{REQUIRED}[0].{field}")).collect();
        let affinity = json!({REQUIRED: [term]});
        assert_eq!(found(|report, path| check(report, path, &affinity), "p"), paths);
    }

    #[test]
    fn preferences_have_weights() {
        let affinity = json!({PREFERRED: [
            {"weight": 100, "podAffinityTerm": {"topologyKey": "a"}},
            {"weight": 101, "podAffinityTerm": {"topologyKey": ""}},
        ]});
        let at = |field| format!("p.{PREFERRED}[1].{field}");
        assert_eq!(
            found(|report, path| check(report, path, &affinity), "p"),
            [at("weight"), at("podAffinityTerm.topologyKey")]
        );
    }

    #[rstest]
    #[case(30, 0)]
    #[case(31, 1)]
    fn label_keys_are_judged_since(#[case] minor: u16, #[case] count: usize) {
        let affinity = json!({REQUIRED: [{"topologyKey": "a", "matchLabelKeys": ["b"]}]});
        assert_eq!(found_in(minor, |report, path| check(report, path, &affinity), "p").len(), count);
    }
}
