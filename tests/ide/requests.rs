//! What requests look like on the wire.

use crate::support::{LAUNCH, Pair, options};
use serde_json::{Value, json};
use sojourn::ide::{Launch, RunRequest, launch::EnvVar};
use sojourn_fake_ide::Options as FakeOptions;

#[tokio::test]
async fn every_request_has_both_headers_and_all_but_info_the_version() {
    let pair = Pair::new().await;
    let session = pair.running().await;
    pair.connection.stop(&session).await.unwrap();
    let asked = pair.ide.asked();
    let seen: Vec<_> = asked.iter().map(|asked| (asked.method.as_str(), asked.path.as_str())).collect();
    let stop = format!("/run_session/{session}");
    let expected =
        [("GET", "/info"), ("GET", "/run_session/notify"), ("PUT", "/run_session"), ("DELETE", &stop)];
    assert_eq!(seen, expected);
    for asked in &asked {
        assert_eq!(asked.authorization.as_deref(), Some("Bearer t0ps3cret-t0ken"));
        assert_eq!(asked.instance, asked_instance(&asked.instance), "one instance id for all");
        assert_eq!(asked.instance, pair.ide.asked()[0].instance);
        let version = if asked.path == "/info" { "" } else { "api-version=2025-10-01" };
        assert_eq!(asked.query, version, "{}", asked.path);
    }
    pair.assert_clean();
}

/// The id, if it is made as it should be: without a prefix, twelve letters.
fn asked_instance(instance: &Option<String>) -> Option<String> {
    instance.clone().filter(|id| id.len() == 12 && id.bytes().all(|b| b.is_ascii_lowercase()))
}

#[tokio::test]
async fn the_prefix_makes_us_the_owner_of_a_session() {
    let pair = Pair::with(FakeOptions { owners: true, ..FakeOptions::default() }, options()).await;
    let session = pair.running().await;
    pair.connection.stop(&session).await.unwrap();
    for asked in pair.ide.asked() {
        assert!(asked.instance.unwrap().starts_with("aspire-extension-run-fake-"));
    }
    pair.assert_clean();
}

#[tokio::test]
async fn the_payload_reaches_the_ide_as_it_is() {
    let pair = Pair::new().await;
    pair.running().await;
    let put = pair.ide.asked_for("PUT", "/run_session").remove(0);
    assert_eq!(put.body, format!(r#"{{"launch_configurations":{LAUNCH}}}"#));
    assert_eq!(put.content_type.as_deref(), Some("application/json"));
    pair.assert_clean();
}

#[tokio::test]
async fn environment_and_arguments_go_along() {
    let pair = Pair::new().await;
    let request = RunRequest {
        env: vec![EnvVar { name: "A".into(), value: "1".into() }],
        args: vec!["-v".into()],
        ..Launch::read(LAUNCH).unwrap().into()
    };
    pair.connection.start(&request).await.unwrap();
    let body: Value = serde_json::from_str(&pair.ide.asked_for("PUT", "/run_session")[0].body).unwrap();
    assert_eq!((&body["env"], &body["args"]), (&json!([{"name": "A", "value": "1"}]), &json!(["-v"])));
    pair.assert_clean();
}

#[tokio::test]
async fn an_older_ide_is_spoken_to_in_its_version() {
    let info = json!({"protocols_supported": ["2024-03-03"]});
    let pair = Pair::with(FakeOptions { info, ..FakeOptions::default() }, options()).await;
    pair.running().await;
    assert_eq!(pair.ide.asked_for("PUT", "/run_session")[0].query, "api-version=2024-03-03");
    pair.assert_clean();
}
