//! Every case of the corpus, judged twice: by the pure function and through the router, with one verdict.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed step of a test is a failed test")]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use base64::Engine as _;
use http_body_util::BodyExt;
use serde_json::Value;
use sojourn_crds::text::on_one_line;
use sojourn_webhooks::case::NAMESPACE;
use sojourn_webhooks::http::{WebhookState, router};
use sojourn_webhooks::metrics::Metrics;
use sojourn_webhooks::{Code, Severity, table};
use support::{corpus, patch_of, verdict};
use tower::ServiceExt;

#[test]
fn the_pure_judge_gives_what_each_case_expects() {
    let mut wrong = Vec::new();
    for (name, case) in corpus() {
        let verdict = verdict(&case, &case.facts.known(NAMESPACE).unwrap());
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

/// The original names what changed before what is wrong, whatever the fields are called.
#[test]
fn what_is_wrong_with_an_ide_session_is_said_in_the_order_of_the_original() {
    let case = &corpus()["idesession/desired-everything-wrong"];
    let found = verdict(case, &case.facts.known(NAMESPACE).unwrap()).findings;
    let found: Vec<_> = found.iter().map(|finding| finding.code.id()).collect();
    let wanted: Vec<_> = case.expect.findings.iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!(found, wanted);
}

#[tokio::test]
async fn the_router_gives_the_same() {
    let mut cut = Vec::new();
    for (name, case) in corpus() {
        let known = case.facts.known(NAMESPACE).unwrap();
        let verdict = verdict(&case, &known);
        let known = Arc::new(known);
        let guard =
            WebhookState { facts: known.clone(), authorizer: known, metrics: Arc::new(Metrics::default()) };
        let request = Request::post(table::row(&case.webhook).unwrap().path())
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
            findings.map(|finding| on_one_line(finding.path.as_str()).into_owned()).collect::<Vec<_>>()
        };
        let causes = answer["status"]["details"]["causes"].as_array().cloned().unwrap_or_default();
        let causes: Vec<_> = causes.iter().map(|cause| cause["field"].as_str().unwrap().to_owned()).collect();
        assert_eq!(causes, fields(Severity::Deny), "{name}");
        let warnings = answer["warnings"].as_array().cloned().unwrap_or_default();
        assert_eq!(warnings.len(), fields(Severity::Warn).len(), "{name}");
        let texts = warnings.iter().map(|warning| warning.as_str().unwrap());
        let too_long = texts.filter(|text| text.chars().count() > 120 || text.ends_with('…'));
        cut.extend(too_long.map(|text| format!("{name}: {text}")));
        let patch = answer["patch"].as_str().map_or(Value::Array(Vec::new()), |text| {
            let decoded = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
            serde_json::from_slice(&decoded).unwrap()
        });
        assert_eq!(patch, patch_of(&case), "{name}");
    }
    assert!(cut.is_empty(), "cut warnings: {cut:#?}");
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
