//! The examples of a rule: the shortest case of the corpus that it refuses, and the most similar one that is fine.

use serde_json::Value;
use sojourn_webhooks::case::Case;

include!(concat!(env!("OUT_DIR"), "/cases.rs"));

/// One example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Example {
    /// Name of the case.
    pub(super) name: &'static str,
    /// What it shows.
    pub(super) about: String,
    /// The objects, as YAML.
    pub(super) yaml: String,
}

/// The corpus.
pub(super) struct Corpus(Vec<(&'static str, Case)>);

impl Corpus {
    /// Reads the corpus that is built in.
    pub(super) fn read() -> Result<Self, serde_saphyr::Error> {
        let cases = CASES.iter().map(|(name, text)| Ok((*name, serde_saphyr::from_str(text)?)));
        cases.collect::<Result<_, _>>().map(Self)
    }

    /// What `code` finds: the case with the fewest findings, and of those the smallest.
    pub(super) fn bad(&self, code: &str) -> Option<(&'static str, &Case)> {
        let found = |case: &Case| case.expect.findings.iter().any(|finding| finding.code == code);
        let size = |case: &Case| (case.expect.findings.len(), case.object.as_ref().map(size_of));
        let shown = self.0.iter().filter(|(_, case)| found(case));
        shown.min_by_key(|(_, case)| size(case)).map(|(name, case)| (*name, case))
    }

    /// The case nearest to `bad` against which nothing speaks.
    pub(super) fn good(&self, bad: &(&'static str, &Case)) -> Option<(&'static str, &Case)> {
        let rule = |name: &str| name.split('-').next().unwrap_or_default().to_owned();
        let twins = self.0.iter().filter(|(name, case)| {
            rule(name) == rule(bad.0) && case.expect.allowed && case.expect.findings.is_empty()
        });
        let common = |name: &str| name.bytes().zip(bad.0.bytes()).take_while(|(a, b)| a == b).count();
        let likeness = |(name, case): &&(&str, Case)| (case.operation == bad.1.operation, common(name));
        twins.max_by_key(likeness).map(|(name, case)| (*name, case))
    }
}

fn size_of(object: &Value) -> usize {
    object.to_string().len()
}

impl Example {
    /// The objects of a case: the sessions that are there, the object as it is, the object as it shall be.
    pub(super) fn of((name, case): (&'static str, &Case)) -> Result<Self, serde_saphyr::SerializeError> {
        let mut yaml = String::new();
        let mut add = |title: &str, object: &Value| {
            let text = serde_saphyr::to_string(object)?;
            let start = if yaml.is_empty() { "" } else { "---\n" };
            yaml.push_str(&format!("{start}# {title}\n{text}"));
            Ok::<_, serde_saphyr::SerializeError>(())
        };
        for session in &case.facts.sessions {
            add("the session, as it is", session)?;
        }
        if let Some(old) = &case.old {
            add("as it is", old)?;
        }
        if let Some(object) = &case.object {
            add(if case.old.is_some() { "as it shall be" } else { "applied" }, object)?;
        }
        Ok(Self { name, about: case.about.clone(), yaml })
    }
}
