//! Tolerations.

use serde_json::Value;

use super::Report;
use super::labels;
use super::read::{is_set, text};
use crate::finding::{Code, FieldPath, seen};

const CODE: Code = Code::TolerationInvalid;

/// Says what is wrong with the tolerations at `path`.
pub(crate) fn check(report: &mut Report<'_>, path: &FieldPath, tolerations: &[Value]) {
    for (index, toleration) in tolerations.iter().enumerate() {
        check_one(report, &path.index(index), toleration);
    }
}

fn check_one(report: &mut Report<'_>, path: &FieldPath, toleration: &Value) {
    let (key, operator) = (text(toleration, "key"), text(toleration, "operator"));
    let (value, effect) = (text(toleration, "value"), text(toleration, "effect"));
    if !key.is_empty() {
        labels::check_key(report, CODE, || path.child("key"), key);
    } else if operator != "Exists" {
        report.add(
            CODE,
            path.child("operator"),
            format!(
                "{} without a key tolerates nothing",
                seen(if operator.is_empty() { "Equal" } else { operator })
            ),
            "name a key, or use Exists to tolerate every taint",
        );
    }
    if is_set(toleration, "tolerationSeconds") && effect != "NoExecute" {
        report.add(
            CODE,
            path.child("effect"),
            format!("{} does not go with tolerationSeconds", seen(effect)),
            "use NoExecute, or leave tolerationSeconds out",
        );
    }
    match operator {
        "" | "Equal" => labels::check_value(report, CODE, || path.child("value"), value),
        "Exists" if value.is_empty() => {}
        "Exists" => report.add(
            CODE,
            path.child("value"),
            format!("{} does not go with the operator Exists", seen(value)),
            "leave the value out, or use Equal",
        ),
        other => report.unsupported(CODE, path.child("operator"), other, &["Equal", "Exists"]),
    }
    if !matches!(effect, "" | "NoSchedule" | "PreferNoSchedule" | "NoExecute") {
        report.unsupported(
            CODE,
            path.child("effect"),
            effect,
            &["NoSchedule", "PreferNoSchedule", "NoExecute"],
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
    #[case(json!({"operator": "Exists"}), &[])]
    #[case(json!({"key": "a"}), &[])]
    #[case(json!({"key": "a", "operator": "Equal", "value": "b", "effect": "NoSchedule"}), &[])]
    #[case(json!({"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": -1}), &[])]
    #[case(json!({}), &["operator"])]
    #[case(json!({"operator": "Equal"}), &["operator"])]
    #[case(json!({"key": "a b", "operator": "Exists"}), &["key"])]
    #[case(json!({"key": "a", "operator": "Exists", "value": "b"}), &["value"])]
    #[case(json!({"key": "a", "value": "b c"}), &["value"])]
    #[case(json!({"key": "a", "operator": "In"}), &["operator"])]
    #[case(json!({"key": "a", "effect": "Never"}), &["effect"])]
    #[case(json!({"key": "a", "effect": "NoSchedule", "tolerationSeconds": 1}), &["effect"])]
    #[case(json!({"key": "a", "tolerationSeconds": 1}), &["effect"])]
    fn tolerations(#[case] toleration: Value, #[case] fields: &[&str]) {
        let paths: Vec<_> = fields.iter().map(|field| format!("t[0].{field}")).collect();
        assert_eq!(found(|report, path| check(report, path, &[toleration]), "t"), paths);
    }
}
