//! Quantities as the API server reads them: rounded away from zero, and never more than it can hold.
//!
//! [`sojourn_crds::quantity`] cuts what is finer than a billionth and does not read what is very large, which is right
//! for measuring. Here a verdict hangs on the value, so it is read as `ParseQuantity` of
//! `k8s.io/apimachinery/pkg/api/resource` does. Beyond 19 digits this is less precise.

use serde_json::Value;

/// A quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Amount {
    nanos: i128,
    format: Format,
}

/// How a quantity was written, which decides how Kubernetes writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// `1500m`, `2G`
    Decimal,
    /// `2Gi`
    Binary,
    /// `2e9`
    Exponent,
}

/// One, in billionths.
pub(crate) const ONE: i128 = 1_000_000_000;

/// What the API server holds at most of a quantity in powers of 1024.
const BINARY_MOST: i128 = i64::MAX as i128 * ONE;

/// What is read of quantities that are larger. It is whole and a power of ten, as such ones are.
const MOST: i128 = 10i128.pow(38);

/// From here on more digits do not fit.
const DIGITS: i128 = 1_000_000_000_000_000_000;

impl Amount {
    /// The quantity in a field. `Some(Err)` holds the text that is none; a value of another type is absent.
    pub(crate) fn read(value: &Value) -> Option<Result<Self, &str>> {
        match value {
            Value::String(text) => Some(Self::parse(text.trim()).ok_or(text.as_str())),
            Value::Number(number) => {
                let units = number.as_i64()?;
                Some(Ok(Self { nanos: i128::from(units) * ONE, format: Format::Decimal }))
            }
            _ => None,
        }
    }

    /// Reads a quantity.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let body = text.strip_prefix(['-', '+']).unwrap_or(text);
        let end = body.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(body.len());
        let (number, suffix) = body.split_at(end);
        let dots = number.bytes().filter(|b| *b == b'.').count();
        if dots > 1 || number.len() == dots {
            return None;
        }
        let (format, binary, exponent) = read_suffix(suffix)?;
        let mut mantissa: i128 = 0;
        let mut power = exponent + 9;
        let (mut fraction, mut cut) = (false, false);
        for byte in number.bytes() {
            let digit = match byte {
                b'.' => {
                    fraction = true;
                    continue;
                }
                digit => i128::from(digit - b'0'),
            };
            if mantissa < DIGITS {
                mantissa = mantissa * 10 + digit;
                power -= i32::from(fraction);
            } else {
                cut |= digit != 0;
                power = power.saturating_add(i32::from(!fraction));
            }
        }
        let scaled = mantissa << binary;
        let ten = 10i128.checked_pow(power.unsigned_abs());
        let mut nanos = match ten {
            _ if scaled == 0 => 0,
            Some(ten) if power >= 0 => scaled.checked_mul(ten).unwrap_or(MOST).min(MOST),
            None if power >= 0 => MOST,
            Some(ten) => scaled / ten + i128::from(cut || scaled % ten != 0),
            None => 1,
        };
        if format == Format::Binary {
            nanos = nanos.min(BINARY_MOST);
        }
        Some(Self { nanos: if text.starts_with('-') { -nanos } else { nanos }, format })
    }

    /// The value in billionths.
    pub(crate) fn nanos(self) -> i128 {
        self.nanos
    }

    /// How it was written.
    pub(crate) fn format(self) -> Format {
        self.format
    }

    /// The value in thousandths: requests and limits are rounded to them before they are judged.
    pub(crate) fn millis(self) -> i128 {
        away_from_zero(self.nanos, 1_000_000)
    }

    /// The value in whole units.
    pub(crate) fn units(self) -> i128 {
        away_from_zero(self.nanos, ONE)
    }
}

fn away_from_zero(value: i128, by: i128) -> i128 {
    value / by + (value % by).signum()
}

