//! Lists of a pod whose items are told apart by a key, with two items of one key.
//!
//! The API server takes such a list from a POST, and refuses it in a server-side apply ("duplicate entries for key"), by
//! which workloads are changed. So the operator writes only the last item of a key, which is the one that counts. The
//! schema of a kind may refuse the list before; lists that a POST cannot have either are judged with the rest of them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde_json::Value;

use super::Report;
use super::container::at::At;
use super::read::text;
use crate::finding::{Code, seen};

/// Says which of the `items` have the same text in `key`.
pub(crate) fn check(report: &mut Report<'_>, at: &At<'_>, items: &[Value], key: &str) {
    check_keys(report, at, items.iter().map(|item| text(item, key)), key);
}

/// The same for items of which only the keys are at hand.
pub(crate) fn check_keys<'a>(
    report: &mut Report<'_>,
    at: &At<'_>,
    keys: impl Iterator<Item = &'a str>,
    key: &str,
) {
    let mut first = BTreeMap::new();
    for (index, value) in keys.enumerate() {
        match first.entry(value) {
            Entry::Vacant(entry) => _ = entry.insert(index),
            Entry::Occupied(entry) => report.add(
                Code::ListKeyTwice,
                at.index(index).child(key).path(),
                format!("{} is also that of item {}", seen(value), entry.get()),
                "keep one: the operator writes only the last",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::pod::container::testing::paths_of;
    use serde_json::json;

    #[test]
    fn every_item_but_the_first_of_a_key_is_named() {
        let items = [json!({"name": "A"}), json!({"name": "B"}), json!({"name": "A"}), json!({"name": "A"})];
        assert_eq!(paths_of(|report, at| check(report, at, &items, "name")), ["x[2].name", "x[3].name"]);
        assert!(paths_of(|report, at| check(report, at, &items[..2], "name")).is_empty());
    }
}
