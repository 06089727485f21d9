//! What the documentation says of the tests is true: those that it names are there.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed step of a test is a failed test")]

use std::{collections::BTreeMap, path::Path};

const PAGE: &str = include_str!("../docs/migrating-from-amalthea.md");
/// Weak spots that are in the programs of remote sessions, which are still the original's.
const OF_REMOTE_SESSIONS: [u32; 4] = [20, 35, 36, 37];

/// By number of the weak spot, what the list says that proves it.
fn proofs() -> BTreeMap<u32, Vec<&'static str>> {
    let (_, list) = PAGE.split_once("\n## What proves it\n").unwrap();
    let rows = list.lines().filter_map(|line| line.strip_prefix("| W")?.split_once(" | "));
    rows.map(|(number, proofs)| {
        // Every second piece is between backticks.
        (number.parse().unwrap(), proofs.split('`').skip(1).step_by(2).collect())
    })
    .collect()
}

/// Whether `name` is a function of `source` that is run as a test.
fn is_test(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let Some(at) = lines.iter().position(|line| {
        let line = line.strip_prefix("async ").unwrap_or(line);
        line.strip_prefix("fn ").is_some_and(|rest| rest.split('(').next() == Some(name))
    }) else {
        return false;
    };
    // Its attributes begin after the end of whatever is before it.
    let before = lines[..at].iter().rev().take_while(|line| !line.is_empty() && **line != "}");
    before
        .into_iter()
        .any(|line| ["#[test]", "#[rstest]", "#[tokio::test"].iter().any(|it| line.starts_with(it)))
}

#[test]
fn every_weak_spot_has_a_test_and_every_test_that_is_named_is_there() {
    let proofs = proofs();
    let missing: Vec<u32> = (1..=45).filter(|number| !proofs.contains_key(number)).collect();
    assert_eq!(missing, OF_REMOTE_SESSIONS);
    for (number, proofs) in proofs {
        assert!(!proofs.is_empty(), "nothing proves W{number}");
        for proof in proofs {
            let (path, test) = proof.split_once("::").unwrap_or((proof, ""));
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
            let source = std::fs::read_to_string(&path);
            assert!(source.is_ok(), "W{number}: there is no {proof}");
            let is_case = test.is_empty() && proof.starts_with("webhooks/cases/");
            assert!(is_case || is_test(&source.unwrap(), test), "W{number}: {proof} is no test");
        }
    }
}

#[test]
fn every_weak_spot_is_explained() {
    let (page, _) = PAGE.split_once("\n## What proves it\n").unwrap();
    let words: Vec<&str> = page.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let silent: Vec<u32> =
        (1..=45).filter(|number| !words.contains(&format!("W{number}").as_str())).collect();
    // It is told as part of a span: "W35 to W37".
    assert_eq!(silent, [36]);
}
