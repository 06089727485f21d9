//! Volumes of file systems in the network.

use serde_json::Value;

use super::super::read::{list, text};
use super::{CODE, Report, check_needed};
use crate::finding::{FieldPath, seen};

const LONGEST_TENANT: usize = 64;

pub(super) fn nfs(report: &mut Report<'_>, path: &FieldPath, source: &Value) {
    check_needed(report, path, source, &["server", "path"]);
    let exported = text(source, "path");
    if !exported.is_empty() && !exported.starts_with('/') {
        report.add(
            CODE,
            path.child("path"),
            format!("{} is not absolute", seen(exported)),
            "write the path that the server exports, from '/' on",
        );
    }
}

pub(super) fn glusterfs(report: &mut Report<'_>, path: &FieldPath, source: &Value) {
    check_needed(report, path, source, &["endpoints", "path"]);
}

pub(super) fn cephfs(report: &mut Report<'_>, path: &FieldPath, source: &Value) {
    check_monitors(report, path, source);
}

pub(super) fn rbd(report: &mut Report<'_>, path: &FieldPath, source: &Value) {
    check_monitors(report, path, source);
    check_needed(report, path, source, &["image"]);
}

fn check_monitors(report: &mut Report<'_>, path: &FieldPath, source: &Value) {
    if list(source, "monitors").is_empty() {
        report.required(CODE, path.child("monitors"), "this sort of volume needs at least one monitor");
    }
}

pub(super) fn flocker(report: &mut Report<'_>, path: &FieldPath, source: &Value) {
    let (name, uuid) = (text(source, "datasetName"), text(source, "datasetUUID"));
    match (name, uuid) {
        ("", "") => {
            report.required(CODE, path.child("datasetUUID"), "a dataset is known by its name or its UUID");
        }
        (_, "") | ("", _) => {}
        _ => report.add(
            CODE,
            path.clone(),
            format!("both the name {} and the UUID {} are given", seen(name), seen(uuid)),
            "keep one of them",
        ),
    }
    if name.contains('/') {
        report.add(
            CODE,
            path.child("datasetName"),
            format!("{} contains '/'", seen(name)),
            "write the name without it",
        );
    }
}

pub(super) fn quobyte(report: &mut Report<'_>, path: &FieldPath, source: &Value) {
    check_needed(report, path, source, &["registry", "volume"]);
    let (registry, tenant) = (text(source, "registry"), text(source, "tenant"));
    if registry.is_empty() {
        return;
    }
    if tenant.len() > LONGEST_TENANT {
        report.add(
            CODE,
            path.child("tenant"),
            format!("{} has {} characters", seen(tenant), tenant.len()),
            format!("write a UUID; at most {LONGEST_TENANT} characters are possible"),
        );
    } else if let Some(pair) = registry.split(',').find(|pair| !is_host_and_port(pair)) {
        report.add(
            CODE,
            path.child("registry"),
            format!("{} is not host:port", seen(pair)),
            "write host:port, several with commas between them",
        );
    }
}

/// Whether Go's `net.SplitHostPort` splits the text. Neither part is judged, so both may be empty.
fn is_host_and_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let inner = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            // The colon before the port follows the bracket at once.
            Some((inner, "")) => inner,
            _ => return false,
        },
        None if host.contains(':') => return false,
        None => host,
    };
    let brackets = |text: &str| text.contains(['[', ']']);
    !brackets(inner) && !brackets(port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::pod::testing::found;
    use crate::rules::pod::volumes::Check;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case(nfs, json!({"server": "a", "path": "/b"}), &[])]
    #[case(nfs, json!({"server": "a", "path": "b"}), &["v.path"])]
    #[case(nfs, json!({}), &["v.server", "v.path"])]
    #[case(glusterfs, json!({"endpoints": "a", "path": "b"}), &[])]
    #[case(glusterfs, json!({}), &["v.endpoints", "v.path"])]
    #[case(cephfs, json!({"monitors": ["a"]}), &[])]
    #[case(cephfs, json!({"monitors": []}), &["v.monitors"])]
    #[case(rbd, json!({"monitors": ["a"], "image": "b"}), &[])]
    #[case(rbd, json!({"image": ""}), &["v.monitors", "v.image"])]
    #[case(flocker, json!({"datasetName": "a"}), &[])]
    #[case(flocker, json!({"datasetUUID": "a"}), &[])]
    #[case(flocker, json!({}), &["v.datasetUUID"])]
    #[case(flocker, json!({"datasetName": "a", "datasetUUID": "b"}), &["v"])]
    #[case(flocker, json!({"datasetName": "a/b"}), &["v.datasetName"])]
    #[case(quobyte, json!({"registry": "a:1,b:2", "volume": "c"}), &[])]
    #[case(quobyte, json!({"registry": "", "volume": ""}), &["v.registry", "v.volume"])]
    #[case(quobyte, json!({"registry": "a:1,b", "volume": "c"}), &["v.registry"])]
    #[case(quobyte, json!({"registry": "a:1", "volume": "c", "tenant": "t".repeat(64)}), &[])]
    #[case(quobyte, json!({"registry": "a:1", "volume": "c", "tenant": "t".repeat(65)}), &["v.tenant"])]
    fn sources(#[case] check: Check, #[case] source: Value, #[case] paths: &[&str]) {
        assert_eq!(found(|report, path| check(report, path, &source), "v"), paths, "{source}");
    }

    #[rstest]
    #[case("a:1", true)]
    #[case("a:", true)]
    #[case(":1", true)]
    #[case("[::1]:1", true)]
    #[case("a", false)]
    #[case("", false)]
    #[case("::1", false)]
    #[case("[::1]", false)]
    #[case("[::1]x:1", false)]
    #[case("[a", false)]
    #[case("[a:1", false)]
    #[case("a]:1", false)]
    #[case("[[a]:1", false)]
    #[case("a:1]", false)]
    fn hosts_and_ports(#[case] text: &str, #[case] splits: bool) {
        assert_eq!(is_host_and_port(text), splits, "{text}");
    }
}
