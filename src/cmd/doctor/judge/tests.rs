//! The judgement on facts that are hard to bring about on a cluster; the rest is in the end-to-end tests.

use super::*;
use crate::cmd::doctor::facts::Right;
use rstest::rstest;
use serde_json::json;
use sojourn_webhooks::{
    config::{self, ConfigSettings, Scope},
    table::{TABLE, WebhookType},
};

const OPERATOR: &str = "system:serviceaccount:home:sojourn";

fn now() -> Timestamp {
    "2026-01-01T00:01:00Z".parse().unwrap()
}

/// An installation against which nothing speaks.
fn healthy() -> Installation {
    let settings = ConfigSettings {
        name: "sojourn".into(),
        endpoint: config::Endpoint::Url("https://127.0.0.1:1".into()),
        ca_bundle: b"pem".to_vec(),
        operator_user: OPERATOR.into(),
        scope: Scope::Cluster,
    };
    let webhooks = |one: Value| one["webhooks"].as_array().cloned();
    Installation {
        name: "sojourn".into(),
        validating: webhooks(json!(config::validating(&settings))),
        mutating: webhooks(json!(config::mutating(&settings))),
        handshake: Handshake::Verified,
        endpoints: Some(Ok(vec![on("a", true), on("b", true)])),
        lease: Some(Ok(Some(Lease {
            holder: "one".into(),
            renewed: Some("2026-01-01T00:00:58Z".parse().unwrap()),
            seconds: 15,
        }))),
        rights: Ok(vec![Right { what: "list pods".into(), allowed: true }]),
        trial_namespace: "default".into(),
        bad_trial: Trial::Refused { code: 422, message: format!("{TELLING}: no") },
        good_trial: Trial::Admitted,
    }
}

fn on(node: &str, ready: bool) -> Endpoint {
    Endpoint { ready, node: Some(node.into()) }
}

fn judged(installation: Installation) -> Vec<Health> {
    let facts = Facts {
        now: now(),
        me: "admin".into(),
        crds: Vec::new(),
        configurations: Ok(()),
        installations: vec![installation],
    };
    judge(&facts)
}

/// Level and message of one check.
fn one(installation: Installation, name: &str) -> (Level, String) {
    let checks = judged(installation);
    let found = checks.iter().find(|check| check.name.contains(name));
    found.map_or_else(|| panic!("{name} in {checks:#?}"), |check| (check.level, check.message.clone()))
}

#[test]
fn what_is_well_is_well_and_what_is_not_names_a_way_out() {
    assert!(judged(healthy()).iter().all(|check| check.level == Level::Ok), "{:#?}", judged(healthy()));
    let broken = Installation { validating: None, handshake: Handshake::NoBundle, ..healthy() };
    let broken = judged(broken);
    let ill: Vec<_> = broken.iter().filter(|check| check.level != Level::Ok).collect();
    // Each webhook that validates, and the certificate.
    let validating = TABLE.iter().filter(|row| row.webhook_type == WebhookType::Validating).count();
    assert_eq!(ill.len(), validating + 1, "{ill:#?}");
    assert!(ill.iter().all(|check| check.way_out.is_some()));
}

#[rstest]
#[case::none(vec![on("a", false)], Level::Fail, "none of 1 replicas")]
#[case::nobody(vec![], Level::Fail, "none of 0 replicas")]
#[case::one(vec![on("a", true), on("b", false)], Level::Warn, "one replica")]
#[case::one_node(vec![on("a", true), on("a", true)], Level::Warn, "all on node a")]
fn a_service_with_few_replicas_is_told(#[case] all: Vec<Endpoint>, #[case] level: Level, #[case] says: &str) {
    let (found, message) = one(Installation { endpoints: Some(Ok(all)), ..healthy() }, "endpoints");
    assert!(found == level && message.contains(says), "{found:?} {message}");
}

