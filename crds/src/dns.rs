//! DNS names, which Kubernetes requires of most object names.

/// Whether `name` is a DNS-1123 label, as the names of namespaces, Services, containers and volumes are.
pub fn is_label(name: &str) -> bool {
    name.len() <= 63 && is_label_of_any_length(name)
}

/// Whether `name` is a DNS-1123 subdomain, as the names of Secrets and most other objects are.
pub fn is_subdomain(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_label_of_any_length)
}

/// Whether `text` matches `[a-z0-9]([a-z0-9-]*[a-z0-9])?`.
pub(crate) fn is_label_of_any_length(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    text.bytes().next().is_some_and(inner)
        && text.bytes().last().is_some_and(inner)
        && text.bytes().all(|b| inner(b) || b == b'-')
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
