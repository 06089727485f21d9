//! Part e: instructions per admission, counted by callgrind, for each webhook and what it may be asked.
//!
//! A count hardly depends on the machine or on what else runs on it, so commits can be compared. The router is asked in
//! memory, without TLS. What a program needs to begin with is the same however often it asks, and falls away.

use crate::{
    fixture,
    table::{Bound, Row, Table},
};
use anyhow::{Context as _, bail, ensure};
use axum::{
    Router,
    body::{Body, Bytes},
    http::Request,
};
use http_body_util::BodyExt as _;
use sojourn_webhooks::{
    Operation, TABLE,
    case::{Case, CaseFacts, NAMESPACE},
    http::{WebhookState, router},
    table::{VALIDATE_SESSION, row},
};
use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path, process::Command, sync::Arc};
use tower::ServiceExt as _;

/// How often a program asks, and how often another one.
const TIMES: [u32; 2] = [20, 120];
/// How many times what is kept an admission may cost, before somebody has to say that it is meant.
const DEARER: f64 = 1.3;
/// The figures that are kept, to compare with.
const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.md");

/// What a webhook is asked.
struct Asked {
    path: String,
    review: Vec<u8>,
    facts: CaseFacts,
}

/// Counts, and prints the figures beside those that are kept.
pub(crate) fn run(table: &mut Table) -> anyhow::Result<()> {
    let kept = read_kept();
    for (name, (_, count)) in count_all()? {
        let limit = kept.get(&name).copied();
        table.add(Row {
            part: 'e',
            value: count,
            limit,
            figure: format!("instructions, {name}"),
            unit: "",
            bound: if limit.is_some() { Bound::RatioAtMost(DEARER) } else { Bound::None },
        });
    }
    Ok(())
}

/// Counts, and keeps the figures.
pub(crate) fn keep() -> anyhow::Result<()> {
    let mut text = String::from(
        "# Instructions per admission\n\n\
         Written by `make instructions`; commit it with what changes it. Counted by callgrind, in a release build: the\n\
         router in memory, from the request to the answer, without TLS. For each webhook the largest case of the corpus\n\
         that is let through on creation and on update, and the largest that is refused; and a session of 11 KB, as\n\
         `kubectl apply` writes it.\n\n\
         | webhook and request | bytes | instructions |\n|---|---:|---:|\n",
    );
    for (name, (bytes, count)) in count_all()? {
        writeln!(text, "| {name} | {bytes} | {count:.0} |")?;
    }
    fs::write(KEPT, text).with_context(|| format!("cannot write {KEPT}"))
}

fn read_kept() -> BTreeMap<String, f64> {
    let text = fs::read_to_string(KEPT).unwrap_or_default();
    let figure = |line: &str| {
        let mut cells = line.strip_prefix("| ")?.split('|').map(str::trim);
        Some((cells.next()?.to_owned(), cells.nth(1)?.parse().ok()?))
    };
    text.lines().filter_map(figure).collect()
}

/// By what is asked: the size of the review, and the instructions that the answer takes.
fn count_all() -> anyhow::Result<BTreeMap<String, (usize, f64)>> {
    let mut counts = BTreeMap::new();
    for (name, asked) in all()? {
        let [few, many] = TIMES.map(|times| count(&name, times));
        let each = (many? - few?) / f64::from(TIMES[1] - TIMES[0]);
        counts.insert(name, (asked.review.len(), each));
    }
    Ok(counts)
}

/// Instructions of a program that asks so many times.
fn count(name: &str, times: u32) -> anyhow::Result<f64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(["--ask", name, "--times", &times.to_string()])
        .output()
        .context("cannot run valgrind, which counts instructions: is it installed?")?;
    let said = String::from_utf8_lossy(&output.stderr);
    let count = said.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    count.filter(|_| output.status.success()).with_context(|| format!("valgrind said: {said}"))
}

/// What is counted: asks the webhook so many times.
pub(crate) async fn ask(name: &str, times: u32) -> anyhow::Result<()> {
    let Some(asked) = all()?.remove(name) else { bail!("nothing is known of {name}") };
    let facts = Arc::new(asked.facts.known(NAMESPACE)?);
    let routes: Router =
        router(WebhookState { facts: facts.clone(), authorizer: facts, metrics: Arc::default() })
            .with_state(());
    let body = Bytes::from(asked.review);
    for _ in 0..times {
        let request = Request::post(&asked.path).header("content-type", "application/json");
        let response = routes.clone().oneshot(request.body(Body::from(body.clone()))?).await?;
        ensure!(response.status().is_success(), "{name}: {}", response.status());
        response.into_body().collect().await?;
    }
    Ok(())
}

/// Everything that is asked, by name.
fn all() -> anyhow::Result<BTreeMap<String, Asked>> {
    let cases = cases()?;
    let mut all = BTreeMap::new();
    for row in &TABLE {
        let cases = || cases.iter().filter(|case| case.webhook == row.name);
        for (what, case) in [
            ("create", largest(cases().filter(|case| is(case, Operation::Create, true)))),
            ("update", largest(cases().filter(|case| is(case, Operation::Update, true)))),
            ("refused", largest(cases().filter(|case| !case.expect.allowed))),
        ] {
            let Some(case) = case else { continue };
            let review = case.review("the-uid").to_string().into_bytes();
            let asked = Asked { path: row.path(), review, facts: case.facts.clone() };
            all.insert(format!("{} {what}", row.name), asked);
        }
    }
    let row = row(VALIDATE_SESSION).context("the table has a row for sessions")?;
    let applied = Asked { path: row.path(), review: fixture::review()?, facts: CaseFacts::default() };
    all.insert(format!("{} create, 11 KB", row.name), applied);
    Ok(all)
}

fn is(case: &Case, operation: Operation, allowed: bool) -> bool {
    case.operation == operation && case.expect.allowed == allowed
}

fn largest<'a>(cases: impl Iterator<Item = &'a Case>) -> Option<&'a Case> {
    cases.max_by_key(|case| case.review("").to_string().len())
}

/// The corpus, in the order of its files.
fn cases() -> anyhow::Result<Vec<Case>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../webhooks/cases");
    let mut files = Vec::new();
    for folder in fs::read_dir(root)?.collect::<Result<Vec<_>, _>>()? {
        if folder.path().is_dir() {
            files.extend(fs::read_dir(folder.path())?.collect::<Result<Vec<_>, _>>()?);
        }
    }
    let mut paths: Vec<_> = files.iter().map(fs::DirEntry::path).collect();
    paths.sort();
    let read = |path: &Path| {
        let text = fs::read_to_string(path)?;
        serde_saphyr::from_str(&text).with_context(|| format!("{} is no case", path.display()))
    };
    paths.iter().map(|path| read(path)).collect()
}
