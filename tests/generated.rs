//! The committed generated files against those that the code gives.

#![allow(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::path::Path;

#[test]
fn committed_files_are_what_the_code_gives() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = sojourn::cmd::generate::files().unwrap();
    let stale = |(path, fresh): &&(String, String)| {
        std::fs::read_to_string(root.join(path)).unwrap_or_default() != *fresh
    };
    let stale: Vec<_> = files.iter().filter(stale).map(|(path, _)| path).collect();
    assert!(stale.is_empty(), "stale, run `make generate`: {stale:?}");
}

#[test]
fn the_chart_has_every_crd_and_no_other() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/sojourn/files/crds");
    let mut there: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    there.sort();
    let mut made: Vec<_> = sojourn_crds::all_crds().into_iter().map(|(file, _)| file.to_owned()).collect();
    made.sort();
    assert_eq!(there, made);
}

#[test]
fn the_image_tells_the_version_that_it_holds() {
    let label = format!("org.opencontainers.image.version=\"{}\"", env!("CARGO_PKG_VERSION"));
    assert!(
        include_str!("../Dockerfile").contains(&label),
        "the Dockerfile has another version than Cargo.toml"
    );
}
