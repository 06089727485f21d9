//! The labels that a node must have.

use super::Report;
use super::labels;
use crate::finding::{Code, FieldPath};

/// Says which of the labels at `path` no node can have.
pub(crate) fn check<'a>(
    report: &mut Report<'_>,
    path: &FieldPath,
    labels: impl Iterator<Item = (&'a str, &'a str)>,
) {
    labels::check(report, Code::SelectorInvalid, path, labels);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::pod::testing::found;
    use rstest::rstest;

    #[rstest]
    #[case("pool", "gpu", true)]
    #[case("kubernetes.io/os", "", true)]
    #[case("pool", "a b", false)]
    #[case("", "gpu", false)]
    #[case("UPPER/x", "gpu", false)]
    fn selectors(#[case] key: &str, #[case] value: &str, #[case] valid: bool) {
        let paths = found(|report, path| check(report, path, [(key, value)].into_iter()), "s");
        assert_eq!(paths.is_empty(), valid, "{key}={value}");
    }
}
