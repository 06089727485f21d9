//! What a container or a pod asks of Windows.
//!
//! `validateWindowsSecurityContextOptions`, which judges both, and `validateWindowsHostProcessPod`. They are judged on Linux, too.

use serde_json::Value;
use sojourn_crds::dns;

use super::at::At;
use crate::finding::{Code, seen};
use crate::rules::pod::Report;
use crate::rules::pod::read::is_true;

const CODE: Code = Code::SecurityContextInvalid;

/// Bytes of a credential specification.
const LONGEST_SPEC: usize = 64 * 1024;
/// Bytes of a user's name.
const LONGEST_USER: usize = 104;
/// Bytes of a user's domain.
const LONGEST_DOMAIN: usize = 255;

/// Says what is wrong with the options of a container in a pod that is in the network of the host or not.
pub(crate) fn check(report: &mut Report<'_>, at: &At<'_>, options: &Value, host_network: bool) {
    check_options(report, at, options);
    if is_true(options, "hostProcess") && !host_network {
        report.add(
            CODE,
            at.child("hostProcess").path(),
            "it is for pods in the network of the host, all of whose containers have it",
            "leave it out",
        );
    }
}

/// Says what is wrong with the options that a pod and a container have alike.
pub(crate) fn check_options(report: &mut Report<'_>, at: &At<'_>, options: &Value) {
    if let Some(name) = options["gmsaCredentialSpecName"].as_str().filter(|name| !dns::is_subdomain(name)) {
        let message = format!("{} cannot be the name of an object", seen(name));
        report.add(CODE, at.child("gmsaCredentialSpecName").path(), message, "use a-z, 0-9, '-' and '.'");
    }
    if let Some(spec) = options["gmsaCredentialSpec"].as_str()
        && !(1..=LONGEST_SPEC).contains(&spec.len())
    {
        // It may hold credentials, so it is not repeated.
        let message = format!("it has {} bytes, and not from 1 to {LONGEST_SPEC}", spec.len());
        report.add(CODE, at.child("gmsaCredentialSpec").path(), message, "leave it out, or shorten it");
    }
    if let Some(user) = options["runAsUserName"].as_str()
        && let Some(problem) = user_problem(user)
    {
        let message = format!("{} {problem}", seen(user));
        report.add(CODE, at.child("runAsUserName").path(), message, "write it like DOMAIN\\user");
    }
}

/// Why a user cannot have that name, with or without a domain.
pub(crate) fn user_problem(text: &str) -> Option<&'static str> {
    if text.bytes().any(|b| b.is_ascii_control()) {
        return Some("has control characters");
    }
    let (domain, user) = match text.split_once('\\') {
        None => (None, text),
        Some((domain, user)) => (Some(domain), user),
    };
    if user.contains('\\') {
        return Some("has more than one '\\'");
    }
    if domain.is_some_and(|domain| domain.len() > LONGEST_DOMAIN || !is_domain(domain)) {
        return Some("has a domain that is neither of NetBIOS nor of DNS");
    }
    if user.is_empty() || user.len() > LONGEST_USER {
        return Some("has a user of no or more than 104 bytes");
    }
    if user.bytes().all(|b| matches!(b, b'.' | b' ')) {
        return Some("has a user of dots and spaces");
    }
    user.contains(|c: char| "\"/:;|=,+*?<>@[]".contains(c))
        .then_some("has one of \"/:;|=,+*?<>@[] in the user")
}

fn is_domain(domain: &str) -> bool {
    let forbidden = |c: char| "\\/:*?\"<>|".contains(c);
    let net_bios =
        (1..=15).contains(&domain.chars().count()) && !domain.starts_with('.') && !domain.contains(forbidden);
    let inner = |b: u8| b.is_ascii_alphanumeric();
    let label = |label: &str| {
        label.len() <= 63
            && label.bytes().next().is_some_and(inner)
            && label.bytes().last().is_some_and(inner)
            && label.bytes().all(|b| inner(b) || b == b'-')
    };
    net_bios || domain.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::super::testing::paths_of;
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case("user", true)]
    #[case("a user.", true)]
    #[case("NT AUTHORITY\\SYSTEM", true)]
    #[case("corp.Example.org\\user", true)]
    #[case("a_b\\user", true)]
    #[case("", false)]
    #[case("\\user", false)]
    #[case("a\\b\\c", false)]
    #[case("a\\", false)]
    #[case(". .", false)]
    #[case("a@b", false)]
    #[case("a\tb", false)]
    #[case(".corp\\user", false)]
    #[case("a_b_c_d_e_f_g_h_i\\user", false)]
    #[case("-a.example.org.long\\user", false)]
    fn users(#[case] user: &str, #[case] good: bool) {
        let options = json!({"runAsUserName": user});
        assert_eq!(paths_of(|report, at| check(report, at, &options, false)).is_empty(), good, "{user}");
    }

    #[test]
    fn lengths_are_limited() {
        assert!(user_problem(&"a".repeat(LONGEST_USER)).is_none());
        assert!(user_problem(&"a".repeat(LONGEST_USER + 1)).is_some());
        let domain = |length: usize| format!("{}\\u", "a.".repeat(length)[..length].to_owned());
        assert!(user_problem(&domain(255)).is_none());
        assert!(user_problem(&domain(257)).is_some());
        for (length, good) in [(0, false), (1, true), (LONGEST_SPEC, true), (LONGEST_SPEC + 1, false)] {
            let options = json!({"gmsaCredentialSpec": "a".repeat(length)});
            assert_eq!(
                paths_of(|report, at| check(report, at, &options, false)).is_empty(),
                good,
                "{length}"
            );
        }
    }

    #[rstest]
    #[case(json!({"hostProcess": false, "gmsaCredentialSpecName": "a.b"}), &[])]
    #[case(json!({"hostProcess": true}), &["x.hostProcess"])]
    #[case(json!({"gmsaCredentialSpecName": ""}), &["x.gmsaCredentialSpecName"])]
    fn windows_options(#[case] options: Value, #[case] wrong: &[&str]) {
        assert_eq!(paths_of(|report, at| check(report, at, &options, false)), wrong);
    }
}
