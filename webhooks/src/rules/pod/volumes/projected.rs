//! Volumes that are put together of several sources.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::read::{integer, is_set, list, text};
use super::files::{check_items, check_mode, check_path};
use super::{CODE, Report, check_needed, downward};
use crate::finding::{FieldPath, seen};

/// The sources whose files must lie at paths of their own. `clusterTrustBundle` is not among them: an API server drops
/// it unread unless the gate `ClusterTrustBundleProjection` is on, which it is by default in no version up to 1.34.
const WITH_ITEMS: [&str; 3] = ["secret", "configMap", "downwardAPI"];
const TOKEN: &str = "serviceAccountToken";
const SHORTEST_TOKEN: i64 = 600;
const LONGEST_TOKEN: i64 = 1 << 32;

pub(super) fn check(report: &mut Report<'_>, path: &FieldPath, volume: &Value) {
    check_mode(report, path, volume, "defaultMode");
    let mut taken = BTreeSet::new();
    for (index, source) in list(volume, "sources").iter().enumerate() {
        let path = path.child("sources").index(index);
        let count = WITH_ITEMS.iter().chain([&TOKEN]).filter(|name| is_set(source, name)).count();
        if count > 1 {
            report.add(
                CODE,
                path.clone(),
                format!("the entry has {count} sources"),
                "make an entry of each of them",
            );
        }
        for name in WITH_ITEMS.into_iter().filter(|name| is_set(source, name)) {
            check_source(report, &path.child(name), name, &source[name], &mut taken);
        }
        if is_set(source, TOKEN) {
            check_token(report, &path.child(TOKEN), &source[TOKEN]);
        }
    }
}

fn check_source<'a>(
    report: &mut Report<'_>,
    path: &FieldPath,
    name: &str,
    source: &'a Value,
    taken: &mut BTreeSet<&'a str>,
) {
    if name == "downwardAPI" {
        downward::check_items(report, path, source);
    } else {
        check_needed(report, path, source, &["name"]);
        check_items(report, path, source);
    }
    for (index, item) in list(source, "items").iter().enumerate() {
        let file = text(item, "path");
        if !file.is_empty() && !taken.insert(file) {
            report.add(
                CODE,
                path.child("items").index(index).child("path"),
                format!("{} is the path of another file of the volume", seen(file)),
                "choose another path",
            );
        }
    }
}

fn check_token(report: &mut Report<'_>, path: &FieldPath, token: &Value) {
    let seconds = integer(token, "expirationSeconds");
    if let Some(seconds) = seconds.filter(|seconds| !(SHORTEST_TOKEN..=LONGEST_TOKEN).contains(seconds)) {
        report.add(
            CODE,
            path.child("expirationSeconds"),
            format!("a token cannot be valid for {seconds} seconds"),
            format!("use {SHORTEST_TOKEN} to {LONGEST_TOKEN}, or leave it out for an hour"),
        );
    }
    check_path(report, path, token, "path");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::pod::testing::found;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case(json!([]), &[])]
    #[case(json!([{}]), &[])]
    #[case(json!([{"secret": {"name": "a"}}, {"configMap": {"name": "a", "optional": true}}]), &[])]
    #[case(json!([{"secret": {}}]), &["p.sources[0].secret.name"])]
    #[case(json!([{"configMap": {"name": ""}}]), &["p.sources[0].configMap.name"])]
    #[case(json!([{"secret": {"name": "a"}, "configMap": {"name": "a"}}]), &["p.sources[0]"])]
    #[case(json!([{"secret": {"name": "a", "items": [{"key": "k", "path": "/a"}]}}]), &["p.sources[0].secret.items[0].path"])]
    #[case(json!([{"downwardAPI": {"items": [{"path": "a"}]}}]), &["p.sources[0].downwardAPI.items[0].fieldRef"])]
    #[case(json!([{"serviceAccountToken": {"path": "a"}}]), &[])]
    #[case(json!([{"serviceAccountToken": {}}]), &["p.sources[0].serviceAccountToken.path"])]
    #[case(json!([{"serviceAccountToken": {"path": "../a"}}]), &["p.sources[0].serviceAccountToken.path"])]
    #[case(json!([{"serviceAccountToken": {"path": "a", "expirationSeconds": 600}}]), &[])]
    #[case(json!([{"serviceAccountToken": {"path": "a", "expirationSeconds": 599}}]), &["p.sources[0].serviceAccountToken.expirationSeconds"])]
    #[case(json!([{"serviceAccountToken": {"path": "a", "expirationSeconds": 4294967296i64}}]), &[])]
    #[case(json!([{"serviceAccountToken": {"path": "a", "expirationSeconds": 4294967297i64}}]), &["p.sources[0].serviceAccountToken.expirationSeconds"])]
    // Dropped unread.
    #[case(json!([{"clusterTrustBundle": {"name": "A", "signerName": "b"}, "secret": {"name": "a"}}]), &[])]
    #[case(json!([
        {"secret": {"name": "a", "items": [{"key": "k", "path": "x"}]}},
        {"configMap": {"name": "a", "items": [{"key": "k", "path": "x"}]}},
    ]), &["p.sources[1].configMap.items[0].path"])]
    // The path of a token is compared with no other.
    #[case(json!([
        {"secret": {"name": "a", "items": [{"key": "k", "path": "x"}]}}, {"serviceAccountToken": {"path": "x"}},
    ]), &[])]
    fn volumes(#[case] sources: Value, #[case] paths: &[&str]) {
        let volume = json!({"sources": sources});
        assert_eq!(found(|report, path| check(report, path, &volume), "p"), paths);
    }

    #[test]
    fn modes_are_judged() {
        let volume = json!({"defaultMode": 512});
        assert_eq!(found(|report, path| check(report, path, &volume), "p"), ["p.defaultMode"]);
    }
}
