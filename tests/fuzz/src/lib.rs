//! Fuzz targets: what must hold for any bytes that somebody sends, applies or checks.
//!
//! A target is a function that panics when something does not hold. `make fuzz` drives them with libFuzzer, guided by
//! what is covered; `make test` drives each for a moment, on any toolchain, from the same seeds ([`mutate`]). Seeds are
//! the corpus of the rules, and the files in `seeds/`, where what was once found is kept.

mod admission;
mod manifests;
pub mod mutate;
mod text;

use serde_json::Value;
use sojourn_webhooks::TABLE;
use std::{collections::BTreeMap, fs, path::Path};

/// Panics when something does not hold for an input.
type Holds = Box<dyn Fn(&[u8]) + Send + Sync>;

/// What must hold for any input.
pub struct Target {
    /// Inputs to begin with.
    pub seeds: Vec<Vec<u8>>,
    holds: Holds,
}

impl Target {
    fn new(seeds: Vec<Vec<u8>>, holds: impl Fn(&[u8]) + Send + Sync + 'static) -> Self {
        Self { seeds, holds: Box::new(holds) }
    }

    /// Panics when something does not hold for this input.
    pub fn run(&self, input: &[u8]) {
        (self.holds)(input);
    }
}

/// All targets by name. Each kind that a webhook judges has its own.
pub fn targets() -> BTreeMap<String, Target> {
    let mut targets = BTreeMap::from([
        ("durations".to_owned(), Target::new(kept("durations"), text::duration)),
        ("quantities".to_owned(), Target::new(kept("quantities"), text::quantity)),
        ("manifests".to_owned(), Target::new(manifests(), manifests::check())),
        ("reviews".to_owned(), Target::new(reviews(), admission::review())),
    ]);
    for row in &TABLE {
        let name = format!("rules-{}", row.descriptor.kind.to_lowercase());
        targets.entry(name.clone()).or_insert_with(|| {
            let seeds = [requests(row.descriptor.kind), kept(&name)].concat();
            Target::new(seeds, admission::rules(row.descriptor.kind))
        });
    }
    targets
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files that are kept for a target; a target need not have any.
fn kept(target: &str) -> Vec<Vec<u8>> {
    files(&root().join("seeds").join(target))
}

fn files(folder: &Path) -> Vec<Vec<u8>> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("the folder can be read").path()).collect();
    paths.sort();
    paths
        .iter()
        .filter(|path| path.is_file())
        .map(|path| fs::read(path).expect("a seed can be read"))
        .collect()
}

/// The corpus of the rules: folders of cases.
fn cases() -> Vec<Value> {
    let folders = fs::read_dir(root().join("../../webhooks/cases")).expect("the corpus is there");
    let mut folders: Vec<_> = folders.map(|entry| entry.expect("the folder can be read").path()).collect();
    folders.sort();
    let texts = folders.iter().filter(|path| path.is_dir()).flat_map(|folder| files(folder));
    texts.map(|text| serde_saphyr::from_slice(&text).expect("a case is YAML")).collect()
}

/// What the rules of a kind are asked in the corpus.
fn requests(kind: &str) -> Vec<Vec<u8>> {
    let is_about = |case: &Value| {
        let row = case["webhook"].as_str().and_then(sojourn_webhooks::table::row);
        row.is_some_and(|row| row.descriptor.kind == kind)
    };
    cases().iter().filter(|case| is_about(case)).map(|case| case.to_string().into_bytes()).collect()
}

/// The corpus as reviews, as the API server writes them.
fn reviews() -> Vec<Vec<u8>> {
    let review = |case: &Value| admission::body(case, &case["operation"], &case["old"], &case["object"]);
    cases().iter().map(review).chain(kept("reviews")).collect()
}

/// The objects of the corpus as manifests, the samples of the chart, and what is kept.
fn manifests() -> Vec<Vec<u8>> {
    let objects = cases().into_iter().map(|mut case| case["object"].take());
    let texts = objects.filter(Value::is_object).filter_map(|object| serde_saphyr::to_string(&object).ok());
    let samples = files(&root().join("../../charts/sojourn/examples"));
    texts.map(String::into_bytes).chain(samples).chain(kept("manifests")).collect()
}
