//! Where IDEs are said to be: Secrets as the API server tells of them.
//!
//! An IDE under test is on loopback, where no Secret may lead; so what is seen here is what is refused, and why.

use crate::{
    stage::{Stage, object},
    support::OPERATOR,
};
use k8s_openapi::api::core::v1::{Secret, Service};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use sojourn_crds::ide_session::{IdeSessionStatus, State, endpoint::ENDPOINT_ANNOTATION};

/// Where Secrets are read when nothing else is said.
const NAMESPACE: &str = OPERATOR.0;

fn secret(name: &str, port: &str) -> Secret {
    let secret = json!({
        "metadata": {"name": name, "labels": {"sojourn.dev/ide-endpoint": "true"}},
        "stringData": {"DEBUG_SESSION_PORT": port, "DEBUG_SESSION_TOKEN": "s3cret-0f-a-secret"},
    });
    serde_json::from_value(secret).unwrap()
}

async fn ask_for(stage: &Stage, name: &str, secret: &str) {
    let mut session = object(name, "Running");
    let annotation = (ENDPOINT_ANNOTATION.to_owned(), format!("{NAMESPACE}/{secret}"));
    session.metadata.annotations = Some([annotation].into());
    stage.api().create(&PostParams::default(), &session).await.unwrap();
}

fn says(status: &IdeSessionStatus, kind: &str, reason: &str) -> bool {
    status.conditions.iter().any(|c| c.kind == kind && c.reason.as_deref() == Some(reason))
}

async fn change(secrets: &Api<Secret>, name: &str, patch: Value) {
    secrets.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_counts_when_it_is_there_labelled_and_whole() {
    let stage = Stage::set().await;
    let secrets: Api<Secret> = Api::namespaced(stage.client.clone(), NAMESPACE);
    ask_for(&stage, "by-secret", "vscode").await;
    let until = async |kind: &'static str, reason: &'static str| {
        stage.eventually("by-secret", reason, |status| says(status, kind, reason)).await
    };
    let status = until("EndpointReady", "SecretNotFound").await;
    assert_eq!(status.state, State::Initial);

    let mut unlabelled = secret("vscode", "localhost:1");
    unlabelled.metadata.labels = None;
    secrets.create(&PostParams::default(), &unlabelled).await.unwrap();
    let label = |value: Value| json!({"metadata": {"labels": {"sojourn.dev/ide-endpoint": value}}});
    change(&secrets, "vscode", json!({"stringData": {"DEBUG_SESSION_PORT": "no port"}})).await;
    change(&secrets, "vscode", label(json!("true"))).await;
    until("EndpointReady", "SecretInvalid").await;
    change(&secrets, "vscode", label(Value::Null)).await;
    until("EndpointReady", "SecretNotFound").await;

    // Loopback is the operator's own pod.
    change(&secrets, "vscode", json!({"stringData": {"DEBUG_SESSION_PORT": "localhost:1"}})).await;
    change(&secrets, "vscode", label(json!("true"))).await;
    let status = until("IDEConnected", "AddressNotAllowed").await;
    let shown = serde_json::to_string(&status).unwrap();
    assert!(shown.contains("loopback") && !shown.contains("s3cret"), "{shown}");
    assert!(stage.ide.asked().is_empty(), "the environment's IDE is another one");
    stage.delete("by-secret").await;
    stage.gone("by-secret").await;
    secrets.delete("vscode", &DeleteParams::default()).await.unwrap();
    stage.strike().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_leads_out_of_the_cluster_is_not_followed() {
    let stage = Stage::set().await;
    let secrets: Api<Secret> = Api::namespaced(stage.client.clone(), NAMESPACE);
    let services: Api<Service> = Api::namespaced(stage.client.clone(), NAMESPACE);
    let out = json!({
        "metadata": {"name": "outside"},
        "spec": {"type": "ExternalName", "externalName": "localhost"},
    });
    services.create(&PostParams::default(), &serde_json::from_value(out).unwrap()).await.unwrap();
    secrets
        .create(&PostParams::default(), &secret("outside", &format!("outside.{NAMESPACE}.svc:1")))
        .await
        .unwrap();
    ask_for(&stage, "outside", "outside").await;
    stage
        .eventually("outside", "is not connected", |status| {
            let connected = status.conditions.iter().find(|c| c.kind == "IDEConnected");
            let message = connected.and_then(|c| c.message.as_deref()).unwrap_or_default();
            message.contains("ExternalName")
        })
        .await;
    // It is waiting for its IDE, and can be deleted all the same.
    stage.delete("outside").await;
    stage.gone("outside").await;
    services.delete("outside", &DeleteParams::default()).await.unwrap();
    secrets.delete("outside", &DeleteParams::default()).await.unwrap();
    stage.strike().await;
}
