//! Kubernetes quantities (`300m`, `1Gi`, `2`), kept as written and compared by value.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The pattern that Kubernetes puts on quantities in generated CRDs.
pub const PATTERN: &str = r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$";

/// A quantity field as the user wrote it: a string, or an integer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Quantity {
    /// `cpu: 1`
    Integer(i64),
    /// `cpu: 500m`
    Text(String),
}

impl Quantity {
    /// The value in billionths (nano units, so that CPU usage in `n` is exact), or `None` when the text is
    /// no quantity or too large to hold. Finer fractions are cut.
    pub fn nanos(&self) -> Option<i128> {
        match self {
            Self::Integer(units) => Some(i128::from(*units) * NANO),
            Self::Text(text) => nanos(text),
        }
    }
}

impl From<&str> for Quantity {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl JsonSchema for Quantity {
    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema()
    }
}

/// The schema of a quantity, as CRD generators for Go write it.
pub fn schema() -> Schema {
    json_schema!({
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "pattern": PATTERN,
        "x-kubernetes-int-or-string": true,
    })
}

const NANO: i128 = 1_000_000_000;

/// Reads a quantity into billionths. See [`Quantity::nanos`].
pub fn nanos(text: &str) -> Option<i128> {
    let (sign, body) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let end = body.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(body.len());
    let (number, suffix) = body.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.len() + fraction.len() == 0 || fraction.contains('.') {
        return None;
    }
    // mantissa / 10^digits is the number; keep it whole until the suffix is applied.
    let fraction = &fraction[..fraction.len().min(18)];
    let mantissa: i128 = format!("{whole}{fraction}").parse().ok()?;
    let (scale, divisor) = suffix_nanos(suffix)?;
    let divisor = divisor.checked_mul(10i128.checked_pow(u32::try_from(fraction.len()).ok()?)?)?;
    Some(sign * (mantissa.checked_mul(scale)? / divisor))
}

/// What one unit of the suffix is in billionths, as a numerator and a divisor.
fn suffix_nanos(suffix: &str) -> Option<(i128, i128)> {
    let binary = |power: u32| Some((NANO << (10 * power), 1));
    let decimal = |power: u32| Some((NANO * 10i128.pow(power), 1));
    match suffix {
        "" => Some((NANO, 1)),
        "n" => Some((1, 1)),
        "u" => Some((1_000, 1)),
        "m" => Some((1_000_000, 1)),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        _ => {
            let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            let power = 10i128.checked_pow(exponent.unsigned_abs())?;
            if exponent < 0 { Some((NANO, power)) } else { Some((NANO.checked_mul(power)?, 1)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("300m", Some(300_000_000))]
    #[case("0.3", Some(300_000_000))]
    #[case("1", Some(NANO))]
    #[case("250000000n", Some(250_000_000))]
    #[case("1Ki", Some(1024 * NANO))]
    #[case("1.5Gi", Some(1_610_612_736 * NANO))]
    #[case("2e3", Some(2000 * NANO))]
    #[case("1E", Some(NANO * 1_000_000_000_000_000_000))]
    #[case("5e-1", Some(NANO / 2))]
    #[case(".5", Some(NANO / 2))]
    #[case("5.", Some(5 * NANO))]
    #[case("-1", Some(-NANO))]
    #[case("", None)]
    #[case(".", None)]
    #[case("1x", None)]
    #[case("1.2.3", None)]
    fn reads_what_kubernetes_reads(#[case] text: &str, #[case] nanos: Option<i128>) {
        assert_eq!(Quantity::from(text).nanos(), nanos, "{text}");
    }

    #[test]
    fn integers_are_quantities() {
        let read: Quantity = serde_json::from_str("2").unwrap();
        assert_eq!(read.nanos(), Some(2 * NANO));
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,40}") {
            let _ = nanos(&text);
        }
    }
}
