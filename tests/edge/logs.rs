//! Logs of sessions beside the webhooks: answers that go on for as long as their sessions do.

use crate::{
    Served,
    client::{Client, Protocol},
    guard,
};
use axum::{
    Router,
    body::{Body, Bytes},
    routing::get,
};
use futures::{future::BoxFuture, stream};
use http_body_util::BodyExt as _;
use hyper::{Response, body::Incoming};
use jiff::Timestamp;
use rstest::rstest;
use sojourn::{
    capture::{Capture, Owner, Stream, Writer},
    http_server::Limits,
    serve::{
        auth::{AccessRequest, AuthDecision, Authorizer},
        logs::{Logs, SessionInfo, SessionLookup},
    },
    settings::CaptureSettings,
    telemetry::ides::LogMetrics,
};
use sojourn_crds::ide_session::State;
use sojourn_webhooks::http::router;
use std::{io, sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

const WEB: &str = "/apis/usvc-dev.developer.microsoft.com/v1/idesessions/web/log";

/// A session that runs and runs.
struct Web(watch::Sender<u64>);

impl SessionLookup for Web {
    fn find(&self, name: &str) -> Option<SessionInfo> {
        (name == "web").then(|| SessionInfo { uid: "1".into(), state: State::Running, deleting: false })
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }

    fn keeps_logs(&self) -> bool {
        true
    }
}

struct Alice;

impl Authorizer for Alice {
    fn ask<'a>(&'a self, token: &'a str, _: &'a AccessRequest) -> BoxFuture<'a, AuthDecision> {
        Box::pin(async move {
            if token == "alice" { AuthDecision::Allowed } else { AuthDecision::Unauthenticated }
        })
    }
}

/// Limits that a test can wait for.
fn short() -> Limits {
    let moment = Duration::from_millis(300);
    Limits { idle: moment, answer: moment, ..Limits::default() }
}

struct World {
    served: Served,
    writer: Writer,
    stop: CancellationToken,
    _directory: TempDir,
}

impl World {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let settings =
            CaptureSettings { directory: directory.path().join("logs"), shared: None, preserve: false };
        let capture = Capture::start(&settings);
        let writer = capture.open(&Owner::new("web", "1").unwrap()).await.unwrap();
        let stop = CancellationToken::new();
        let sessions = Arc::new(Web(watch::Sender::new(0)));
        let logs = Logs::new(sessions, capture, Arc::new(Alice), LogMetrics::default(), stop.clone());
        let routes = router(guard()).merge(logs.router());
        let served = Served::start_with(routes, short(), CancellationToken::new()).await;
        Self { served, writer, stop, _directory: directory }
    }

    fn writes(&self, line: &str) {
        self.writer.line(Stream::Stdout, line, Timestamp::UNIX_EPOCH);
    }
}

async fn ask(client: &mut Client, query: &str) -> Response<Incoming> {
    client.get(&format!("{WEB}{query}"), "alice").await.unwrap()
}

/// The next bytes; by HTTP/2 the end is a piece without any.
async fn next(response: &mut Response<Incoming>) -> Option<Bytes> {
    let frame = response.frame().await?.unwrap();
    Some(frame.into_data().unwrap()).filter(|bytes| !bytes.is_empty())
}

#[rstest]
#[case(Protocol::Http1)]
#[case(Protocol::Http2)]
#[tokio::test]
async fn a_log_is_read_beside_the_webhooks(#[case] protocol: Protocol) {
    let world = World::start().await;
    world.writes("hello");
    world.writes("world");
    let mut client = world.served.target.connect(protocol).await.unwrap();
    assert_eq!(client.get(WEB, "eve").await.unwrap().status(), 401);
    let response = ask(&mut client, "?timestamps=true&skip=1").await;
    assert_eq!(response.status(), 200);
    let text = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(text, "1970-01-01T00:00:00.000Z world\n");
    world.served.still_serves().await;
}

#[rstest]
#[case(Protocol::Http1)]
#[case(Protocol::Http2)]
#[tokio::test]
async fn a_follower_outlives_every_limit_of_the_server_but_not_the_server(#[case] protocol: Protocol) {
    let world = World::start().await;
    let mut client = world.served.target.connect(protocol).await.unwrap();
    let mut following = ask(&mut client, "?follow=true").await;
    for line in ["one", "two"] {
        tokio::time::sleep(4 * short().answer).await;
        world.writes(line);
        assert_eq!(next(&mut following).await.unwrap(), format!("{line}\n"));
    }
    world.stop.cancel();
    assert_eq!(next(&mut following).await, None);
    world.served.still_serves().await;
}

#[tokio::test]
async fn a_follower_who_leaves_makes_place() {
    let world = World::start().await;
    world.writes("hello");
    let mut client = world.served.target.connect(Protocol::Http2).await.unwrap();
    let mut following = Vec::new();
    for _ in 0..64 {
        let mut response = ask(&mut client, "?follow=true").await;
        assert_eq!(next(&mut response).await.unwrap(), "hello\n");
        following.push(response);
    }
    let mut other = world.served.target.connect(Protocol::Http1).await.unwrap();
    assert_eq!(ask(&mut other, "?follow=true").await.status(), 429);
    drop((following, client));
    // The server hears that the connection is closed some time; if it never does, this does not end.
    loop {
        let mut another = world.served.target.connect(Protocol::Http1).await.unwrap();
        if ask(&mut another, "?follow=true").await.status() == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    world.served.still_serves().await;
}

/// Ends when the server has cut the client off; a server that does not is a test without an end.
#[rstest]
#[case(Protocol::Http1)]
#[case(Protocol::Http2)]
#[tokio::test]
async fn who_takes_nothing_of_what_there_is_is_cut_off(#[case] protocol: Protocol) {
    let gone = CancellationToken::new();
    let guard_of_body = gone.clone();
    let endless = get(async move || {
        let guard: DropGuard = guard_of_body.drop_guard();
        let piece = Bytes::from(vec![b'x'; 64 << 10]);
        let pieces = stream::unfold(guard, move |guard| {
            let piece = piece.clone();
            async move { Some((Ok::<_, io::Error>(piece), guard)) }
        });
        Body::from_stream(pieces)
    });
    let routes = router(guard()).merge(Router::new().route("/endless", endless));
    let served = Served::start_with(routes, short(), CancellationToken::new()).await;
    let mut client = served.target.connect(protocol).await.unwrap();
    let _untouched = client.get("/endless", "alice").await.unwrap();
    gone.cancelled().await;
    served.still_serves().await;
}
