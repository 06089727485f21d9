//! Notifications on the way from the socket to their owner.

use crate::support::{Pair, ended, log, soon};
use serde_json::{Value, json};
use sojourn::ide::{Payload, notification::Level};
use std::collections::BTreeMap;

fn counts(pair: &Pair, name: &str) -> u64 {
    pair.connection.counts().skipped.get(name).copied().unwrap_or_default()
}

fn line(session: &str, text: &str) -> Value {
    json!({"notification_type": "serviceLogs", "session_id": session, "is_std_err": false, "log_message": text})
}

#[tokio::test]
async fn every_type_arrives() {
    let mut pair = Pair::new().await;
    let session = pair.running().await;
    let message = |level: &str| {
        json!({"notification_type": "sessionMessage", "session_id": session.as_str(), "level": level,
            "message": "Why", "code": "C", "details": [{"message": "because"}]})
    };
    pair.ide.process(session.as_str(), 12345);
    pair.ide.log(session.as_str(), "a line");
    for level in ["error", "info", "debug"] {
        pair.ide.notify(message(level));
    }
    pair.ide.end(session.as_str(), Some(7));
    assert_eq!(pair.next_of(&session).await, Payload::Process { pid: Some(12345) });
    assert_eq!(pair.next_of(&session).await, log("a line"));
    for (level, text) in [(Level::Error, "C: Why\n  because"), (Level::Info, "Why"), (Level::Debug, "Why")] {
        assert_eq!(pair.next_of(&session).await, Payload::Message { level, text: text.into() });
    }
    assert_eq!(pair.next_of(&session).await, ended(Some(7)));
    pair.assert_clean();
}

#[tokio::test]
async fn what_cannot_be_read_costs_nobody_anything() {
    let mut pair = Pair::new().await;
    let session = pair.running().await;
    pair.ide.send("no json");
    pair.ide.send(r#"{"notification_type":"connected"}"#);
    pair.ide.send(r#"{"notification_type":"sessionTerminated"}"#);
    pair.ide.send(r#"{"notification_type":"serviceLogs","session_id":"x","log_message":1}"#);
    pair.ide.send(line("stranger", "hello").to_string());
    pair.ide.send_binary(vec![1, 2, 3]);
    let (one, two) = (line(session.as_str(), "one"), line(session.as_str(), "two"));
    pair.ide.send(format!("{one}{two}\n{{broken\r\n{}\n", line(session.as_str(), "three")));
    for text in ["one", "two", "three"] {
        assert_eq!(pair.next_of(&session).await, log(text));
    }
    let expected =
        [("malformed", 2), ("unknown_type", 1), ("no_session", 1), ("bad_field", 1), ("unknown_session", 1)];
    let expected: BTreeMap<_, _> = expected.into_iter().collect();
    assert_eq!(pair.connection.counts().skipped, expected);
    assert_eq!(pair.connection.counts().connections, 1);
}

#[tokio::test]
async fn each_session_keeps_its_order() {
    let mut pair = Pair::new().await;
    let sessions = [pair.running().await, pair.running().await, pair.running().await];
    for n in 0..100 {
        for session in &sessions {
            pair.ide.log(session.as_str(), &n.to_string());
        }
    }
    let mut heard: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for _ in 0..300 {
        let next = pair.next().await;
        match next.what {
            Payload::Log { line, .. } => heard.entry(next.session).or_default().push(line),
            other => panic!("{other:?}"),
        }
    }
    let expected: Vec<_> = (0..100).map(|n| n.to_string()).collect();
    for session in &sessions {
        assert_eq!(heard[session], expected, "{session}");
    }
}

#[tokio::test]
async fn a_flood_is_bounded_and_holds_nobody_up() {
    let mut pair = Pair::new().await;
    let (loud, quiet) = (pair.running().await, pair.running().await);
    for burst in 0..200 {
        let frame: Vec<String> =
            (0..100).map(|n| line(loud.as_str(), &format!("{}", burst * 100 + n)).to_string()).collect();
        pair.ide.send(frame.join("\n"));
    }
    pair.ide.end(loud.as_str(), Some(1));
    pair.ide.log(quiet.as_str(), "me too");
    while pair.connection.counts().received.values().sum::<u64>() < 20_002 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let buffer = pair.connection.counts().buffer;
    assert!(buffer.held <= 1002 && buffer.dropped >= 19_000, "{buffer:?}");
    let (first, second) = (pair.next().await, pair.next().await);
    assert_eq!((first.session, second.session), (loud.clone(), quiet));
    assert!(matches!(first.what, Payload::Dropped(19_001)), "{:?}", first.what);
    let mut last = pair.next_of(&loud).await;
    for n in 19_001..20_000 {
        assert_eq!(last, log(&n.to_string()));
        last = pair.next_of(&loud).await;
    }
    assert_eq!(last, ended(Some(1)));
    pair.assert_clean();
}

#[tokio::test]
async fn of_a_released_session_nothing_is_heard() {
    let mut pair = Pair::new().await;
    let (gone, stays) = (pair.running().await, pair.running().await);
    pair.connection.release(&gone);
    pair.connection.release(&gone);
    pair.ide.end(gone.as_str(), Some(1));
    pair.ide.log(stays.as_str(), "still here");
    assert_eq!(pair.next_of(&stays).await, log("still here"));
    assert_eq!((counts(&pair, "late"), pair.connection.counts().buffer.sessions), (1, 1));
}

#[tokio::test]
async fn an_end_is_told_once() {
    let mut pair = Pair::new().await;
    let session = pair.running().await;
    pair.ide.end(session.as_str(), Some(1));
    pair.ide.end(session.as_str(), Some(2));
    pair.ide.log(session.as_str(), "after the end");
    assert_eq!(pair.next_of(&session).await, ended(Some(1)));
    assert_eq!(pair.next_of(&session).await, log("after the end"));
    assert_eq!(counts(&pair, "repeated"), 1);
}

#[tokio::test]
async fn who_stops_waiting_loses_nothing() {
    let mut pair = Pair::new().await;
    let session = pair.running().await;
    for n in 0..100 {
        {
            let mut next = Box::pin(pair.notifications.next());
            assert!(futures::poll!(&mut next).is_pending());
        }
        pair.ide.log(session.as_str(), &n.to_string());
        assert_eq!(soon("a notification", pair.next_of(&session)).await, log(&n.to_string()));
    }
}
