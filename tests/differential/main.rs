//! Our rules against a real API server: sessions are made from the schema of their kind, and a session is denied by us
//! exactly if one of its children is refused by the API server for its content. Likewise it is warned about exactly if
//! Pod Security refuses its pod ([`pod_security`]).
//!
//! * `SOJOURN_DIFFERENTIAL_SPECS`: how many sessions; 500 without it
//! * `SOJOURN_DIFFERENTIAL_SEED`: other sessions; the same seed makes the same ones
//!
//! Disagreements are reported by cause, each with the smallest session that shows it, in
//! `target/differential/report.txt`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper of a test that cannot go on ends the test"
)]

mod children;
mod disagreement;
mod fields;
mod generate;
mod oracle;
mod ours;
mod pod_security;
mod report;
mod run;
mod shrink;
mod values;

use run::Run;
use std::{path::PathBuf, time::Instant};

/// Sessions in `make test`.
const SPECS: usize = 500;

#[tokio::test(flavor = "multi_thread")]
async fn what_we_deny_is_what_the_api_server_refuses() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let specs = number("SOJOURN_DIFFERENTIAL_SPECS").map_or(SPECS, |specs| specs.try_into().unwrap());
    let seed = number("SOJOURN_DIFFERENTIAL_SEED").unwrap_or(1);

    let oracle = oracle::Oracle::start().await;
    let generator = generate::Generator::new(seed);
    let begun = Instant::now();
    let mut run = Run::new(&oracle, &generator);
    run.ask(specs).await;
    run.reach_the_rest().await;
    let asked = begun.elapsed();
    println!("{}, in {:.1?}", run.figures(), asked);
    let groups = run.shrunk().await;
    println!("{} groups of disagreements, shrunk in {:.1?}", groups.len(), begun.elapsed() - asked);
    let never = run.never_set();
    oracle.stop().await;

    let report = report_path();
    std::fs::create_dir_all(report.parent().unwrap()).unwrap();
    std::fs::write(&report, report::whole(&groups)).unwrap();
    assert!(never.is_empty(), "fields that no session sets: {never:#?}");
    assert!(groups.is_empty(), "see {}\n{}", report.display(), report::summary(&groups));
}

fn report_path() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from);
    target.join("differential/report.txt")
}
