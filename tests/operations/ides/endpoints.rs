//! Operators whose environment describes an IDE that cannot be used: what is wrong is read where people look.

use crate::stage::{HOME, Stage, must};
use serde_json::json;
use sojourn_cluster::eventually;
use sojourn_crds::ide_session::{IdeSession, State};
use sojourn_fake_ide::{FakeIde, Options, certificate};

/// Whether a condition is false for that reason.
fn is_false(session: &IdeSession, kind: &str, reason: &str) -> bool {
    let mut conditions = session.status.iter().flat_map(|status| &status.conditions);
    conditions.any(|it| it.kind == kind && it.status == "False" && it.reason.as_deref() == Some(reason))
}

/// An operator with those variables says of a session, in a condition and in `kubectl describe`, what is wrong.
async fn says(stage: &Stage, variables: &[(&str, String)], kind: &str, reason: &str, parts: &[&str]) {
    let operator = stage.operator(variables, &[]).await;
    let name = reason.to_lowercase();
    stage.create(&name, "Running", None).await;
    stage.becomes(&name, &format!("says {reason}"), |session| is_false(session, kind, reason)).await;
    let describe = async || must(stage.kubectl(&["describe", "idesession", &name]).await);
    for part in parts {
        // Events come after the status.
        let told = eventually(part, async || describe().await.contains(part)).await;
        assert!(told.is_ok(), "{part} was to stand in {}", describe().await);
    }
    stage.delete(&name).await;
    stage.gone(&name).await;
    stage.end(operator).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f8_what_is_wrong_with_the_ide_is_said_of_its_sessions() {
    let stage = Stage::set().await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let variables = |port: u16, token: &str| {
        vec![("DEBUG_SESSION_PORT", format!("localhost:{port}")), ("DEBUG_SESSION_TOKEN", token.to_owned())]
    };
    says(
        &stage,
        &[],
        "EndpointReady",
        "NoEndpoint",
        &["sojourn.dev/ide-endpoint-secret", "EndpointNotReady"],
    )
    .await;
    let incomplete = &variables(nobody, "x")[..1];
    let missing = "missing required environment variable 'DEBUG_SESSION_TOKEN'";
    says(&stage, incomplete, "EndpointReady", "EnvironmentInvalid", &[missing]).await;
    let way_out = "tunnel";
    says(&stage, &variables(nobody, "x"), "IDEConnected", "ConnectionRefused", &["IDENotConnected", way_out])
        .await;

    let ide = FakeIde::start(Options::default()).await.unwrap();
    let wrong = variables(ide.address().port(), "wrong");
    says(&stage, &wrong, "IDEConnected", "TokenRefused", &["InvalidToken", "DEBUG_SESSION_TOKEN must be"])
        .await;
    let info = json!({"protocols_supported": ["2023-01-01"]});
    let old = FakeIde::start(Options { info, ..Options::default() }).await.unwrap();
    let text = "old or incompatible Aspire IDE extension was detected; only Aspire 8.0 and later versions are supported";
    says(&stage, &old.variables(), "IDEConnected", "VersionTooOld", &[text]).await;
    let other = Some(certificate::wrong_host());
    let strange = FakeIde::start(Options { certificate: other, ..Options::default() }).await.unwrap();
    says(&stage, &strange.variables(), "IDEConnected", "CertificateRefused", &["localhost"]).await;
    // An authority's certificate is as good as any, where it is the IDE's own.
    let authority = Some(certificate::authority());
    let trusted = FakeIde::start(Options { certificate: authority, ..Options::default() }).await.unwrap();
    let operator = stage.operator(&trusted.variables(), &[]).await;
    stage.running("trusted").await;
    stage.end(operator).await;
    for ide in [&ide, &old, &strange] {
        assert!(ide.asked_for("PUT", "/").is_empty());
    }
    stage.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ide_that_comes_late_is_found_by_the_next_life_too_and_a_secret_comes_before_the_environment() {
    let stage = Stage::set().await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let token = Options::default().token;
    let variables = [("DEBUG_SESSION_PORT", port.to_string()), ("DEBUG_SESSION_TOKEN", token)];
    let operator = stage.operator(&variables, &[]).await;
    stage.create("patient", "Running", None).await;
    let waiting = stage
        .becomes("patient", "says why not", |it| is_false(it, "IDEConnected", "ConnectionRefused"))
        .await;
    let attempt = waiting.status.unwrap().start_attempt_time;
    assert_eq!(attempt, None, "nothing was sent, so whoever comes next may start it");
    stage.kill(operator).await;
    let operator = stage.operator(&variables, &[]).await;
    let ide = FakeIde::start(Options { port, ..Options::default() }).await.unwrap();
    stage.reaches("patient", State::Running).await;
    stage.end(operator).await;

    let secret = format!("{HOME}/ide");
    let _operator = stage.operator(&variables, &["--ide-endpoint-secret", &secret]).await;
    stage.create("strict", "Running", None).await;
    stage.becomes("strict", "says so", |it| is_false(it, "EndpointReady", "SecretNotFound")).await;
    // What has run stays where it is.
    ide.process("test-session-1", 7);
    stage
        .becomes("patient", "has its process", |it| {
            it.status.as_ref().is_some_and(|status| status.pid == Some(7))
        })
        .await;
    assert_eq!(ide.asked_for("PUT", "/").len(), 1);
    stage.cluster.stop().await;
}
