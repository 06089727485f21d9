//! IP addresses as Kubernetes reads them in old fields, where leading zeros are decimal and allowed.

use std::net::Ipv6Addr;

/// Whether `text` is an address of either family, without a zone.
pub(crate) fn is_ip(text: &str) -> bool {
    match text.bytes().find(|b| matches!(b, b'.' | b':')) {
        Some(b'.') => ipv4(text).is_some(),
        Some(_) => is_ipv6(text),
        None => false,
    }
}

/// The address without leading zeros.
fn ipv4(text: &str) -> Option<String> {
    let parts: Vec<u8> = text.split('.').map(|part| number(part, 10).parse().ok()).collect::<Option<_>>()?;
    let [a, b, c, d] = parts.try_into().ok()?;
    Some(format!("{a}.{b}.{c}.{d}"))
}

/// Rust takes at most four digits a group, Kubernetes any number of leading zeros.
fn is_ipv6(text: &str) -> bool {
    let (groups, tail) = match text.rsplit_once(':') {
        Some((groups, tail)) if tail.contains('.') => match ipv4(tail) {
            Some(tail) => (format!("{groups}:"), tail),
            None => return false,
        },
        _ => (text.to_owned(), String::new()),
    };
    let groups: Vec<&str> = groups.split(':').map(|group| number(group, 16)).collect();
    format!("{}{tail}", groups.join(":")).parse::<Ipv6Addr>().is_ok()
}

/// The digits without leading zeros; one zero stays. What is no number stays as it is, so that no address comes out;
/// of one with a plus, which Rust would read, only the plus stays.
fn number(digits: &str, radix: u32) -> &str {
    if digits.starts_with('+') {
        return "+";
    }
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return digits;
    }
    let trimmed = digits.trim_start_matches('0');
    if trimmed.is_empty() { "0" } else { trimmed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("10.0.0.1", true)]
    #[case("010.000.0.001", true)]
    #[case("255.255.255.255", true)]
    #[case("256.0.0.1", false)]
    #[case("1.2.3", false)]
    #[case("1.2.3.4.5", false)]
    #[case("1..2.3", false)]
    #[case("+1.2.3.4", false)]
    #[case("1.2.3.4/8", false)]
    #[case("::", true)]
    #[case("::1", true)]
    #[case("2001:db8::ffff", true)]
    #[case("2001:0db8:00000::1", true)]
    #[case("::ffff:10.0.0.1", true)]
    #[case("::ffff:010.0.0.1", true)]
    #[case("1:2:3:4:5:6:7:8", true)]
    #[case("1:2:3:4:5:6:7", false)]
    #[case("1:2:3:4:5:6:7:8:9", false)]
    #[case("1::2::3", false)]
    #[case("::ffff:10.0.0", false)]
    #[case("fe80::1%eth0", false)]
    #[case("12345::", false)]
    #[case("", false)]
    #[case("1", false)]
    #[case("host", false)]
    fn addresses(#[case] text: &str, #[case] is: bool) {
        assert_eq!(is_ip(text), is, "{text:?}");
    }
}
