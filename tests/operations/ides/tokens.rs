//! The tokens of IDEs are searched for in everything that anybody can read, after sessions that go well and sessions
//! that go wrong.

use super::{on_create, stops};
use crate::{
    secrets::{Planted, shown},
    stage::{HOME, Stage, must},
};
use http::StatusCode;
use serde_json::json;
use sojourn_crds::ide_session::State;
use sojourn_fake_ide::{Answer, FakeIde, Options, certificate};

#[tokio::test(flavor = "multi_thread")]
async fn f10_the_tokens_of_ides_are_told_nowhere() {
    let stage = Stage::set().await;
    let mut planted = Planted::default();
    let token = planted.plant("ide-token");
    let certificate = Some(certificate::good());
    let ide = FakeIde::start(Options { token, certificate, ..Options::default() }).await.unwrap();
    // All that there is to say, libraries included.
    let loud = ["--log-filter=trace"];
    let mut texts = Vec::new();

    // Secrets: one that is refused, one that cannot be read, one that changes.
    let away = json!({"DEBUG_SESSION_PORT": "1", "DEBUG_SESSION_TOKEN": planted.plant("refused")});
    stage.endpoint("away", away).await;
    let broken = json!({"DEBUG_SESSION_PORT": "1", "DEBUG_SESSION_TOKEN": planted.plant("broken"),
        "DEBUG_SESSION_SERVER_CERTIFICATE": "no certificate"});
    stage.endpoint("broken", broken).await;
    let first = stage.connected_to(&ide, &loud).await;
    for name in ["away", "broken"] {
        stage.create(name, "Running", Some(name)).await;
    }
    stage.reaches("away", State::Starting).await;
    let changed = json!({"DEBUG_SESSION_PORT": "2", "DEBUG_SESSION_TOKEN": planted.plant("changed")});
    stage.endpoint("away", changed).await;

    // A whole life, with output; refusals; a connection that is lost.
    let id = stage.running("whole").await;
    ide.process(&id, 5);
    ide.log(&id, "hello");
    ide.notify(
        json!({"notification_type": "sessionMessage", "session_id": id, "level": "error", "message": "no"}),
    );
    let failure = Answer::failure(StatusCode::INTERNAL_SERVER_ERROR, "No", "not this time");
    on_create(&ide, "refused", vec![failure.clone().into()]);
    on_create(&ide, "dropped", vec![Answer::Drop.into()]);
    for name in ["refused", "dropped"] {
        stage.create(name, "Running", None).await;
        stage.reaches(name, State::Failed).await;
    }
    ide.script(|script| {
        script.stop.push_back(vec![failure.into()]);
        script.subscribe.push_back(vec![Answer::Status(StatusCode::BAD_GATEWAY, String::new()).into()]);
    });
    ide.drop_socket();
    ide.until("it is connected again", |ide| ide.asked_for("GET", "/run_session/notify").len() == 3).await;
    stage.desire("whole", "Stopped").await;
    let status = stage.reaches("whole", State::Stopped).await.status.unwrap();
    assert_eq!(stops(&ide, &id), 2);
    texts
        .push(("captured output".to_owned(), std::fs::read_to_string(status.std_out_file.unwrap()).unwrap()));
    stage.running("taken-over").await;
    texts.extend(shown(&first).await);
    let log = first.log.clone();
    stage.kill(first).await;
    texts.push(("log".to_owned(), std::fs::read_to_string(log).unwrap()));

    // The next one has another token, which the IDE refuses.
    let mut variables = ide.variables();
    let wrong = planted.plant("wrong");
    variables
        .iter_mut()
        .filter(|(name, _)| *name == "DEBUG_SESSION_TOKEN")
        .for_each(|it| it.1 = wrong.clone());
    let second = stage.operator(&variables, &loud).await;
    let refused = |it: &sojourn_crds::ide_session::IdeSession| {
        let mut conditions = it.status.iter().flat_map(|status| &status.conditions);
        conditions.any(|it| it.reason.as_deref() == Some("TokenRefused"))
    };
    stage.becomes("taken-over", "says that the token is refused", refused).await;
    texts.extend(shown(&second).await);
    texts.push(("log".to_owned(), std::fs::read_to_string(&second.log).unwrap()));
    for (place, args) in [
        ("sessions", ["get", "idesessions", "-o", "yaml", "--show-managed-fields"]),
        ("events", ["get", "events", "-A", "-o", "yaml"]),
        ("leases", ["get", "leases", "-A", "-o", "yaml"]),
    ] {
        texts.push((place.to_owned(), must(stage.kubectl(&args).await)));
    }
    texts.push(("description".to_owned(), must(stage.kubectl(&["describe", "idesessions"]).await)));

    // It is found where it may be, and there was something to search.
    let held = must(stage.kubectl(&["get", "secrets", "-n", HOME, "-o", "json"]).await);
    assert!(planted.found_in(&held).len() >= 2, "{:?}", planted.found_in(&held));
    let sent = ide.asked().iter().filter_map(|asked| asked.authorization.clone()).collect::<String>();
    assert_eq!(planted.found_in(&sent), ["ide-token", "wrong"]);
    for (place, text) in &texts {
        assert!(!text.is_empty(), "{place}");
        let found = planted.found_in(text);
        assert!(found.is_empty(), "{found:?} stand in the {place}");
    }
    let logs =
        texts.iter().filter(|(place, _)| place == "log").map(|(_, text)| text.as_str()).collect::<String>();
    assert!(logs.contains("run_session") && logs.contains("\"level\":\"TRACE\""), "the log is loud");
    stage.cluster.stop().await;
}
