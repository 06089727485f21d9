//! Names of other objects, where Kubernetes judges them. It does not everywhere: a pull secret, or the secret of a volume,
//! may be called anything, and is then not found.

use sojourn_crds::dns;

use super::Report;
use crate::finding::{Code, FieldPath, seen};

const CODE: Code = Code::ReferenceInvalid;

/// Says when a ServiceAccount cannot have the name. An empty one means the default account.
pub(crate) fn service_account(report: &mut Report<'_>, path: FieldPath, name: &str) {
    check_if_named(report, path, name, "a ServiceAccount");
}

/// Says when a PriorityClass cannot have the name. An empty one means the default class.
pub(crate) fn priority_class(report: &mut Report<'_>, path: FieldPath, name: &str) {
    check_if_named(report, path, name, "a PriorityClass");
}

/// Says when a StorageClass cannot have the name. An empty one means no class at all.
pub(crate) fn storage_class(report: &mut Report<'_>, path: FieldPath, name: &str) {
    check_if_named(report, path, name, "a StorageClass");
}

/// Says when an IngressClass cannot have the name. An empty one is refused; the default class is meant by none.
pub(crate) fn ingress_class(report: &mut Report<'_>, path: FieldPath, name: &str) {
    check(report, CODE, path, name, "an IngressClass");
}

/// Says when the Secret of an Ingress cannot have the name. An empty one means none.
pub(crate) fn secret(report: &mut Report<'_>, path: FieldPath, name: &str) {
    check_if_named(report, path, name, "a Secret");
}

/// Says when a Secret whose keys become variables cannot have the name. That it is missing is said elsewhere.
pub(crate) fn secret_of_variables(report: &mut Report<'_>, path: FieldPath, name: &str) {
    // Kubernetes takes this name for the start of one that is generated, which may end in a dash.
    let masked = match name.as_bytes() {
        [head @ .., _, b'-'] if name.is_ascii() => format!("{}a", String::from_utf8_lossy(head)),
        _ => name.to_owned(),
    };
    if !name.is_empty() && !dns::is_subdomain(&masked) {
        add(report, CODE, path, name, "a Secret");
    }
}

/// Says when an object of the sort `what` cannot have the name.
pub(super) fn check(report: &mut Report<'_>, code: Code, path: FieldPath, name: &str, what: &str) {
    if !dns::is_subdomain(name) {
        add(report, code, path, name, what);
    }
}

fn check_if_named(report: &mut Report<'_>, path: FieldPath, name: &str, what: &str) {
    if !name.is_empty() {
        check(report, CODE, path, name, what);
    }
}

fn add(report: &mut Report<'_>, code: Code, path: FieldPath, name: &str, what: &str) {
    report.add(
        code,
        path,
        format!("{} cannot be the name of {what}", seen(name)),
        "use at most 253 of a-z, 0-9, '-' and '.', with a letter or digit around each '.' and at the ends",
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::pod::testing::found;
    use rstest::rstest;

    type Check = fn(&mut Report<'_>, FieldPath, &str);

    #[rstest]
    #[case(service_account, true)]
    #[case(priority_class, true)]
    #[case(storage_class, true)]
    #[case(secret, true)]
    #[case(secret_of_variables, true)]
    #[case(ingress_class, false)]
    fn names(#[case] check: Check, #[case] may_be_empty: bool) {
        let valid = |name: &str| found(|report, path| check(report, path.clone(), name), "r").is_empty();
        assert!(valid("a") && valid("a.b-c") && valid("1") && valid(&"a".repeat(253)));
        assert!(!valid("A") && !valid("a_b") && !valid("a/b") && !valid("-a") && !valid(&"a".repeat(254)));
        assert_eq!(valid(""), may_be_empty);
    }

    #[rstest]
    #[case("a-", true)]
    #[case("ab-", true)]
    #[case("-", false)]
    #[case("a.-", true)]
    #[case("A-", true)]
    #[case("Ab-", false)]
    #[case("ä-", false)]
    fn a_dash_at_the_end(#[case] name: &str, #[case] variables: bool) {
        let valid = |check: Check| found(|report, path| check(report, path.clone(), name), "r").is_empty();
        assert_eq!(valid(secret_of_variables), variables, "{name}");
        assert!(!valid(secret));
    }
}
