//! How a pod resolves names.

use serde_json::Value;
use sojourn_crds::dns;

use super::Report;
use super::address::is_ip;
use super::read::{is_set, list, text, texts};
use crate::finding::{Code, FieldPath, seen};
use crate::settings::KubernetesVersion;

const CODE: Code = Code::PodInvalid;
const MOST_SERVERS: usize = 3;
const MOST_SEARCHES: usize = 32;
const MOST_SEARCH_CHARACTERS: usize = 2048;
/// Since here a search path may be `.` and have underscores (gate `RelaxedDNSSearchValidation`).
const RELAXED: KubernetesVersion = KubernetesVersion { major: 1, minor: 33 };

/// Says what is wrong with `dnsPolicy` and `dnsConfig` of the pod at `path`.
pub(crate) fn check(report: &mut Report<'_>, path: &FieldPath, pod: &Value) {
    let policy = text(pod, "dnsPolicy");
    if !matches!(policy, "" | "ClusterFirstWithHostNet" | "ClusterFirst" | "Default" | "None") {
        report.unsupported(
            CODE,
            path.child("dnsPolicy"),
            policy,
            &["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"],
        );
    }
    let config = &pod["dnsConfig"];
    if policy == "None" && list(config, "nameservers").is_empty() {
        let path = path.child("dnsConfig");
        let path = if config.is_null() { path } else { path.child("nameservers") };
        report.required(CODE, path, "the dnsPolicy None needs at least one name server");
    } else if is_set(pod, "dnsConfig") {
        check_config(report, &path.child("dnsConfig"), config);
    }
}

fn check_config(report: &mut Report<'_>, path: &FieldPath, config: &Value) {
    let too_many = |report: &mut Report<'_>, field: &str, what: String, most: usize| {
        report.add(CODE, path.child(field), what, format!("leave some out; at most {most} are possible"));
    };
    let servers = list(config, "nameservers").len();
    if servers > MOST_SERVERS {
        too_many(report, "nameservers", format!("there are {servers} name servers"), MOST_SERVERS);
    }
    for (index, server) in texts(config, "nameservers").filter(|(_, server)| !is_ip(server)) {
        report.add(
            CODE,
            path.child("nameservers").index(index),
            format!("{} is not an IP address", seen(server)),
            "write an IPv4 or IPv6 address, without a port",
        );
    }
    let searches = list(config, "searches").len();
    if searches > MOST_SEARCHES {
        too_many(report, "searches", format!("there are {searches} search paths"), MOST_SEARCHES);
    }
    let characters =
        texts(config, "searches").map(|(_, search)| search.len() + 1).sum::<usize>().saturating_sub(1);
    if characters > MOST_SEARCH_CHARACTERS {
        let what = format!("the search paths have {characters} characters, with a space between them");
        too_many(report, "searches", what, MOST_SEARCH_CHARACTERS);
    }
    let relaxed = report.kubernetes >= RELAXED;
    for (index, search) in texts(config, "searches").filter(|(_, search)| !is_search(search, relaxed)) {
        report.add(
            CODE,
            path.child("searches").index(index),
            format!("{} is not a domain", seen(search)),
            "write a DNS name in lower case",
        );
    }
    for (index, option) in list(config, "options").iter().enumerate() {
        if text(option, "name").is_empty() {
            report.required(CODE, path.child("options").index(index).child("name"), "an option needs a name");
        }
    }
}

fn is_search(search: &str, relaxed: bool) -> bool {
    let name = search.strip_suffix('.').unwrap_or(search);
    if !relaxed {
        return dns::is_subdomain(name);
    }
    search == "." || (name.len() <= 253 && name.split('.').all(is_label_with_underscores))
}

/// Whether `label` matches `_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?`.
fn is_label_with_underscores(label: &str) -> bool {
    let edge = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let label = label.strip_prefix('_').unwrap_or(label);
    label.bytes().next().is_some_and(edge)
        && label.bytes().last().is_some_and(edge)
        && label.bytes().all(|b| edge(b) || matches!(b, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::pod::testing::{found, found_in};
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case(json!({}), &[])]
    #[case(json!({"dnsPolicy": "Default"}), &[])]
    #[case(json!({"dnsPolicy": "default"}), &["p.dnsPolicy"])]
    #[case(json!({"dnsPolicy": "None"}), &["p.dnsConfig"])]
    #[case(json!({"dnsPolicy": "None", "dnsConfig": {}}), &["p.dnsConfig.nameservers"])]
    #[case(json!({"dnsPolicy": "None", "dnsConfig": {"nameservers": ["10.0.0.1"]}}), &[])]
    #[case(json!({"dnsConfig": {"nameservers": ["1.1.1.1", "::1", "010.0.0.1"]}}), &[])]
    #[case(json!({"dnsConfig": {"nameservers": ["1.1.1.1", "1.1.1.1", "1.1.1.1", "1.1.1.1"]}}), &["p.dnsConfig.nameservers"])]
    #[case(json!({"dnsConfig": {"nameservers": ["example.org"]}}), &["p.dnsConfig.nameservers[0]"])]
    #[case(json!({"dnsConfig": {"searches": ["a.example.org", "b.example.org.", ".", "_srv.a_b.example"]}}), &[])]
    #[case(json!({"dnsConfig": {"searches": ["Example.org", "", "a..b", "a_.b"]}}), &["p.dnsConfig.searches[0]", "p.dnsConfig.searches[1]", "p.dnsConfig.searches[2]", "p.dnsConfig.searches[3]"])]
    #[case(json!({"dnsConfig": {"options": [{"name": "ndots", "value": "2"}, {"name": "debug"}, {"value": "1"}]}}), &["p.dnsConfig.options[2].name"])]
    fn pods(#[case] pod: Value, #[case] paths: &[&str]) {
        assert_eq!(found(|report, path| check(report, path, &pod), "p"), paths);
    }

    #[rstest]
    #[case(vec![1; 32], 0)]
    #[case(vec![1; 33], 1)]
    // With eight spaces these are 2048 and 2049 characters.
    #[case(vec![227, 227, 227, 227, 227, 227, 227, 227, 224], 0)]
    #[case(vec![227, 227, 227, 227, 227, 227, 227, 227, 225], 1)]
    fn searches_are_limited(#[case] lengths: Vec<usize>, #[case] count: usize) {
        let searches: Vec<_> = lengths.into_iter().map(|length| "a".repeat(length)).collect();
        let pod = json!({"dnsConfig": {"searches": searches}});
        assert_eq!(found(|report, path| check(report, path, &pod), "p").len(), count);
    }

    #[rstest]
    #[case(32, ".", 1)]
    #[case(32, "a_b.example", 1)]
    #[case(32, "a-b.example", 0)]
    #[case(33, "a_b.example", 0)]
    fn searches_are_relaxed_since(#[case] minor: u16, #[case] search: &str, #[case] count: usize) {
        let pod = json!({"dnsConfig": {"searches": [search]}});
        assert_eq!(found_in(minor, |report, path| check(report, path, &pod), "p").len(), count);
    }
}
