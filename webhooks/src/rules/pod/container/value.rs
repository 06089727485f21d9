//! The small checks that several fields share.

use std::ops::RangeInclusive;

use serde_json::Value;
use sojourn_crds::dns;

use super::at::At;
use crate::finding::{Code, seen};
use crate::rules::pod::Report;

/// What fits a 32-bit field that may not be negative.
pub(crate) const NOT_NEGATIVE: RangeInclusive<i64> = 0..=i32::MAX as i64;

/// The ports of a host.
pub(crate) const PORTS: RangeInclusive<i64> = 1..=65535;

/// A number that is absent, or in the range.
pub(crate) fn check_range(
    report: &mut Report<'_>,
    code: Code,
    at: &At<'_>,
    number: &Value,
    range: RangeInclusive<i64>,
) {
    let inside = match number.as_i64() {
        Some(number) => range.contains(&number),
        None => !number.is_u64(),
    };
    if !inside {
        let message = format!("{number} is not from {} to {}", range.start(), range.end());
        report.add(code, at.path(), message, "use a number in that range");
    }
}

/// A text that is absent, empty, or one of those allowed. Kubernetes sets its own default for an empty one.
pub(crate) fn check_choice(
    report: &mut Report<'_>,
    code: Code,
    at: &At<'_>,
    value: &Value,
    allowed: &[&str],
) {
    if let Some(text) = value.as_str().filter(|text| !text.is_empty() && !allowed.contains(text)) {
        report.unsupported(code, at.path(), text, allowed);
    }
}

/// A text that is absent, or one of those allowed. Kubernetes has no default for an empty one.
pub(crate) fn check_set_choice(
    report: &mut Report<'_>,
    code: Code,
    at: &At<'_>,
    value: &Value,
    allowed: &[&str],
) {
    if let Some(text) = value.as_str().filter(|text| !allowed.contains(text)) {
        report.unsupported(code, at.path(), text, allowed);
    }
}

/// A port by number or by name. An absent one is for the schema to report.
pub(crate) fn check_port(report: &mut Report<'_>, code: Code, at: &At<'_>, port: &Value) {
    match port.as_str() {
        Some(name) if !is_port_name(name) => {
            report.add(code, at.path(), format!("{} {NO_PORT_NAME}", seen(name)), PORT_NAME_HINT);
        }
        Some(_) => {}
        None => check_range(report, code, at, port, PORTS),
    }
}

/// What is said of a text that names no port.
pub(crate) const NO_PORT_NAME: &str = "cannot name a port";

/// How the name of a port is written.
pub(crate) const PORT_NAME_HINT: &str =
    "use at most 15 of a-z, 0-9 and single '-', one letter at least and no '-' at the ends, or a number";

/// Whether this can name a port.
pub(crate) fn is_port_name(name: &str) -> bool {
    name.len() <= 15
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && name.bytes().any(|b| b.is_ascii_lowercase())
        && !name.contains("--")
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// Whether this can be a key of a ConfigMap or Secret.
pub(crate) fn is_config_key(key: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    !key.is_empty() && key.len() <= 253 && key.bytes().all(allowed) && key != "." && !key.starts_with("..")
}

/// Whether this can be the name of an object, or the start of one. A dash may end a start; Kubernetes then judges a
/// letter in place of the last two characters.
pub(crate) fn is_name_or_start(name: &str) -> bool {
    if name.len() > 1 && name.ends_with('-') {
        name.get(..name.len() - 2).is_some_and(|kept| dns::is_subdomain(&format!("{kept}a")))
    } else {
        dns::is_subdomain(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::KubernetesVersion;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case("http", true)]
    #[case("a", true)]
    #[case("8a", true)]
    #[case("abcdefghijklmno", true)]
    #[case("abcdefghijklmnop", false)]
    #[case("", false)]
    #[case("80", false)]
    #[case("a--b", false)]
    #[case("-a", false)]
    #[case("a-", false)]
    #[case("A", false)]
    #[case("a_b", false)]
    fn names_of_ports(#[case] name: &str, #[case] good: bool) {
        assert_eq!(is_port_name(name), good, "{name:?}");
    }

    #[rstest]
    #[case("a.B_c-1", true)]
    #[case(".a", true)]
    #[case("", false)]
    #[case(".", false)]
    #[case("..", false)]
    #[case("..a", false)]
    #[case("a/b", false)]
    fn keys(#[case] key: &str, #[case] good: bool) {
        assert_eq!(is_config_key(key), good, "{key:?}");
        assert!(is_config_key(&"a".repeat(253)) && !is_config_key(&"a".repeat(254)));
    }

    #[rstest]
    #[case("config", true)]
    #[case("config-", true)]
    #[case("a--", true)]
    #[case("_-", true)]
    #[case("-", false)]
    #[case("ä-", false)]
    #[case("-a", false)]
    #[case("A", false)]
    fn starts_of_names(#[case] name: &str, #[case] good: bool) {
        assert_eq!(is_name_or_start(name), good, "{name:?}");
    }

    #[rstest]
    #[case(json!(1), true)]
    #[case(json!(65535), true)]
    #[case(json!("http"), true)]
    #[case(json!(null), true)]
    #[case(json!(true), true)]
    #[case(json!(0), false)]
    #[case(json!(65536), false)]
    #[case(json!(-1), false)]
    #[case(json!(18446744073709551615_u64), false)]
    #[case(json!("80"), false)]
    #[case(json!(""), false)]
    fn ports_by_number_or_name(#[case] port: Value, #[case] good: bool) {
        let mut findings = Vec::new();
        let mut report = Report::new(KubernetesVersion::default(), &mut findings);
        check_port(&mut report, Code::ContainerPortInvalid, &At::root("port"), &port);
        assert_eq!(findings.is_empty(), good, "{port}: {findings:?}");
    }
}
