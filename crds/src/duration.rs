//! Go durations (`1h30m`), read exactly as Go's `time.ParseDuration` reads them.
//!
//! The CRD's `format: duration` admits more spellings than Go does (`1d`, `5 minutes`). Those are kept as
//! text, so that one such object cannot stop the watch that all others come through, and are refused at
//! admission with the spelling to use.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, fmt};

const SECOND: u64 = 1_000_000_000;

/// Units of Go's `time.ParseDuration`, in nanoseconds.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000), // U+00B5, the micro sign
    ("μs", 1_000), // U+03BC, the Greek letter mu
    ("ms", 1_000_000),
    ("s", SECOND),
    ("m", 60 * SECOND),
    ("h", 3600 * SECOND),
];

/// The text of a duration field, as the user wrote it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GoDuration(pub String);

/// A length of time in nanoseconds; negative values are durations too, as in Go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(i64);

/// Why a text is not a Go duration, and what was probably meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct DurationError {
    /// What is wrong with the text.
    pub reason: String,
    /// The same duration in Go's spelling, when the text can be understood otherwise.
    pub suggestion: Option<String>,
}

impl GoDuration {
    /// The duration that the text spells.
    pub fn parse(&self) -> Result<Span, DurationError> {
        parse(&self.0)
    }

    /// The duration, when the text spells one that is longer than zero. Zero, absent and unreadable all
    /// mean that the rule of the field is off.
    pub fn positive(&self) -> Option<Span> {
        self.parse().ok().filter(|span| span.0 > 0)
    }
}

impl From<&str> for GoDuration {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl JsonSchema for GoDuration {
    fn schema_name() -> Cow<'static, str> {
        "GoDuration".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "duration"})
    }
}

impl Span {
    /// A span of whole seconds; saturates at Go's largest duration (292 years).
    pub const fn seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(SECOND as i64))
    }

    /// A span of nanoseconds.
    pub const fn nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// The span in nanoseconds.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Whole seconds, rounded up: a limit in seconds that is never shorter than the span.
    pub const fn seconds_ceil(self) -> i64 {
        self.0.div_euclid(SECOND as i64) + (self.0.rem_euclid(SECOND as i64) != 0) as i64
    }

    /// True for spans below zero.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }
}

impl From<Span> for jiff::SignedDuration {
    fn from(span: Span) -> Self {
        jiff::SignedDuration::from_nanos(span.0)
    }
}

/// Go's own rendering of a duration of whole seconds and more (`1h30m0s`), shortened as people write it
/// (`1h30m`). Fractions of a second are kept as decimals.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let nanos = self.0.unsigned_abs();
        let (hours, minutes) = (nanos / (3600 * SECOND), nanos / (60 * SECOND) % 60);
        let (seconds, fraction) = (nanos / SECOND % 60, nanos % SECOND);
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        if fraction > 0 {
            let digits = format!("{fraction:09}");
            write!(f, "{seconds}.{}s", digits.trim_end_matches('0'))?;
        } else if seconds > 0 || nanos == 0 {
            write!(f, "{seconds}s")?;
        }
        Ok(())
    }
}

/// Reads `text` as Go's `time.ParseDuration` does: an optional sign, then `0` or decimal numbers, each
/// with a unit suffix, which add up; no spaces, no days, at most about 292 years.
pub fn parse(text: &str) -> Result<Span, DurationError> {
    parse_go(text).map_err(|reason| DurationError { reason, suggestion: suggest(text) })
}

fn parse_go(text: &str) -> Result<Span, String> {
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if digits == "0" {
        return Ok(Span(0));
    }
    if digits.is_empty() {
        return Err("the duration is empty".into());
    }
    let mut total: u64 = 0;
    let mut rest = digits;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, tail) = rest.split_at(number_end);
        if number.is_empty() || number == "." {
            return Err(format!("a number was expected at \"{rest}\""));
        }
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, next) = tail.split_at(unit_end);
        if unit.is_empty() {
            return Err(format!("the number {number} has no unit"));
        }
        let scale = UNITS
            .iter()
            .find_map(|(name, scale)| (*name == unit).then_some(*scale))
            .ok_or_else(|| format!("unknown unit \"{}\"", unit.trim()))?;
        total = scaled(number, scale).and_then(|nanos| total.checked_add(nanos)).ok_or_else(too_long)?;
        rest = next;
    }
    // Go allows exactly one value more below zero than above.
    match (negative, i64::try_from(total)) {
        (false, Ok(nanos)) => Ok(Span(nanos)),
        (true, Ok(nanos)) => Ok(Span(-nanos)),
        (true, Err(_)) if total == 1 << 63 => Ok(Span(i64::MIN)),
        _ => Err(too_long()),
    }
}

fn too_long() -> String {
    "the duration is longer than 292 years".into()
}

/// `number` is digits with at most one point; the fraction below a nanosecond is cut, as Go does.
fn scaled(number: &str, scale: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut nanos = whole.checked_mul(scale)?;
    let (mut value, mut place) = (0u128, 1u128);
    // Eighteen digits are finer than a nanosecond of an hour; more would only risk an overflow.
    for digit in fraction.bytes().take(18) {
        value = value * 10 + u128::from(digit - b'0');
        place *= 10;
    }
    nanos = nanos.checked_add(u64::try_from(value * u128::from(scale) / place).ok()?)?;
    Some(nanos)
}

