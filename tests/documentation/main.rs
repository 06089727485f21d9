//! What the documentation says of the tests is true: those that it names are there.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed step of a test is a failed test")]

mod advisories;
mod commands;
mod gitops;

use std::{collections::BTreeMap, path::Path};

const AMALTHEA: &str = include_str!("../../docs/migrating-from-amalthea.md");
const DCP: &str = include_str!("../../docs/migrating-from-dcp.md");
/// Weak spots that are in the programs of remote sessions, which are still the original's.
const OF_REMOTE_SESSIONS: [&str; 4] = ["W20", "W35", "W36", "W37"];

/// All weak spots of an original that are known: a letter, and how many have it.
fn numbers(letters: &[(char, u32)]) -> Vec<String> {
    letters
        .iter()
        .flat_map(|(letter, last)| (1..=*last).map(move |number| format!("{letter}{number}")))
        .collect()
}

/// By weak spot, what a page says that proves it.
fn proofs(page: &str) -> BTreeMap<&str, Vec<&str>> {
    let (_, list) = page.split_once("\n## What proves it\n").unwrap();
    let rows = list.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | "));
    // Every second piece is between backticks.
    rows.map(|(spot, proofs)| (spot, proofs.split('`').skip(1).step_by(2).collect()))
        .filter(|(spot, _)| !spot.is_empty())
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

/// Every weak spot but for `missing` has proofs on a page, and all of them are there.
fn holds(page: &str, spots: &[String], missing: &[&str]) {
    let proofs = proofs(page);
    let unproved: Vec<&String> = spots.iter().filter(|spot| !proofs.contains_key(spot.as_str())).collect();
    assert_eq!(unproved, missing);
    for (spot, proofs) in proofs {
        assert!(!proofs.is_empty(), "nothing proves {spot}");
        for proof in proofs {
            let (path, test) = proof.split_once("::").unwrap_or((proof, ""));
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
            let source = std::fs::read_to_string(&path);
            assert!(source.is_ok(), "{spot}: there is no {proof}");
            let is_case = test.is_empty() && proof.starts_with("webhooks/cases/");
            assert!(is_case || is_test(&source.unwrap(), test), "{spot}: {proof} is no test");
        }
    }
}

/// Weak spots that a page does not speak of before it says what proves them.
fn silent(page: &str, spots: Vec<String>) -> Vec<String> {
    let (page, _) = page.split_once("\n## What proves it\n").unwrap();
    let words: Vec<&str> = page.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    spots.into_iter().filter(|spot| !words.contains(&spot.as_str())).collect()
}

#[test]
fn every_weak_spot_has_a_test_and_every_test_that_is_named_is_there() {
    holds(AMALTHEA, &numbers(&[('W', 45)]), &OF_REMOTE_SESSIONS);
    holds(DCP, &numbers(&[('F', 21), ('R', 6)]), &[]);
}

#[test]
fn every_weak_spot_is_explained() {
    // It is told as part of a span: "W35 to W37".
    assert_eq!(silent(AMALTHEA, numbers(&[('W', 45)])), ["W36"]);
    assert_eq!(silent(DCP, numbers(&[('F', 21), ('R', 6)])), Vec::<String>::new());
}
