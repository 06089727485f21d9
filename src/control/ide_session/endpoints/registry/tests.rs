//! The choice among endpoints, and what becomes of Secrets.

use super::*;
use crate::reason::Reason;
use k8s_openapi::{ByteString, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use rstest::rstest;
use serde_json::{Value, json};

fn secret(name: &str, uid: &str, port: &str) -> Secret {
    let data = [("DEBUG_SESSION_PORT", port), ("DEBUG_SESSION_TOKEN", "s3cret")];
    Secret {
        metadata: ObjectMeta {
            namespace: Some("ides".into()),
            name: Some(name.into()),
            uid: Some(uid.into()),
            ..ObjectMeta::default()
        },
        data: Some(data.map(|(key, value)| (key.to_owned(), ByteString(value.into()))).into()),
        ..Secret::default()
    }
}

fn registry(environment: bool, default: Option<&str>) -> EndpointRegistry {
    let endpoint = Endpoint::read(Origin::Environment, |name| {
        Some(match name {
            "DEBUG_SESSION_PORT" => "1".to_owned(),
            "DEBUG_SESSION_TOKEN" => "s3cret".to_owned(),
            _ => return None,
        })
    });
    let settings = IdeSettings {
        environment: environment.then_some(endpoint),
        default_secret: default.and_then(EndpointSecret::parse),
        namespaces: vec!["ides".into()],
        ..IdeSettings::default()
    };
    let mut registry = EndpointRegistry::new(&settings, "home");
    registry.apply(&secret("a", "uid-a", "vscode.ides.svc:1")).unwrap();
    registry.apply(&secret("b", "uid-b", "vscode.ides.svc:2")).unwrap();
    registry
}

fn session(annotation: Option<&str>, status: Value) -> IdeSession {
    let annotations = annotation.map(|value| json!({ENDPOINT_ANNOTATION: value}));
    serde_json::from_value(json!({
        "metadata": {"name": "s", "uid": "u", "annotations": annotations},
        "spec": {"launchConfigurations": "[{}]"},
        "status": status,
    }))
    .unwrap()
}

fn chosen(registry: &EndpointRegistry, session: &IdeSession) -> String {
    match registry.choose(session) {
        Ok((EndpointSource::Environment, _)) => "environment".to_owned(),
        Ok((EndpointSource::Secret(secret), known)) => {
            assert!(known.secret_uid.is_some());
            secret.to_string()
        }
        Err(missing) => missing.reason.as_str().to_owned(),
    }
}

#[rstest]
#[case::annotation(Some("ides/b"), true, Some("ides/a"), "ides/b")]
#[case::operators_secret(None, true, Some("ides/a"), "ides/a")]
#[case::environment(None, true, None, "environment")]
#[case::nothing(None, false, None, "NoEndpoint")]
#[case::annotation_that_names_none(Some("ides/c"), true, Some("ides/a"), "SecretNotFound")]
#[case::annotation_that_is_none(Some("ides"), true, Some("ides/a"), "EndpointInvalid")]
#[case::namespace_of_others(Some("kube-system/a"), true, None, "NamespaceNotRead")]
#[case::operators_secret_that_is_not_there(None, true, Some("ides/c"), "SecretNotFound")]
fn the_first_that_is_named_counts(
    #[case] annotation: Option<&str>,
    #[case] environment: bool,
    #[case] default: Option<&str>,
    #[case] expected: &str,
) {
    assert_eq!(chosen(&registry(environment, default), &session(annotation, Value::Null)), expected);
}

#[rstest]
#[case::its_secret(json!({"secretUID": "uid-b", "instanceID": "i"}), "ides/b")]
#[case::its_environment(json!({"instanceID": "i"}), "environment")]
#[case::a_secret_made_anew(json!({"secretUID": "uid-old", "instanceID": "i"}), "ides/a")]
#[case::nothing_on_record(json!({}), "ides/a")]
fn a_session_stays_where_it_ran(#[case] endpoint: Value, #[case] expected: &str) {
    let registry = registry(true, Some("ides/a"));
    let running = session(None, json!({"state": "Running", "endpoint": endpoint}));
    assert_eq!(chosen(&registry, &running), expected);
    let initial = session(None, json!({"state": "", "endpoint": endpoint}));
    assert_eq!(chosen(&registry, &initial), "ides/a", "it has not run yet");
}

#[test]
fn a_session_of_a_secret_never_moves_to_the_environment() {
    let status = json!({"state": "Running", "endpoint": {"secretUID": "gone", "instanceID": "i"}});
    assert_eq!(chosen(&registry(true, None), &session(None, status)), "NoEndpoint");
}

#[test]
fn an_identity_lasts_as_long_as_its_secret_and_no_other_has_it() {
    let id = |registry: &EndpointRegistry, name: &str| {
        let secret = EndpointSecret { namespace: "ides".into(), name: name.into() };
        registry.get(&EndpointSource::Secret(secret)).unwrap().instance.clone()
    };
    let mut first = registry(true, None);
    let (a, b) = (id(&first, "a"), id(&first, "b"));
    assert_ne!(a, b);
    assert_eq!(id(&registry(true, None), "a"), a, "another life");
    first.apply(&secret("a", "uid-a", "vscode.ides.svc:9")).unwrap();
    assert_eq!(id(&first, "a"), a, "other credentials");
    let environment = registry(true, None).get(&EndpointSource::Environment).unwrap().instance.clone();
    assert_eq!(first.get(&EndpointSource::Environment).unwrap().instance, environment);
}

#[test]
fn only_what_changes_an_endpoint_is_news() {
    let mut registry = registry(false, None);
    let mut same = secret("a", "uid-a", "vscode.ides.svc:1");
    same.metadata.resource_version = Some("9".into());
    same.metadata.labels = Some([("x".to_owned(), "y".to_owned())].into());
    assert_eq!(registry.apply(&same), None);
    let a = EndpointSource::Secret(EndpointSecret { namespace: "ides".into(), name: "a".into() });
    let b = EndpointSource::Secret(EndpointSecret { namespace: "ides".into(), name: "b".into() });
    assert_eq!(registry.apply(&secret("a", "uid-a", "no port")), Some(a.clone()));
    assert_eq!(chosen(&registry, &session(Some("ides/a"), Value::Null)), "SecretInvalid");
    assert_eq!(registry.get(&a), None);
    assert_eq!(registry.remove(&same), Some(a));
    assert_eq!(registry.remove(&same), None);
    assert_eq!(registry.retain("elsewhere", &HashSet::new()), []);
    assert_eq!(registry.retain("ides", &HashSet::new()), [b]);
}

#[test]
fn nothing_that_is_said_holds_a_token() {
    let mut registry = registry(true, Some("ides/a"));
    registry.apply(&secret("c", "uid-c", "s3cret-looking\u{0}port"));
    assert!(!format!("{registry:?}").contains("s3cret"), "{registry:?}");
}
