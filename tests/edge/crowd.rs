//! More connections than the server has places for.

use crate::{Served, client::Protocol, good_review, path};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sojourn::http_server::Limits;

/// As many connections as somebody might open who means harm, or whose client leaks them.
const CROWD: usize = 10_000;

/// Both ends of the connections are in this process.
fn allow_files() {
    let needed = (CROWD + Limits::default().connections + 1_000) as u64;
    let limit = getrlimit(Resource::Nofile);
    assert!(
        limit.maximum.is_none_or(|most| most >= needed),
        "this test needs {needed} open files, and the system allows {:?}; raise it with `ulimit -Hn`",
        limit.maximum
    );
    if limit.current.is_some_and(|now| now < needed) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(needed), ..limit }).unwrap();
    }
}

/// How many files this process has open.
fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_silent_connections_do_not_block_others() {
    allow_files();
    let served = Served::start(Limits::default()).await;
    let mut clients = Vec::new();
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut client = served.target.connect(protocol).await.unwrap();
        client.post(&path(), "application/json", good_review()).await.unwrap();
        clients.push(client);
    }

    // Many at a time: the system makes a client wait when others fill the queue before the server.
    let connecting = (0..CROWD).map(|_| served.target.tcp());
    let crowd: Vec<_> = stream::iter(connecting).buffer_unordered(256).try_collect().await.unwrap();
    // Strangers are let in, and who was known before was not thrown out for the crowd.
    served.still_serves().await;
    for client in &mut clients {
        let (status, _) = client.post(&path(), "application/json", good_review()).await.unwrap();
        assert_eq!(status, 200);
    }
    let ends_of_the_server = open_files().saturating_sub(crowd.len());
    assert!(
        ends_of_the_server < Limits::default().connections + 500,
        "{ends_of_the_server} files beside those of the crowd"
    );
}

#[tokio::test]
async fn idle_connections_after_the_handshake_are_evicted_too() {
    let limits = Limits { connections: 16, ..Limits::default() };
    let served = Served::start(limits).await;
    let mut known = served.target.connect(Protocol::Http1).await.unwrap();
    known.post(&path(), "application/json", good_review()).await.unwrap();
    let mut crowd = Vec::new();
    for _ in 0..10 * limits.connections {
        crowd.push(served.target.tls(Protocol::Http1).await.unwrap());
    }
    served.still_serves().await;
    let (status, _) = known.post(&path(), "application/json", good_review()).await.unwrap();
    assert_eq!(status, 200);
}
