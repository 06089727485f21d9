//! Clients that take their time. Each test ends when the server has closed the connection; a server that does not
//! close it is a test that never ends.

use crate::{
    Served,
    client::{Protocol, rest},
    good_review, guard, path,
};
use rstest::rstest;
use sojourn::http_server::Limits;
use sojourn_webhooks::http::router;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;

/// Limits that a test can wait for, and that an honest client of the same test still keeps.
fn short() -> Limits {
    let second = Duration::from_secs(1);
    Limits { handshake: second, head: second, ..Limits::default() }
}

#[tokio::test]
async fn a_client_without_a_handshake_is_disconnected() {
    let served = Served::start(short()).await;
    let mut silent = served.target.tcp().await.unwrap();
    let mut started = served.target.tcp().await.unwrap();
    started.write_all(b"\x16\x03\x01\x01\x00\x01").await.unwrap();
    assert_eq!(rest(&mut silent).await, "");
    rest(&mut started).await;
    served.still_serves().await;
}

#[tokio::test]
async fn a_head_that_trickles_in_is_cut_off() {
    let served = Served::start(short()).await;
    let (mut reader, mut writer) = tokio::io::split(served.target.tls(Protocol::Http1).await.unwrap());
    let trickle = async {
        let mut head = format!("POST {} HTTP/1.1\r\n", path()).into_bytes();
        while writer.write_all(&head).await.is_ok() && writer.flush().await.is_ok() {
            head = b"x-more: of it\r\n".to_vec();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        answer = rest(&mut reader) => assert!(!answer.contains("200"), "{answer}"),
        () = trickle => {}
    }
    served.still_serves().await;
}

#[rstest]
#[case::told("content-length: 5000")]
#[case::chunked("transfer-encoding: chunked")]
#[tokio::test]
async fn a_body_that_does_not_come_is_given_up_whatever_time_its_client_asks_for(#[case] length: &str) {
    let served = Served::start(Limits::default()).await;
    let mut stream = served.target.tls(Protocol::Http1).await.unwrap();
    let head = format!(
        "POST {}?timeout=30s HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{length}\r\n\r\n",
        path()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    served.still_serves().await;
}

#[rstest]
#[tokio::test]
async fn a_connection_that_waits_is_kept(#[values(Protocol::Http1, Protocol::Http2)] protocol: Protocol) {
    // An API server keeps connections for its next request, also those on which it never sent one.
    let limits = Limits { head: Duration::from_millis(500), ..Limits::default() };
    let served = Served::start(limits).await;
    let mut client = served.target.connect(protocol).await.unwrap();
    for _ in 0..2 {
        tokio::time::sleep(3 * limits.head).await;
        let (status, _) = client.post(&path(), "application/json", good_review()).await.unwrap();
        assert_eq!(status, 200);
    }
}

#[rstest]
#[tokio::test]
async fn a_connection_that_waits_for_ever_is_closed(
    #[values(Protocol::Http1, Protocol::Http2)] protocol: Protocol,
) {
    let served = Served::start(Limits { idle: Duration::from_secs(1), ..Limits::default() }).await;
    let mut stream = served.target.tls(protocol).await.unwrap();
    rest(&mut stream).await;
    served.still_serves().await;
}

#[tokio::test]
async fn slow_bodies_do_not_block_others() {
    let served = Served::start(Limits::default()).await;
    let mut slow = Vec::new();
    for _ in 0..16 {
        let mut stream = served.target.tls(Protocol::Http1).await.unwrap();
        let head = format!(
            "POST {}?timeout=20s HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 7000000\r\n\r\n",
            path()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    served.still_serves().await;
}

/// A replica that goes answers on, and asks not to be asked again on this connection.
#[tokio::test(flavor = "multi_thread")]
async fn a_leaving_replica_asks_to_close_with_each_response() {
    let leaving = CancellationToken::new();
    let served = Served::start_with(router(guard()), Limits::default(), leaving.clone()).await;
    for (leaves, told) in [(false, false), (true, true)] {
        if leaves {
            leaving.cancel();
        }
        let mut stream = served.target.tls(Protocol::Http1).await.unwrap();
        let body = good_review();
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            path(),
            body.len()
        );
        stream.write_all(&[head.as_bytes(), &body].concat()).await.unwrap();
        let mut answer = vec![0; 4096];
        let length = stream.read(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer[..length]).to_lowercase();
        assert!(answer.starts_with("http/1.1 200"), "{answer}");
        assert_eq!(answer.contains("connection: close"), told, "{answer}");
    }
}
