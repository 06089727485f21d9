//! The sign of a quantity, which is known even where its value is too large or too small to be held exactly.

use serde_json::Value;

/// Whether the quantity is below zero.
pub(super) fn is_negative(quantity: &Value) -> bool {
    match quantity {
        Value::String(text) => text.starts_with('-') && has_value(text),
        other => other.as_i64().is_some_and(|number| number < 0),
    }
}

/// Whether the quantity is above zero. Kubernetes rounds what is below a billionth up, so it counts.
pub(super) fn is_positive(quantity: &Value) -> bool {
    match quantity {
        Value::String(text) => !text.starts_with('-') && has_value(text),
        other => other.as_u64().is_some_and(|number| number > 0),
    }
}

/// The quantity as it is shown in a message.
pub(super) fn shown(quantity: &Value) -> String {
    quantity.as_str().map_or_else(|| quantity.to_string(), str::to_owned)
}

/// Whether a digit before the suffix is not zero.
fn has_value(text: &str) -> bool {
    let number = text.strip_prefix(['+', '-']).unwrap_or(text);
    number.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').any(|b| (b'1'..=b'9').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case(json!("1Gi"), false, true)]
    #[case(json!("0"), false, false)]
    #[case(json!("-0"), false, false)]
    #[case(json!("0e5"), false, false)]
    #[case(json!("-1"), true, false)]
    #[case(json!("-.5m"), true, false)]
    #[case(json!("+1"), false, true)]
    #[case(json!("0.0000000000001"), false, true)]
    #[case(json!("99999999999999999999999999999999999999999999"), false, true)]
    #[case(json!(0), false, false)]
    #[case(json!(-3), true, false)]
    #[case(json!(3), false, true)]
    #[case(json!(null), false, false)]
    fn signs(#[case] quantity: Value, #[case] negative: bool, #[case] positive: bool) {
        assert_eq!((is_negative(&quantity), is_positive(&quantity)), (negative, positive), "{quantity}");
    }
}
