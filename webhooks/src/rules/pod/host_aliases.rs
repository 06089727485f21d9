//! Lines for a pod's `/etc/hosts`.

use serde_json::Value;
use sojourn_crds::dns;

use super::Report;
use super::address::is_ip;
use super::read::{text, texts};
use crate::finding::{Code, FieldPath, seen};

const CODE: Code = Code::PodInvalid;

/// Says what is wrong with the host aliases at `path`.
pub(crate) fn check(report: &mut Report<'_>, path: &FieldPath, aliases: &[Value]) {
    for (index, alias) in aliases.iter().enumerate() {
        let path = path.index(index);
        let ip = text(alias, "ip");
        if !is_ip(ip) {
            report.add(
                CODE,
                path.child("ip"),
                format!("{} is not an IP address", seen(ip)),
                "write an IPv4 or IPv6 address",
            );
        }
        for (index, name) in texts(alias, "hostnames").filter(|(_, name)| !dns::is_subdomain(name)) {
            report.add(
                CODE,
                path.child("hostnames").index(index),
                format!("{} is not a DNS name", seen(name)),
                "write it in lower case, with letters, digits, '-' and '.'",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::pod::testing::found;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case(json!({"ip": "10.0.0.1", "hostnames": ["a", "b.example"]}), &[])]
    #[case(json!({"ip": "::1"}), &[])]
    #[case(json!({"hostnames": ["a"]}), &["h[0].ip"])]
    #[case(json!({"ip": "a"}), &["h[0].ip"])]
    #[case(json!({"ip": "10.0.0.1", "hostnames": ["a", "A"]}), &["h[0].hostnames[1]"])]
    #[case(json!({"ip": "10.0.0.1", "hostnames": ["a_b", ""]}), &["h[0].hostnames[0]", "h[0].hostnames[1]"])]
    fn aliases(#[case] alias: Value, #[case] paths: &[&str]) {
        assert_eq!(found(|report, path| check(report, path, &[alias]), "h"), paths);
    }
}
