//! What only pods of Windows have, and what they do not.

use serde_json::Value;
use sojourn_crds::dns;

use super::super::read::{is_set, is_true, list, text_if_set};
use super::{CODE, Report};
use crate::finding::{FieldPath, seen};

const LONGEST_CREDENTIALS: usize = 64 * 1024;
const LONGEST_DOMAIN: usize = 255;
const LONGEST_USER: usize = 104;
/// What of a security context is for Linux only.
const LINUX_CONTEXT: [&str; 11] = [
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "fsGroup",
    "fsGroupChangePolicy",
    "sysctls",
    "runAsUser",
    "runAsGroup",
    "supplementalGroups",
    "supplementalGroupsPolicy",
    "seLinuxChangePolicy",
];

pub(super) fn check(report: &mut Report<'_>, path: &FieldPath, pod: &Value, options: &Value) {
    if let Some(name) = text_if_set(options, "gmsaCredentialSpecName").filter(|name| !dns::is_subdomain(name))
    {
        report.add(
            CODE,
            path.child("gmsaCredentialSpecName"),
            format!("{} cannot be the name of a GMSACredentialSpec", seen(name)),
            "use a DNS name in lower case",
        );
    }
    let credentials = text_if_set(options, "gmsaCredentialSpec").map(str::len);
    if let Some(length) = credentials.filter(|length| !(1..=LONGEST_CREDENTIALS).contains(length)) {
        report.add(
            CODE,
            path.child("gmsaCredentialSpec"),
            format!("the credentials have {length} bytes"),
            format!("use 1 to {LONGEST_CREDENTIALS} bytes, or leave them out"),
        );
    }
    if let Some(name) = text_if_set(options, "runAsUserName")
        && let Some(problem) = user_problem(name)
    {
        report.add(
            CODE,
            path.child("runAsUserName"),
            format!("{} {problem}", seen(name)),
            r"write USER or DOMAIN\USER",
        );
    }
    // Every container inherits it, or contradicts it and is refused for that.
    if is_true(options, "hostProcess") && !is_true(pod, "hostNetwork") {
        report.add(
            CODE,
            path.child("hostProcess"),
            "does not go without hostNetwork",
            "set hostNetwork to true, or leave this out",
        );
    }
}

fn user_problem(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("is empty");
    }
    if name.bytes().any(|b| b.is_ascii_control()) {
        return Some("has control characters");
    }
    let (domain, user) = match name.split_once('\\') {
        Some((_, user)) if user.contains('\\') => return Some(r"has more than one '\'"),
        Some((domain, user)) => (Some(domain), user),
        None => (None, name),
    };
    if domain.is_some_and(|domain| domain.len() > LONGEST_DOMAIN) {
        Some("has a domain of more than 255 characters")
    } else if domain.is_some_and(|domain| !is_net_bios(domain) && !is_domain(domain)) {
        Some("has a domain that is none of NetBIOS or DNS")
    } else if user.is_empty() || user.len() > LONGEST_USER {
        Some("has no user of 1 to 104 characters")
    } else if user.chars().all(|c| matches!(c, '.' | ' ')) {
        Some("has a user of dots and blanks only")
    } else {
        user.contains(['"', '/', ':', ';', '|', '=', ',', '+', '*', '?', '<', '>', '@', '[', ']'])
            .then_some("has a user with a character that none can have")
    }
}

fn is_net_bios(domain: &str) -> bool {
    let refused = ['\\', '/', ':', '*', '?', '"', '<', '>', '|'];
    (1..=15).contains(&domain.chars().count()) && !domain.starts_with('.') && !domain.contains(refused)
}

/// Letters of both cases, in labels of at most 63.
fn is_domain(domain: &str) -> bool {
    domain.split('.').all(|label| dns::is_label(&label.to_ascii_lowercase()))
}

/// Says what of the pod at `path` is for Linux only.
pub(super) fn check_pod(report: &mut Report<'_>, path: &FieldPath, pod: &Value) {
    let mut found = |path: FieldPath| {
        report.add(CODE, path, "is not for the pods of windows", "leave it out, or change os");
    };
    let context = &pod["securityContext"];
    let set = |field: &&str| {
        if *field == "sysctls" { !list(context, field).is_empty() } else { is_set(context, field) }
    };
    for field in LINUX_CONTEXT.into_iter().filter(set) {
        found(path.child("securityContext").child(field));
    }
    for field in ["hostUsers", "shareProcessNamespace"].into_iter().filter(|field| is_set(pod, field)) {
        found(path.child(field));
    }
    for field in ["hostPID", "hostIPC"].into_iter().filter(|field| is_true(pod, field)) {
        found(path.child(field));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::pod::testing::found;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case("user", true)]
    #[case(r"DOMAIN\user", true)]
    #[case(r"sub.Example.org\user", true)]
    #[case(r"a_b\user", true)]
    #[case("", false)]
    #[case("a\tb", false)]
    #[case(r"a\b\c", false)]
    #[case(r"\user", false)]
    #[case(r".a_b\user", false)]
    #[case(r"a*b\user", false)]
    #[case(r"sixteen_letters_\user", false)]
    #[case(r"a\", false)]
    #[case(". .", false)]
    #[case("a.", true)]
    #[case("a@b", false)]
    #[case(&"a".repeat(104), true)]
    #[case(&"a".repeat(105), false)]
    fn users(#[case] name: &str, #[case] valid: bool) {
        assert_eq!(user_problem(name).is_none(), valid, "{name}");
    }

    #[rstest]
    #[case(json!({}), json!({}), &[])]
    #[case(json!({"gmsaCredentialSpecName": "a.b", "gmsaCredentialSpec": "x"}), json!({}), &[])]
    #[case(json!({"gmsaCredentialSpecName": "A"}), json!({}), &["w.gmsaCredentialSpecName"])]
    #[case(json!({"gmsaCredentialSpec": ""}), json!({}), &["w.gmsaCredentialSpec"])]
    #[case(json!({"gmsaCredentialSpec": "x".repeat(65536)}), json!({}), &[])]
    #[case(json!({"gmsaCredentialSpec": "x".repeat(65537)}), json!({}), &["w.gmsaCredentialSpec"])]
    #[case(json!({"runAsUserName": ""}), json!({}), &["w.runAsUserName"])]
    #[case(json!({"hostProcess": true}), json!({}), &["w.hostProcess"])]
    #[case(json!({"hostProcess": true}), json!({"hostNetwork": true}), &[])]
    #[case(json!({"hostProcess": false}), json!({}), &[])]
    fn windows_options(#[case] options: Value, #[case] pod: Value, #[case] paths: &[&str]) {
        assert_eq!(found(|report, path| check(report, path, &pod, &options), "w"), paths);
    }
}