/// Understands how people and ISO 8601 write durations (`1d`, `5 minutes`, `PT1H`, `3600`) and spells it
/// for Go. `None` when the text cannot be understood.
fn suggest(text: &str) -> Option<String> {
    let text = text.trim();
    let iso = text.strip_prefix(['P', 'p']);
    let lower = iso.unwrap_or(text).to_ascii_lowercase();
    let mut rest = lower.trim();
    let (mut seconds, mut seen, mut in_time) = (0f64, false, iso.is_none());
    while !rest.is_empty() {
        if let (Some(tail), true) = (rest.strip_prefix('t'), iso.is_some()) {
            (rest, in_time) = (tail, true);
            continue;
        }
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let value: f64 = rest[..number_end].parse().ok()?;
        rest = rest[number_end..].trim_start();
        let unit_end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        // In `PT1H30M` the units are single letters; elsewhere the whole word counts.
        let unit_end = if iso.is_some() { unit_end.min(1) } else { unit_end };
        let (unit, tail) = rest.split_at(unit_end);
        seconds += value * unit_seconds(unit, in_time)?;
        seen = true;
        rest = tail.trim_start_matches([' ', ',']);
    }
    let nanos = seconds * SECOND as f64;
    (seen && nanos.is_finite() && nanos < i64::MAX as f64).then(|| Span(nanos.round() as i64).to_string())
}

fn unit_seconds(unit: &str, in_time: bool) -> Option<f64> {
    Some(match unit {
        "" | "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "m" | "min" | "mins" | "minute" | "minutes" if in_time => 60.0,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3600.0,
        "d" | "day" | "days" => 86_400.0,
        "w" | "wk" | "week" | "weeks" => 604_800.0,
        "ms" | "milli" | "millis" | "millisecond" | "milliseconds" => 0.001,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    // The values that Go's own time.ParseDuration gives for these texts.
    #[rstest]
    #[case("0", 0)]
    #[case("-0", 0)]
    #[case("5s", 5_000_000_000)]
    #[case("+5s", 5_000_000_000)]
    #[case("-5s", -5_000_000_000)]
    #[case("1h30m", 5_400_000_000_000)]
    #[case("1h30m0.9s", 5_400_900_000_000)]
    #[case(".5s", 500_000_000)]
    #[case("5.s", 5_000_000_000)]
    #[case("1.0000000000000000000001s", 1_000_000_000)]
    #[case("1m1m", 120_000_000_000)]
    #[case("9223372036854775807ns", i64::MAX)]
    #[case("12us", 12_000)]
    #[case("12µs", 12_000)]
    #[case("12μs", 12_000)]
    fn reads_as_go_does(#[case] text: &str, #[case] nanos: i64) {
        assert_eq!(parse(text).map(Span::as_nanos), Ok(nanos), "{text}");
    }

    #[rstest]
    #[case("1d", Some("24h"))]
    #[case("5 minutes", Some("5m"))]
    #[case("1 day, 2 hours", Some("26h"))]
    #[case("3600", Some("1h"))]
    #[case("PT1H30M", Some("1h30m"))]
    #[case("P1D", Some("24h"))]
    #[case("1w", Some("168h"))]
    #[case("1H", Some("1h"))]
    #[case("", None)]
    #[case(".", None)]
    #[case("soon", None)]
    #[case("P1M", None)] // a month has no fixed length
    #[case("1..5s", None)]
    #[case("3000000h", None)] // over Go's 292 years
    fn refuses_and_offers_the_spelling_to_use(#[case] text: &str, #[case] offer: Option<&str>) {
        assert_eq!(parse(text).unwrap_err().suggestion.as_deref(), offer, "{text}");
    }

    #[rstest]
    #[case(Span::seconds(5400), "1h30m")]
    #[case(Span::seconds(0), "0s")]
    #[case(Span::nanos(1_500_000_000), "1.5s")]
    #[case(Span::seconds(-61), "-1m1s")]
    fn displays_as_people_write(#[case] span: Span, #[case] text: &str) {
        assert_eq!(span.to_string(), text);
    }

    #[test]
    fn seconds_are_rounded_up() {
        assert_eq!(parse("1h30m0.9s").unwrap().seconds_ceil(), 5401);
        assert_eq!(parse("1h30m").unwrap().seconds_ceil(), 5400);
        assert_eq!(parse("1ns").unwrap().seconds_ceil(), 1);
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,24}") {
            let _ = parse(&text);
        }

        #[test]
        fn what_it_displays_it_reads(nanos in i64::MIN + 1..=i64::MAX) {
            prop_assert_eq!(parse(&Span::nanos(nanos).to_string()), Ok(Span::nanos(nanos)));
        }

        #[test]
        fn what_it_offers_it_reads(text in "[0-9]{1,4} ?(d|day|days|hours|min|w)") {
            let offer = parse(&text).unwrap_err().suggestion.unwrap();
            prop_assert!(parse(&offer).is_ok());
        }
    }
}
