//! The corpus as tests read it.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use sojourn_webhooks::case::Case;
use sojourn_webhooks::{Offline, Verdict, evaluate, table};

/// All cases by `<folder>/<file>`.
pub(crate) fn corpus() -> BTreeMap<String, Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let mut cases = BTreeMap::new();
    for folder in
        std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir())
    {
        for file in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            let folder = folder.file_name().unwrap().to_string_lossy();
            let name = format!("{folder}/{}", file.file_stem().unwrap().to_string_lossy());
            let text = std::fs::read_to_string(&file).unwrap();
            let case = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            cases.insert(name, case);
        }
    }
    assert!(cases.len() > 100, "only {} cases found", cases.len());
    cases
}

/// What the pure function says.
pub(crate) fn verdict(case: &Case, known: &Offline) -> Verdict {
    let row = table::row(&case.webhook).unwrap_or_else(|| panic!("no row {}", case.webhook));
    evaluate(row, &case.request(&case.user_info()), known)
}

/// The patch that is to come out.
pub(crate) fn patch_of(case: &Case) -> Value {
    if case.expect.patch.is_null() { Value::Array(Vec::new()) } else { case.expect.patch.clone() }
}
