//! The token is in no log, error or debug output, however closely one looks.

use crate::support::{Pair, endpoint, open, options, request};
use http::StatusCode;
use sojourn::{
    ide::{ConnectionState, Options},
    settings::LogSettings,
    telemetry::log,
};
use sojourn_fake_ide::{Answer, FakeIde, Options as FakeOptions};
use std::{
    io::Write,
    sync::{Arc, Mutex},
};
use tracing_subscriber::util::SubscriberInitExt;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_token_is_nowhere() {
    let lines = Lines::default();
    let (settings, sink) = (LogSettings { filter: "trace".into(), json: None }, lines.clone());
    log::subscriber(&settings, false, move || sink.clone(), None).unwrap().0.try_init().unwrap();
    let token = FakeOptions::default().token;
    let mut said = Vec::new();

    let mut pair = Pair::new().await;
    said.push(format!("{:?} {:?}", endpoint(&pair.ide), pair.connection));
    let session = pair.running().await;
    pair.ide.log(session.as_str(), "a line");
    said.push(format!("{:?}", pair.next().await));
    let refused = Answer::failure(StatusCode::UNAUTHORIZED, "InvalidToken", "no");
    for answer in [refused.clone(), Answer::Drop] {
        pair.ide.script(|script| script.create.push_back(vec![answer.clone().into()]));
        let error = pair.connection.start(&request()).await.unwrap_err();
        said.push(format!("{error} {error:?}"));
        pair.ide.script(|script| script.stop.push_back(vec![answer.into()]));
        let error = pair.connection.stop(&session).await.unwrap_err();
        said.push(format!("{error} {error:?}"));
    }
    pair.connection.stop(&session).await.unwrap();
    pair.ide.drop_socket();
    said.push(format!("{:?}", pair.lost().await));
    pair.connected().await;
    pair.connection.close().await;

    let certificate = Some(sojourn_fake_ide::certificate::good());
    for fake in [FakeOptions::default(), FakeOptions { certificate, ..FakeOptions::default() }] {
        let ide = FakeIde::start(fake).await.unwrap();
        ide.script(|script| script.info.push_back(vec![refused.clone().into()]));
        let (connection, _notifications) = open(&ide, &[], Options { ..options() });
        let failed = crate::support::link(&connection, |link| {
            matches!(link, ConnectionState::Connecting { why: Some(_), .. })
        });
        said.push(format!("{:?}", failed.await));
    }

    let logged = String::from_utf8_lossy(&lines.0.lock().unwrap()).into_owned();
    // The libraries log too, and this much of it that it would be found.
    assert!(logged.contains("asked the IDE") && logged.contains("received frame"), "{logged}");
    assert!(!logged.contains(&token), "the token is in the log");
    assert!(said.iter().all(|text| !text.contains(&token)), "{said:?}");
    assert!(
        pair.ide
            .asked()
            .iter()
            .all(|asked| asked.authorization.as_deref() == Some(&*format!("Bearer {token}")))
    );
}
