//! Who is connected, when, and by which credentials.

use super::support::{Bench, eventually, known, on_record, session, settings};
use crate::{
    control::ide_session::endpoints::{EndpointSource, ResolvedEndpoint},
    core::ide_session::{Command, EndpointFacts, StartFacts, StopFacts},
};
use http::StatusCode;
use serde_json::json;
use sojourn_crds::ide_session::EndpointSecret;
use sojourn_fake_ide::{Answer, FakeIde, Options};
use std::sync::Arc;

#[tokio::test]
async fn only_a_replica_that_leads_connects_and_no_longer_than_it_does() {
    let bench = Bench::with(settings()).await;
    bench.endpoints.put(EndpointSource::Environment, Some(known(&bench.ide)));
    let (new, running) = (session("a"), on_record("b", json!({"state": "Running", "sessionID": "x"})));
    for session in [&new, &running] {
        assert_eq!(bench.endpoint(session), (false, "NotNeeded"));
        bench.carry_out(session, Command::Record).await;
        assert_eq!(bench.facts(session), None);
    }
    bench.runs.lead([]).await;
    bench.running(&new).await;
    bench.runs.retire().await;
    bench.ide.until("we said goodbye", |ide| ide.goodbyes() == 1).await;
    assert_eq!(bench.facts(&new), None);
    assert!(bench.ide.asked_for("DELETE", "/").is_empty(), "sessions go on");
}

#[tokio::test]
async fn an_ide_is_connected_as_long_as_a_session_needs_it() {
    let bench = Bench::new().await;
    let (first, second) = (session("a"), session("b"));
    for idle in [json!({"state": "Stopped"}), json!({"state": "Failed", "sessionID": "x"})] {
        assert_eq!(bench.endpoint(&on_record("over", idle)), (false, "NotNeeded"));
    }
    bench.running(&first).await;
    bench.running(&second).await;
    assert_eq!(bench.ide.asked_for("GET", "/run_session/notify").len(), 1, "one connection for all");
    bench.carry_out(&first, Command::Release).await;
    assert_eq!(bench.endpoint(&second), (true, "Connected"));
    bench.runs.forget(second.uid());
    bench.ide.until("we said goodbye", |ide| ide.goodbyes() == 1).await;
    assert!(bench.runs.state.lock().members.is_empty() && bench.runs.state.lock().ides.is_empty());
}

/// F8: an IDE that comes later is used without a restart, and what is missing until then is said.
#[tokio::test]
async fn an_endpoint_that_comes_later_is_used() {
    let bench = Bench::with(settings()).await;
    bench.runs.lead([]).await;
    let session = session("a");
    assert_eq!(bench.endpoint(&session), (false, "NoEndpoint"));
    bench.endpoints.put(EndpointSource::Environment, Some(known(&bench.ide)));
    bench.until("it is connected", || bench.endpoint(&session) == (true, "Connected")).await;
}

/// F8: so is one that does not answer yet.
#[tokio::test]
async fn an_ide_that_refuses_is_tried_again_and_says_why() {
    let bench = Bench::new().await;
    let refusal = Answer::Status(StatusCode::UNAUTHORIZED, String::new());
    bench.ide.script(|script| script.info.extend(vec![vec![refusal.into()]; 3]));
    let session = session("a");
    bench.until("it is refused", || bench.endpoint(&session) == (false, "TokenRefused")).await;
    bench.until("it is connected", || bench.endpoint(&session) == (true, "Connected")).await;
}

/// F4: a connection that is lost is known at once, and so is what was said meanwhile.
#[tokio::test]
async fn notifications_while_disconnected_are_delivered_later() {
    let bench = Bench::new().await;
    let session = session("a");
    let id = bench.running(&session).await;
    let hold = Arc::new(tokio::sync::Semaphore::new(0));
    bench.ide.script(|script| script.subscribe.push_back(vec![sojourn_fake_ide::Step::Hold(hold.clone())]));
    bench.ide.drop_socket();
    bench.until("the loss is known", || !bench.endpoint(&session).0).await;
    bench.ide.end(&id, Some(0));
    hold.add_permits(1);
    bench.run(&session, |run| run.end.is_some()).await;
}

fn secret() -> EndpointSource {
    EndpointSource::Secret(EndpointSecret { namespace: "ides".into(), name: "vscode".into() })
}

fn of_secret(ide: &FakeIde) -> Arc<ResolvedEndpoint> {
    Arc::new(ResolvedEndpoint { secret_uid: Some("uid-of-secret".into()), ..(*known(ide)).clone() })
}