/// The format of a suffix, and the powers of two and ten that it stands for.
fn read_suffix(suffix: &str) -> Option<(Format, u32, i32)> {
    let decimal = |power| Some((Format::Decimal, 0, power));
    let binary = |power| Some((Format::Binary, power, 0));
    match suffix {
        "" => decimal(0),
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(10),
        "Mi" => binary(20),
        "Gi" => binary(30),
        "Ti" => binary(40),
        "Pi" => binary(50),
        "Ei" => binary(60),
        _ => {
            let exponent: i64 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            // All beyond is as good as nothing, or as everything.
            Some((Format::Exponent, 0, i32::try_from(exponent.clamp(-10_000, 10_000)).ok()?))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case("1", ONE)]
    #[case("+1", ONE)]
    #[case("-1", -ONE)]
    #[case("001.50", ONE * 3 / 2)]
    #[case("5.", 5 * ONE)]
    #[case(".5", ONE / 2)]
    #[case("300m", 300_000_000)]
    #[case("1n", 1)]
    #[case("0.1n", 1)]
    #[case("-0.1n", -1)]
    #[case("1e-400", 1)]
    #[case("0e400", 0)]
    #[case("1e400", MOST)]
    #[case("1e30", MOST)]
    #[case("2e29", MOST)]
    #[case("1e+3", 1000 * ONE)]
    #[case("1E", ONE * 1_000_000_000_000_000_000)]
    #[case("1.5Ki", 1536 * ONE)]
    #[case("7Ei", 7 * (1 << 60) * ONE)]
    #[case("8Ei", BINARY_MOST)]
    #[case("99999999999999999999999Ei", BINARY_MOST)]
    #[case("12345678901234567890123", 12_345_678_901_234_567_890_000 * ONE)]
    fn reads_what_the_api_server_reads(#[case] text: &str, #[case] nanos: i128) {
        assert_eq!(Amount::parse(text).map(Amount::nanos), Some(nanos), "{text}");
    }

    #[rstest]
    #[case("")]
    #[case(".")]
    #[case("-")]
    #[case("1.2.3")]
    #[case("1 Gi")]
    #[case("1gi")]
    #[case("1e")]
    #[case("1e1.5")]
    #[case("1K")]
    #[case("1ä")]
    fn refuses_what_the_api_server_refuses(#[case] text: &str) {
        assert_eq!(Amount::parse(text), None, "{text}");
    }

    #[rstest]
    #[case("999999999n", 1000, 1)]
    #[case("1000000001n", 1001, 2)]
    #[case("-1n", -1, -1)]
    #[case("0", 0, 0)]
    fn rounds_away_from_zero(#[case] text: &str, #[case] millis: i128, #[case] units: i128) {
        let amount = Amount::parse(text).unwrap();
        assert_eq!((amount.millis(), amount.units()), (millis, units), "{text}");
    }

    #[test]
    fn other_types_are_absent() {
        assert_eq!(Amount::read(&json!(2)).unwrap().unwrap().units(), 2);
        assert_eq!(Amount::read(&json!("x")), Some(Err("x")));
        assert!(
            [json!(null), json!(1.5), json!(true), json!([])]
                .iter()
                .all(|value| Amount::read(value).is_none())
        );
    }

    proptest! {
        #[test]
        fn never_panics(text in "[-+]?[0-9.]{0,45}([a-zA-Z]{0,2}|e-?[0-9]{0,12})") {
            if let Some(amount) = Amount::parse(&text) {
                let _ = (amount.millis(), amount.units());
            }
        }

        /// Where both read a value, they read the same.
        #[test]
        fn agrees_with_the_quantity_of_the_crds(text in "-?[0-9]{1,9}(\\.[0-9]{1,3})?(m|k|M|G|Ki|Mi|Gi)?") {
            prop_assert_eq!(Amount::parse(&text).map(Amount::nanos), sojourn_crds::quantity::nanos(&text));
        }
    }
}
