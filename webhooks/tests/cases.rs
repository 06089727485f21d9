//! Every case of the corpus, judged twice: by the pure function and through the router, with one verdict.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed step of a test is a failed test")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use base64::Engine as _;
use http_body_util::BodyExt;
use serde_json::Value;
use sojourn_webhooks::case::{Case, Known};
use sojourn_webhooks::http::{Guard, router};
use sojourn_webhooks::metrics::Metrics;
use sojourn_webhooks::{Code, Severity, Verdict, judge, table};
use tower::ServiceExt;

/// All cases by `<folder>/<file>`.
fn corpus() -> BTreeMap<String, Case> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
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

fn verdict(case: &Case, known: &Known) -> Verdict {
    let row = table::row(&case.webhook).unwrap_or_else(|| panic!("no row {}", case.webhook));
    judge(row, &case.request(&case.user_info()), known)
}

fn patch_of(case: &Case) -> Value {
    if case.expect.patch.is_null() { Value::Array(Vec::new()) } else { case.expect.patch.clone() }
}

#[test]
fn the_pure_judge_gives_what_each_case_expects() {
    let mut wrong = Vec::new();
    for (name, case) in corpus() {
        let verdict = verdict(&case, &case.facts.known().unwrap());
        let expected = &case.expect;
        let found = verdict.findings.len() == expected.findings.len()
            && expected
                .findings
                .iter()
                .all(|wanted| verdict.findings.iter().any(|finding| wanted.is(finding)));
        let code = (!verdict.allowed()).then(|| verdict.code());
        let patch = serde_json::to_value(&verdict.patch).unwrap();
        if !found
            || verdict.allowed() != expected.allowed
            || code != expected.code
            || patch != patch_of(&case)
        {
            wrong.push(format!("{name}: {code:?} {:#?} {patch}", verdict.findings));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn the_router_gives_the_same() {
    for (name, case) in corpus() {
        let known = case.facts.known().unwrap();
        let verdict = verdict(&case, &known);
        let known = Arc::new(known);
        let guard = Guard { facts: known.clone(), authorizer: known, metrics: Arc::new(Metrics::default()) };
        let request = Request::post(table::row(&case.webhook).unwrap().path)
            .header("content-type", "application/json")
            .body(Body::from(case.review(&name).to_string()))
            .unwrap();
        let response = router(guard).oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{name}");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let answer: Value = serde_json::from_slice(&body).unwrap();
        let answer = &answer["response"];
        assert_eq!(answer["uid"], name.as_str());
        assert_eq!(answer["allowed"], case.expect.allowed, "{name}");
        assert_eq!(answer["status"]["code"].as_u64(), case.expect.code.map(u64::from), "{name}");
        let fields = |severity| {
            let findings = verdict.findings.iter().filter(move |finding| finding.severity == severity);
            findings.map(|finding| finding.path.to_string()).collect::<Vec<_>>()
        };
        let causes = answer["status"]["details"]["causes"].as_array().cloned().unwrap_or_default();
        let causes: Vec<_> = causes.iter().map(|cause| cause["field"].as_str().unwrap().to_owned()).collect();
        assert_eq!(causes, fields(Severity::Deny), "{name}");
        let warnings = answer["warnings"].as_array().cloned().unwrap_or_default();
        assert_eq!(warnings.len(), fields(Severity::Warn).len(), "{name}");
        for warning in &warnings {
            let text = warning.as_str().unwrap();
            assert!(text.chars().count() <= 120 && !text.ends_with('…'), "{name}: cut warning {text}");
        }
        let patch = answer["patch"].as_str().map_or(Value::Array(Vec::new()), |text| {
            let decoded = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
            serde_json::from_slice(&decoded).unwrap()
        });
        assert_eq!(patch, patch_of(&case), "{name}");
    }
}

#[test]
fn every_code_has_a_case_and_every_refusing_rule_a_good_twin() {
    let corpus = corpus();
    let shown: BTreeSet<_> = corpus
        .values()
        .flat_map(|case| case.expect.findings.iter().map(|found| found.code.as_str()))
        .collect();
    let missing: Vec<_> = Code::ALL.iter().map(|code| code.id()).filter(|id| !shown.contains(id)).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");

    let rule = |name: &str| name.split('-').next().unwrap().to_owned();
    let good: BTreeSet<_> = corpus
        .iter()
        .filter(|(_, case)| case.expect.allowed && case.expect.findings.is_empty())
        .map(|(name, _)| rule(name))
        .collect();
    for (name, case) in corpus.iter().filter(|(_, case)| !case.expect.allowed) {
        assert!(good.contains(&rule(name)), "{name} has no good twin");
        assert!(case.about.ends_with('.'), "{name} says nothing");
    }
}