#[tokio::test]
async fn new_credentials_count_without_a_restart() {
    let bench = Bench::with(settings()).await;
    bench.endpoints.put(secret(), Some(of_secret(&bench.ide)));
    bench.runs.lead([]).await;
    let session = Arc::new({
        let mut session = (*session("a")).clone();
        let annotation = ("sojourn.dev/ide-endpoint-secret".to_owned(), "ides/vscode".to_owned());
        session.metadata.annotations = Some([annotation].into());
        session
    });
    let id = bench.running(&session).await;
    let EndpointFacts::Known { secret_uid, instance_id, .. } = bench.runs.observe(&session).0 else {
        panic!("it is known")
    };
    assert_eq!(secret_uid.as_deref(), Some("uid-of-secret"));
    let asked = bench.ide.asked_for("PUT", "/");
    assert_eq!(asked[0].instance.as_deref(), Some(instance_id.as_str()));

    // The same IDE after a restart: another port, another token, the same sessions.
    let options = Options { token: "an0ther-t0ken".into(), ..Options::default() };
    let again = FakeIde::start(options).await.unwrap();
    bench.endpoints.put(secret(), Some(of_secret(&again)));
    bench.ide.until("the old one hears goodbye", |ide| ide.goodbyes() == 1).await;
    bench.until("the new one is connected", || bench.endpoint(&session) == (true, "Connected")).await;
    again.process(&id, 99);
    bench.run(&session, |run| run.pid == Some(99)).await;
    assert!(matches!(bench.stop(&session, &id).await, StopFacts::Ended { .. }));
    assert_eq!(again.asked_for("DELETE", &format!("/run_session/{id}")).len(), 1);
    assert!(bench.ide.asked_for("DELETE", "/").is_empty());
}

#[tokio::test]
async fn a_start_that_waits_is_sent_by_the_new_credentials() {
    let bench = Bench::new().await;
    bench.ide.script(|script| script.info.push_back(vec![Answer::Hang.into()]));
    let session = session("a");
    bench.ask(&session).await;
    bench.asked("GET", "/info", 1).await;
    let again = FakeIde::start(Options::default()).await.unwrap();
    bench.endpoints.put(EndpointSource::Environment, Some(known(&again)));
    bench.run(&session, |run| matches!(run.start, StartFacts::Accepted { .. })).await;
    assert_eq!((again.asked_for("PUT", "/").len(), bench.ide.asked_for("PUT", "/").len()), (1, 0));
}

#[tokio::test]
async fn an_endpoint_that_goes_takes_its_connection_along_and_no_session() {
    let bench = Bench::new().await;
    let session = session("a");
    let id = bench.running(&session).await;
    bench.endpoints.put(EndpointSource::Environment, None);
    bench.until("it is gone", || bench.endpoint(&session) == (false, "NoEndpoint")).await;
    bench.ide.until("we said goodbye", |ide| ide.goodbyes() == 1).await;
    bench.endpoints.put(EndpointSource::Environment, Some(known(&bench.ide)));
    bench.until("it is back", || bench.endpoint(&session) == (true, "Connected")).await;
    bench.ide.end(&id, Some(4));
    let run = bench.run(&session, |run| run.end.is_some()).await;
    assert_eq!((run.start, run.end.unwrap().exit_code), (StartFacts::Owned, Some(4)));
    assert!(bench.ide.asked_for("DELETE", "/").is_empty());
}

#[tokio::test]
async fn what_was_counted_outlives_connections() {
    let bench = Bench::new().await;
    let session = session("a");
    let id = bench.running(&session).await;
    bench.ide.end(&id, Some(0));
    bench.run(&session, |run| run.end.is_some()).await;
    let figures = bench.runs.stats();
    assert_eq!((figures.connected, figures.connecting, figures.connections), (1, 0, 1));
    bench.carry_out(&session, Command::Release).await;
    let figures = bench.runs.stats();
    assert_eq!((figures.connected, figures.connections, figures.held), (0, 1, 0));
    bench.running(&super::support::session("b")).await;
    bench.runs.retire().await;
    let figures = bench.runs.stats();
    assert_eq!((figures.connections, figures.received.get("sessionTerminated")), (2, Some(&1)));
}

#[tokio::test]
async fn nothing_that_is_shown_holds_a_token() {
    let bench = Bench::new().await;
    bench.running(&session("a")).await;
    let shown = format!("{:?} {:?} {:?}", bench.runs, bench.kept.all(), bench.runs.observe(&session("a")));
    assert!(!shown.contains("t0ps3cret"), "{shown}");
}

/// A talkative session neither delays others nor is kept in memory.
#[tokio::test]
async fn a_chatty_session_does_not_delay_others() {
    let bench = Bench::new().await;
    let (loud, quiet) = (session("loud"), session("quiet"));
    let (loud_id, quiet_id) = (bench.running(&loud).await, bench.running(&quiet).await);
    for n in 0..5000 {
        bench.ide.log(&loud_id, &format!("line {n}"));
    }
    bench.ide.end(&quiet_id, Some(0));
    bench.run(&quiet, |run| run.end.is_some()).await;
    bench.ide.end(&loud_id, Some(0));
    bench.run(&loud, |run| run.end.is_some()).await;
    eventually("all was taken", || {
        bench.runs.state.lock().ides[&EndpointSource::Environment].connection.counts().buffer.bytes == 0
    })
    .await;
}
