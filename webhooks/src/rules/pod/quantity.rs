//! Texts that Kubernetes cannot read as a quantity, and the way to write them.
//!
//! The schemas of Kubernetes' own types have a pattern for quantities, in which an API server answers. Ours have none.

use serde_json::Value;

use super::Report;
use super::container::amount::Amount;
use crate::finding::{Code, FieldPath, seen};

const EXAMPLES: &str = "write for example 500m, 2 or 4Gi";

/// Longer texts are nothing that somebody mistyped.
const LONGEST: usize = 40;

/// Says when the field holds a text that is no quantity. Returns whether it holds none.
pub(crate) fn check(
    report: &mut Report<'_>,
    code: Code,
    path: impl FnOnce() -> FieldPath,
    value: &Value,
) -> bool {
    let Some(text) = value.as_str().filter(|text| !is_readable(text)) else { return true };
    report.add(code, path(), format!("{} is not a quantity", seen(text)), way_out(text));
    false
}

/// Whether a text is a quantity.
pub(crate) fn is_readable(text: &str) -> bool {
    Amount::parse(text).is_some()
}

/// How to write what was probably meant.
pub(crate) fn way_out(text: &str) -> String {
    let compact: String = text.chars().take(LONGEST + 1).filter(|c| !c.is_whitespace()).collect();
    if compact.len() > LONGEST {
        return EXAMPLES.to_owned();
    }
    if is_readable(&compact) {
        return format!("write {compact}");
    }
    let end = compact.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(compact.len());
    let (number, unit) = compact.split_at(end);
    let Some((binary, decimal)) = units(&unit.to_lowercase()) else { return EXAMPLES.to_owned() };
    let suggested = [Some(binary), decimal].into_iter().flatten().map(|unit| format!("{number}{unit}"));
    let suggested: Vec<String> = suggested.filter(|text| is_readable(text)).collect();
    match suggested.as_slice() {
        [binary, decimal] => format!("write {binary}, or {decimal} for powers of 1000"),
        [only] => format!("write {only}"),
        _ => EXAMPLES.to_owned(),
    }
}

/// The units of Kubernetes for one in lower case: of powers of 1024, and of powers of 1000 unless it was `kib` and the
/// like.
fn units(unit: &str) -> Option<(&'static str, Option<&'static str>)> {
    let unit = unit.strip_suffix("byte").or_else(|| unit.strip_suffix("bytes")).unwrap_or(unit);
    let unit = unit.strip_suffix('b').unwrap_or(unit);
    let (prefix, is_binary) = unit.strip_suffix('i').map_or((unit, false), |prefix| (prefix, true));
    let (binary, decimal) = match prefix {
        "" if !is_binary => ("", None),
        "k" => ("Ki", Some("k")),
        "m" => ("Mi", Some("M")),
        "g" => ("Gi", Some("G")),
        "t" => ("Ti", Some("T")),
        "p" => ("Pi", Some("P")),
        "e" => ("Ei", Some("E")),
        _ => return None,
    };
    Some((binary, decimal.filter(|_| !is_binary)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::pod::testing::found;
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case("2gi", "write 2Gi")]
    #[case("2GiB", "write 2Gi")]
    #[case("2gb", "write 2Gi, or 2G for powers of 1000")]
    #[case("512MB", "write 512Mi, or 512M for powers of 1000")]
    #[case("1.5 GB", "write 1.5Gi, or 1.5G for powers of 1000")]
    #[case("2K", "write 2Ki, or 2k for powers of 1000")]
    #[case("100b", "write 100")]
    #[case("2 Gi", "write 2Gi")]
    #[case(" 500m ", "write 500m")]
    #[case("", EXAMPLES)]
    #[case("two", EXAMPLES)]
    #[case("2cores", EXAMPLES)]
    #[case("1.2.3g", EXAMPLES)]
    #[case("gb", EXAMPLES)]
    #[case("11111111111111111111111111111111111111111gb", EXAMPLES)]
    fn what_was_meant(#[case] text: &str, #[case] way: &str) {
        assert_eq!(way_out(text), way, "{text}");
    }

    #[rstest]
    #[case(json!("2Gi"), true)]
    #[case(json!("2e3"), true)]
    #[case(json!(2), true)]
    #[case(json!(null), true)]
    #[case(json!("2gi"), false)]
    #[case(json!(" 2Gi"), false)]
    #[case(json!(""), false)]
    fn texts_alone_are_judged(#[case] value: Value, #[case] good: bool) {
        let found = found(
            |report, path| {
                check(report, Code::ResourcesInvalid, || path.clone(), &value);
            },
            "x",
        );
        assert_eq!(found.is_empty(), good, "{value}");
    }

    proptest! {
        /// What is proposed is a quantity.
        #[test]
        fn the_way_out_leads_out(text in "[ 0-9.]{0,6}[ a-zA-Z]{0,5}") {
            let way = way_out(&text);
            let first = way.trim_start_matches("write ").split(',').next().unwrap_or_default();
            prop_assert!(way == EXAMPLES || is_readable(first), "{way}");
        }
    }
}
