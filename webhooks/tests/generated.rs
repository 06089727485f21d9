//! The committed webhook configurations against those that the table gives.

#![allow(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

#[test]
fn committed_yaml_is_what_the_table_gives() {
    for (file, object) in sojourn_webhooks::config::generated().unwrap() {
        let path = format!("{}/yaml/{file}", env!("CARGO_MANIFEST_DIR"));
        let fresh = sojourn_crds::generated_yaml(&object).unwrap();
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(committed, fresh, "{file} is stale: run `make generate`");
    }
}
