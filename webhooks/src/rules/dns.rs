//! Names as DNS has them, which is how Kubernetes names most things.

/// True for a DNS label: what Kubernetes takes as the name of a namespace, container or volume.
pub fn is_label(name: &str) -> bool {
    name.len() <= 63 && is_part(name)
}

/// True for a DNS name: what Kubernetes takes as the name of a Secret, for example.
pub fn is_subdomain(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_part)
}

/// True for what stands between the dots, however long.
fn is_part(part: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    part.bytes().next().is_some_and(inner)
        && part.bytes().last().is_some_and(inner)
        && part.bytes().all(|b| inner(b) || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("a", true, true)]
    #[case("a-1", true, true)]
    #[case("1", true, true)]
    #[case("a.b", false, true)]
    #[case("-a", false, false)]
    #[case("a-", false, false)]
    #[case("A", false, false)]
    #[case("a..b", false, false)]
    #[case("", false, false)]
    fn labels_and_names(#[case] name: &str, #[case] label: bool, #[case] subdomain: bool) {
        assert_eq!((is_label(name), is_subdomain(name)), (label, subdomain), "{name:?}");
    }

    #[test]
    fn lengths_are_limited() {
        assert!(is_label(&"a".repeat(63)) && !is_label(&"a".repeat(64)));
        assert!(is_subdomain(&"a".repeat(253)) && !is_subdomain(&"a".repeat(254)));
    }
}