#[rstest]
#[case::stale("one", Some("2026-01-01T00:00:44Z"), Level::Fail)]
#[case::just_in_time("one", Some("2026-01-01T00:00:45Z"), Level::Ok)]
#[case::clock_ahead("one", Some("2026-01-01T00:01:01Z"), Level::Ok)]
#[case::released("", Some("2026-01-01T00:00:59Z"), Level::Fail)]
#[case::never("one", None, Level::Fail)]
fn a_lease_that_nobody_keeps_is_told(#[case] holder: &str, #[case] at: Option<&str>, #[case] level: Level) {
    let renewed = at.map(|at| at.parse().unwrap());
    let lease = Lease { holder: holder.into(), renewed, seconds: 15 };
    assert_eq!(one(Installation { lease: Some(Ok(Some(lease))), ..healthy() }, "leader").0, level);
}

#[rstest]
#[case::policy("/failurePolicy", json!("Ignore"), Level::Fail)]
#[case::no_policy_said("/failurePolicy", Value::Null, Level::Ok)]
#[case::slow("/timeoutSeconds", json!(30), Level::Warn)]
#[case::quick("/timeoutSeconds", json!(2), Level::Ok)]
#[case::everywhere("/namespaceSelector", Value::Null, Level::Fail)]
#[case::kube_system("/namespaceSelector/matchExpressions/0/values", json!(["kube-node-lease"]), Level::Fail)]
#[case::more_left_alone("/namespaceSelector/matchExpressions/0/values",
    json!(["kube-system", "kube-node-lease", "other"]), Level::Ok)]
#[case::wildcard("/rules/0/apiGroups", json!(["*"]), Level::Fail)]
#[case::conditions("/matchConditions/1/expression", json!("true"), Level::Warn)]
#[case::reviews("/admissionReviewVersions", json!(["v1beta1"]), Level::Fail)]
fn a_changed_configuration_is_told(#[case] path: &str, #[case] value: Value, #[case] level: Level) {
    let mut changed = healthy();
    let webhook = changed.validating.as_mut().unwrap().first_mut().unwrap();
    *webhook.pointer_mut(path).unwrap() = value;
    let worst = judged(changed).into_iter().map(|check| check.level).max();
    assert_eq!(worst, Some(level));
}

#[test]
fn different_bundles_are_told() {
    let mut changed = healthy();
    changed.mutating.as_mut().unwrap()[0]["clientConfig"]["caBundle"] = Value::Null;
    assert_eq!(one(changed, "bundle").0, Level::Fail);
}

#[rstest]
#[case::other_webhook(Trial::Refused { code: 400, message: "policy X denied it".into() }, Level::Fail)]
#[case::no_rights(Trial::Refused { code: 403, message: "you cannot create".into() }, Level::Warn)]
#[case::down(Trial::Refused { code: 500, message: format!("{UNANSWERED} \"x\": refused") }, Level::Fail)]
#[case::missing(Trial::Refused { code: 404, message: "not found".into() }, Level::Fail)]
#[case::unguarded(Trial::Admitted, Level::Fail)]
fn a_trial_that_went_otherwise_is_told(#[case] trial: Trial, #[case] level: Level) {
    assert_eq!(one(Installation { bad_trial: trial, ..healthy() }, "refusal").0, level);
}

#[test]
fn the_operator_itself_is_not_judged() {
    let installation = Installation { bad_trial: Trial::Admitted, ..healthy() };
    assert_eq!(bad_trial(&installation, OPERATOR).level, Level::Warn);
}

#[test]
fn what_may_not_be_seen_is_a_warning() {
    let hidden = Installation {
        endpoints: Some(Err(Unseen::Forbidden)),
        rights: Err(Unseen::Failed("no answer".into())),
        ..healthy()
    };
    let worst = judged(hidden).into_iter().map(|check| check.level).max();
    assert_eq!(worst, Some(Level::Warn));
}

#[test]
fn installations_for_namespaces_are_known_by_their_selector() {
    let mut listed = healthy();
    assert_eq!((listed.namespaces(), listed.operator_user()), (None, Some(OPERATOR.to_owned())));
    if let Some(webhooks) = &mut listed.validating {
        webhooks.retain(|webhook| webhook["rules"][0]["scope"] != "Cluster");
    }
    for webhook in listed.validating.iter_mut().chain(&mut listed.mutating).flatten() {
        webhook["namespaceSelector"] = json!({"matchExpressions": [
            {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["a", "b"]},
        ]});
    }
    assert_eq!(listed.namespaces(), Some(vec!["a".to_owned(), "b".to_owned()]));
    assert!(judged(listed).iter().all(|check| check.level == Level::Ok));
}
