//! The WebSocket: how it is opened, watched, lost and opened again.

use crate::support::{Pair, ended, link, open, options, soon, timing};
use http::StatusCode;
use serde_json::json;
use sojourn::ide::{
    Connection, ConnectionState, Notifications, Options,
    connection::{ConnectError, DisconnectError},
    timing::Timing,
};
use sojourn_fake_ide::{Answer, FakeIde, Options as FakeOptions};
use std::{sync::Arc, time::Duration};

fn why(link: ConnectionState) -> Arc<ConnectError> {
    match link {
        ConnectionState::Connecting { why: Some(why), .. } => why,
        other => panic!("no reason: {other:?}"),
    }
}

/// What the client says of an IDE that answers the first `GET /info` like this.
async fn first_failure(answer: Answer) -> (ConnectionState, FakeIde, Connection, Notifications) {
    let ide = FakeIde::start(FakeOptions::default()).await.unwrap();
    ide.script(|script| script.info.push_back(vec![answer.into()]));
    let (connection, notifications) = open(&ide, &[], options());
    let failed =
        link(&connection, |link| matches!(link, ConnectionState::Connecting { why: Some(_), .. })).await;
    (failed, ide, connection, notifications)
}

#[tokio::test]
async fn what_keeps_an_ide_from_being_connected_is_named_and_tried_again() {
    let refused = Answer::failure(StatusCode::UNAUTHORIZED, "InvalidToken", "no");
    for (answer, reason, text) in [
        (
            refused,
            "TokenRefused",
            "the IDE does not tell its protocol versions: 401 Unauthorized InvalidToken: no",
        ),
        (
            Answer::Status(StatusCode::OK, r#"{"protocols_supported":["2023-01-01"]}"#.into()),
            "VersionTooOld",
            "an old or incompatible Aspire IDE extension was detected; only Aspire 8.0 and later versions are \
             supported",
        ),
        (
            Answer::Status(StatusCode::OK, "[".into()),
            "BadAnswer",
            "the IDE's protocol versions cannot be read: ",
        ),
        (
            Answer::Location(StatusCode::FOUND, "http://elsewhere.example.com/".into()),
            "BadAnswer",
            "the IDE does not tell its protocol versions: 302 Found",
        ),
        (
            Answer::Drop,
            "BadAnswer",
            "the IDE cannot be asked for its protocol versions: the IDE ended the exchange",
        ),
    ] {
        let (failed, ide, connection, _notifications) = first_failure(answer).await;
        assert_eq!(failed.reason(), reason);
        let said = why(failed).to_string();
        assert!(said.starts_with(text), "{said}");
        soon("a connection", connection.connected()).await.unwrap();
        ide.until("the client listens", FakeIde::has_listener).await;
    }
}

#[tokio::test]
async fn where_nobody_listens_the_way_out_is_named() {
    let ide = FakeIde::start(FakeOptions::default()).await.unwrap();
    let variables = ide.variables();
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let endpoint = crate::support::endpoint_of(
        variables
            .into_iter()
            .map(|(k, v)| if k.ends_with("PORT") { (k, closed.to_string()) } else { (k, v) })
            .collect(),
    );
    let instance = sojourn::ide::InstanceId::derive("", "test").unwrap();
    let (connection, _n) = Connection::open(endpoint, instance, [], options()).unwrap();
    let failed =
        link(&connection, |link| matches!(link, ConnectionState::Connecting { why: Some(_), .. })).await;
    assert_eq!(failed.reason(), "ConnectionRefused");
    assert!(why(failed).to_string().contains("An IDE must run in a pod"));
}

#[tokio::test]
async fn a_subscription_that_is_refused_is_tried_again() {
    let ide = FakeIde::start(FakeOptions::default()).await.unwrap();
    let refused = Answer::failure(StatusCode::FORBIDDEN, "Nope", "not you");
    ide.script(|script| script.subscribe.push_back(vec![refused.into()]));
    let (connection, _notifications) = open(&ide, &[], options());
    let failed =
        link(&connection, |link| matches!(link, ConnectionState::Connecting { why: Some(_), .. })).await;
    assert_eq!(failed.reason(), "TokenRefused");
    assert_eq!(
        why(failed).to_string(),
        "the IDE refuses notifications: 403 Forbidden Nope: not you; DEBUG_SESSION_TOKEN must be the token that the IDE \
         was started with"
    );
    soon("a connection", connection.connected()).await.unwrap();
}

#[tokio::test]
async fn a_lost_connection_is_left_at_once_and_mended() {
    let timing = Timing { pause: Duration::from_secs(3600), ..timing() };
    let pair = Pair::with(FakeOptions::default(), Options { timing, ..options() }).await;
    pair.ide.drop_socket();
    assert_eq!(pair.lost().await.reason(), "ConnectionLost");
    let error = pair.connection.start(&crate::support::request()).await.unwrap_err();
    assert!(crate::support::is_unsent(&error.cause));

    let mut pair = Pair::new().await;
    let session = pair.running().await;
    pair.ide.drop_socket();
    pair.lost().await;
    pair.connected().await;
    pair.ide.end(session.as_str(), Some(0));
    assert_eq!(pair.next_of(&session).await, ended(Some(0)));
    assert_eq!(pair.connection.counts().connections, 2);
    let instances: std::collections::BTreeSet<_> = pair.ide.asked().into_iter().map(|a| a.instance).collect();
    assert_eq!(instances.len(), 1, "who we are does not change");
}

#[tokio::test]
async fn ends_that_the_ide_kept_meanwhile_are_heard() {
    let mut pair = Pair::new().await;
    let session = pair.running().await;
    pair.ide.drop_socket();
    pair.ide.end(session.as_str(), Some(5));
    assert_eq!(pair.next_of(&session).await, ended(Some(5)));
}

#[tokio::test]
async fn a_peer_that_closes_may_say_why() {
    let timing = Timing { pause: Duration::from_secs(3600), ..timing() };
    let pair = Pair::with(FakeOptions::default(), Options { timing, ..options() }).await;
    pair.ide.close_socket("Replaced by a newer\u{7} DCP connection");
    let lost = why(pair.lost().await);
    assert_eq!(
        lost.to_string(),
        "the connection to the IDE was lost: the IDE closed it: Replaced by a newer DCP connection"
    );
}

#[tokio::test]
async fn a_peer_that_answers_no_ping_is_gone() {
    let timing = Timing {
        keepalive: Some(Duration::from_millis(20)),
        silence: Duration::from_millis(300),
        ..timing()
    };
    let ide = FakeIde::start(FakeOptions::default()).await.unwrap();
    ide.script(|script| script.deaf = true);
    let (connection, _notifications) = open(&ide, &[], Options { timing, ..options() });
    let lost =
        link(&connection, |link| matches!(link, ConnectionState::Connecting { why: Some(_), .. })).await;
    assert!(matches!(*why(lost), ConnectError::Disconnected(DisconnectError::Silent(_))));
    ide.script(|script| script.deaf = false);
    soon("a connection", connection.connected()).await.unwrap();
}

#[tokio::test]
async fn answered_pings_keep_a_quiet_connection() {
    let timing =
        Timing { keepalive: Some(Duration::from_millis(20)), silence: Duration::from_secs(2), ..timing() };
    let pair = Pair::with(FakeOptions::default(), Options { timing, ..options() }).await;
    pair.ide.until("it was quiet for longer than the silence allowed", |ide| ide.pings() >= 150).await;
    assert_eq!(pair.connection.counts().connections, 1);
}

#[tokio::test]
async fn silence_means_nothing_without_pings_or_with_a_peer_that_answers_none() {
    let silence = Duration::from_millis(50);
    let without = Timing { keepalive: None, silence, ..timing() };
    let quiet = Pair::with(FakeOptions::default(), Options { timing: without, ..options() }).await;
    let info = json!({"protocols_supported": ["2024-03-03"]});
    let with = Timing { keepalive: Some(Duration::from_millis(20)), silence, ..timing() };
    let old =
        Pair::with(FakeOptions { info, ..FakeOptions::default() }, Options { timing: with, ..options() })
            .await;
    old.ide.script(|script| script.deaf = true);
    tokio::time::sleep(silence * 10).await;
    assert_eq!((quiet.connection.counts().connections, old.connection.counts().connections), (1, 1));
    assert_eq!(quiet.ide.pings(), 0);
}

#[tokio::test]
async fn a_frame_has_a_bound() {
    let pair = Pair::new().await;
    pair.ide.send("x".repeat((4 << 20) + 1));
    let lost = why(pair.lost().await);
    assert!(matches!(*lost, ConnectError::Disconnected(DisconnectError::Transport(_))), "{lost}");
    pair.connected().await;
}

#[tokio::test]
async fn closing_says_goodbye_and_ends_everything() {
    let mut pair = Pair::new().await;
    pair.connection.close().await;
    assert!(matches!(*pair.connection.link().borrow(), ConnectionState::Closed));
    assert_eq!(soon("the end", pair.notifications.next()).await, None);
    pair.ide.until("it is told", |ide| ide.goodbyes() == 1 && !ide.has_listener()).await;
}

#[tokio::test]
async fn the_last_owner_closes_the_connection() {
    let Pair { ide, connection, mut notifications } = Pair::new().await;
    let other = connection.clone();
    drop(connection);
    assert!(ide.has_listener());
    drop(other);
    assert_eq!(soon("the end", notifications.next()).await, None);
    ide.until("it is told", |ide| ide.goodbyes() == 1).await;
}

#[tokio::test]
async fn two_that_evict_each_other_slow_down() {
    let timing =
        Timing { backoff: Duration::from_secs(3600), max_backoff: Duration::from_secs(3600), ..timing() };
    let ide = FakeIde::start(FakeOptions::default()).await.unwrap();
    let (first, _n1) = open(&ide, &[], Options { timing, ..options() });
    first.connected().await.unwrap();
    let (second, _n2) = open(&ide, &[], Options { timing, ..options() });
    // Each is evicted once and comes back after the pause; whoever is evicted again waits.
    let waits = |link: &ConnectionState| matches!(link, ConnectionState::Connecting { failures: 2.., .. });
    tokio::select! {
        _ = link(&first, waits) => {}
        _ = link(&second, waits) => {}
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let connections = first.counts().connections + second.counts().connections;
    assert!(connections <= 4, "they evicted each other {connections} times");
}
