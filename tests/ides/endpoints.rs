//! Sessions whose IDE is that of a Secret: what is wrong with it can be read, and what is put right is taken up.

use crate::{
    play::{Play, condition, is, play},
    support::{OPERATOR, must},
};
use serde_json::json;
use sojourn_cluster::kubectl;
use sojourn_crds::ide_session::{IdeSession, State};
use sojourn_fake_ide::Asked;

/// A session whose annotation names a Secret.
async fn of_secret(play: &Play, secret: &str) {
    let mut manifest = play.manifest("Running");
    manifest["metadata"]["annotations"] = json!({"sojourn.dev/ide-endpoint-secret": secret});
    must(play.scene.apply(&manifest).await);
}

async fn secret(play: &Play, name: &str, label: bool, data: serde_json::Value) {
    let labels = if label { json!({"sojourn.dev/ide-endpoint": "true"}) } else { json!({}) };
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "stringData": data,
                        "metadata": {"name": name, "namespace": OPERATOR.0, "labels": labels}});
    apply(play, &secret).await;
}

/// Applies an object in the namespace that it names.
async fn apply(play: &Play, object: &serde_json::Value) {
    must(kubectl(&play.scene.stage.cluster, &["apply", "-f", "-"], Some(&object.to_string())).await.unwrap());
}

fn said(session: &IdeSession, kind: &str) -> String {
    condition(session.status.as_ref().unwrap(), kind).unwrap().message.clone().unwrap()
}

/// What a person reads who asks why nothing happens.
async fn described(play: &Play) -> String {
    must(play.scene.kubectl(&["describe", "idesession", &play.name]).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn f8_a_secret_that_is_not_there_is_named_and_then_taken_up() {
    let play = play("secret-missing").await;
    let name = format!("{}/ide-missing", OPERATOR.0);
    of_secret(&play, &name).await;
    let session = play.eventually("says so", |it| is(it, "EndpointReady", "False", "SecretNotFound")).await;
    assert_eq!((session.state(), play.creations()), (State::Initial, 0));
    assert!(said(&session, "EndpointReady").contains(&name));
    play.tells("EndpointNotReady: ").await;
    let text = described(&play).await;
    assert!(text.contains("SecretNotFound") && text.contains("sojourn.dev/ide-endpoint"), "{text}");

    // A Secret without the label is none of ours.
    secret(&play, "ide-missing", false, json!({"DEBUG_SESSION_PORT": "1"})).await;
    secret(&play, "ide-missing-other", true, json!({"DEBUG_SESSION_PORT": "1", "DEBUG_SESSION_TOKEN": "x"}))
        .await;
    assert_eq!(play.get().await.unwrap().state(), State::Initial);
    secret(&play, "ide-missing", true, json!({"DEBUG_SESSION_PORT": "1"})).await;
    let session =
        play.eventually("says what it wants", |it| is(it, "EndpointReady", "False", "SecretInvalid")).await;
    assert!(said(&session, "EndpointReady").contains("DEBUG_SESSION_TOKEN"));
    // Without its label it is none of ours any more.
    let unlabel = ["-n", OPERATOR.0, "label", "secret", "ide-missing", "sojourn.dev/ide-endpoint-"];
    must(play.scene.kubectl(&unlabel).await);
    play.eventually("says so again", |it| is(it, "EndpointReady", "False", "SecretNotFound")).await;
    // Put right, without a restart of anything.
    secret(&play, "ide-missing", true, json!({"DEBUG_SESSION_PORT": "1", "DEBUG_SESSION_TOKEN": "x"})).await;
    let session = play.eventually("goes on", |it| it.state() == State::Starting).await;
    assert!(session.status.unwrap().endpoint.unwrap().secret_uid.is_some());
    play.delete().await;
    play.gone().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_is_not_read_is_named() {
    let play = play("secret-elsewhere").await;
    of_secret(&play, "kube-system/ide").await;
    let session = play.eventually("says so", |it| is(it, "EndpointReady", "False", "NamespaceNotRead")).await;
    assert!(said(&session, "EndpointReady").contains("--ide-endpoint-namespaces"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_does_not_go_to_where_a_secret_must_not_lead() {
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "outside", "namespace": OPERATOR.0},
        "spec": {"type": "ExternalName", "externalName": "localhost"}});
    for (name, host, reason, why) in [
        ("secret-loopback", "localhost".to_owned(), "AddressNotAllowed", "loopback"),
        // A Service that leads out of the cluster.
        ("secret-outside", format!("outside.{}.svc", OPERATOR.0), "Unreachable", "ExternalName"),
    ] {
        let play = play(name).await;
        apply(&play, &service).await;
        let port = format!("{host}:{}", play.ide.address().port());
        let data = json!({"DEBUG_SESSION_PORT": port, "DEBUG_SESSION_TOKEN": "elsewhere"});
        secret(&play, name, true, data).await;
        of_secret(&play, &format!("{}/{name}", OPERATOR.0)).await;
        let refused = |session: &IdeSession| {
            let connected = session.status.as_ref().and_then(|status| condition(status, "IDEConnected"));
            connected.is_some_and(|it| it.message.as_ref().is_some_and(|text| text.contains(why)))
        };
        let session = play.eventually("says why", refused).await;
        assert!(is(&session, "IDEConnected", "False", reason), "{session:#?}");
        assert_eq!(session.state(), State::Starting);
        let asked = play.ide.asked();
        let elsewhere = |it: &Asked| it.authorization.as_ref().is_some_and(|text| text.contains("elsewhere"));
        assert!(!asked.iter().any(elsewhere));
        // It waits for its IDE, and can be deleted all the same.
        play.delete().await;
        play.gone().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f7_sessions_that_wait_for_their_ide_hold_up_nobody_and_can_be_called_off() {
    let first = play("waits-0").await;
    secret(&first, "ide-away", true, json!({"DEBUG_SESSION_PORT": "1", "DEBUG_SESSION_TOKEN": "x"})).await;
    let endpoint = format!("{}/ide-away", OPERATOR.0);
    let mut waiting = vec![first];
    for number in 1..12 {
        waiting.push(play(&format!("waits-{number}")).await);
    }
    for play in &waiting {
        of_secret(play, &endpoint).await;
    }
    for play in &waiting {
        play.eventually("waits", |session| is(session, "Ready", "False", "WaitingForIDE")).await;
    }
    // More than there are places for starts.
    let other = play("waits-not").await;
    other.running().await;

    let (stopped, deleted) = waiting.split_at(6);
    for play in stopped {
        play.desire("Stopped").await;
    }
    for play in deleted {
        play.delete().await;
    }
    for play in stopped {
        let status = play.reaches(State::Stopped).await;
        assert_eq!((status.session_id, play.creations()), (None, 0), "{}", play.name);
    }
    for play in deleted {
        play.gone().await;
    }
}
