//! The route in memory, with files on disk and a clock that stands still.

use super::{reader::LINGER, *};
use crate::{capture::Stream, serve::auth::AuthDecision, settings::CaptureSettings};
use axum::http::Request;
use futures::{StreamExt as _, future::BoxFuture};
use jiff::Timestamp;
use rstest::rstest;
use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
};
use tempfile::TempDir;
use tokio::time::Instant;
use tower::ServiceExt as _;

const MOMENT: &str = "2026-05-27T17:03:48.123Z";

struct Objects {
    found: Mutex<HashMap<String, SessionInfo>>,
    keeps_logs: AtomicBool,
    changes: watch::Sender<u64>,
}

impl Objects {
    fn change(&self, change: impl FnOnce(MutexGuard<'_, HashMap<String, SessionInfo>>)) {
        change(self.found.lock().unwrap());
        self.changes.send_modify(|count| *count += 1);
    }

    fn becomes(&self, state: SessionState) {
        self.change(|mut found| found.get_mut("web").unwrap().state = state);
    }

    fn leads_no_more(&self) {
        self.keeps_logs.store(false, Ordering::Relaxed);
        self.changes.send_modify(|count| *count += 1);
    }
}

impl SessionLookup for Objects {
    fn find(&self, name: &str) -> Option<SessionInfo> {
        self.found.lock().unwrap().get(name).cloned()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn keeps_logs(&self) -> bool {
        self.keeps_logs.load(Ordering::Relaxed)
    }
}

/// Alice may read the log of `web` and of what is not there.
struct Users;

impl Authorizer for Users {
    fn ask<'a>(&'a self, token: &'a str, request: &'a AccessRequest) -> BoxFuture<'a, AuthDecision> {
        let may = ["web", "none"].iter().any(|name| *request == get_log(name));
        let decision = match token {
            "alice" if may => AuthDecision::Allowed,
            "alice" | "bob" => AuthDecision::Denied,
            "silence" => AuthDecision::Unavailable,
            _ => AuthDecision::Unauthenticated,
        };
        Box::pin(async move { decision })
    }
}

struct World {
    objects: Arc<Objects>,
    capture: Capture,
    stop: CancellationToken,
    routes: Router,
    _directory: TempDir,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let settings =
            CaptureSettings { directory: directory.path().join("logs"), shared: None, preserve: false };
        let capture = Capture::start(&settings);
        let session =
            |uid: &str| SessionInfo { uid: uid.into(), state: SessionState::Running, deleting: false };
        let objects = Arc::new(Objects {
            found: Mutex::new([("web".into(), session("1")), ("other".into(), session("2"))].into()),
            keeps_logs: AtomicBool::new(true),
            changes: watch::Sender::new(0),
        });
        let stop = CancellationToken::new();
        let logs =
            Logs::new(objects.clone(), capture.clone(), Arc::new(Users), LogMetrics::default(), stop.clone());
        Self { objects, capture, stop, routes: logs.router(), _directory: directory }
    }

    async fn writer(&self) -> crate::capture::Writer {
        self.capture.open(&Owner::new("web", "1").unwrap()).await.unwrap()
    }

    async fn ask(&self, token: &str, name: &str, query: &str) -> Response {
        let request = Request::get(PATH.replace("{name}", name) + query)
            .header("authorization", format!("Bearer {token}"))
            .body(Body::empty())
            .unwrap();
        self.routes.clone().oneshot(request).await.unwrap()
    }

    /// What Alice reads of `web`.
    async fn read(&self, query: &str) -> String {
        let response = self.ask("alice", "web", query).await;
        assert_eq!(response.status(), 200, "{query}");
        assert_eq!(response.headers()["content-type"], "text/plain");
        String::from_utf8(whole(response).await).unwrap()
    }

    /// What Alice reads of `web` while she follows it.
    async fn follow(&self) -> Following {
        let response = self.ask("alice", "web", "?follow=true").await;
        assert_eq!(response.status(), 200);
        Following(Box::pin(response.into_body().into_data_stream()))
    }
}

struct Following(std::pin::Pin<Box<axum::body::BodyDataStream>>);

impl Following {
    async fn next(&mut self) -> Option<String> {
        let piece = self.0.next().await?.unwrap();
        Some(String::from_utf8(piece.to_vec()).unwrap())
    }
}

async fn whole(response: Response) -> Vec<u8> {
    axum::body::to_bytes(response.into_body(), 64 << 20).await.unwrap().to_vec()
}

fn now() -> Timestamp {
    MOMENT.parse().unwrap()
}

#[rstest]
#[case("", "a\nb\nc\n")]
#[case("?source=stdout&timestamps=true", "T a\nT b\nT c\n")]
#[case("?line_numbers=true", "1 a\n2 b\n3 c\n")]
#[case("?line_numbers=true&timestamps=true&skip=2", "3 T c\n")]
#[case("?tail=2", "b\nc\n")]
#[case("?tail=2&limit=1", "b\n")]
#[case("?tail=1000000", "a\nb\nc\n")]
#[case("?skip=1&limit=1", "b\n")]
#[case("?skip=9", "")]
#[case("?source=stderr", "oops\n")]
#[case("?source=system", "started\n")]
#[case("?source=startup_stdout", "")]
#[case("?source=startup_stderr&follow=true", "")]
#[tokio::test]
async fn what_is_asked_for_comes(#[case] query: &str, #[case] text: &str) {
    let world = World::new();
    let writer = world.writer().await;
    for line in ["a", "b", "c"] {
        writer.line(Stream::Stdout, line, now());
    }
    writer.line(Stream::Stderr, "oops", now());
    writer.line(Stream::System, "started", now());
    assert_eq!(world.read(query).await, text.replace('T', MOMENT));
}

#[rstest]
#[case::no_token("", "web", "", 401, "Unauthorized", "a bearer token is needed")]
#[case::nobody("eve", "web", "", 401, "Unauthorized", "a bearer token is needed")]
#[case::may_not("bob", "web", "", 403, "Forbidden", "you may not get idesessions/log of \"web\"")]
#[case::may_only_others(
    "alice",
    "other",
    "",
    403,
    "Forbidden",
    "you may not get idesessions/log of \"other\""
)]
#[case::does_not_learn_what_there_is("bob", "none", "?tail=0", 403, "Forbidden", "you may not")]
#[case::unanswered("silence", "web", "", 503, "ServiceUnavailable", "does not say who you are")]
#[case::bad_query(
    "alice",
    "none",
    "?tail=0&skip=-1",
    400,
    "BadRequest",
    "(must be greater than 0)\ninvalid log skip value '-1'"
)]
#[case::not_there(
    "alice",
    "none",
    "?tail=1",
    404,
    "NotFound",
    "idesessions.usvc-dev.developer.microsoft.com \"none\" not found"
)]
#[tokio::test]
async fn a_refused_client_is_told_the_reason(
    #[case] token: &str,
    #[case] name: &str,
    #[case] query: &str,
    #[case] code: u16,
    #[case] reason: &str,
    #[case] message: &str,
) {
    let response = World::new().ask(token, name, query).await;
    assert_eq!(response.status().as_u16(), code);
    assert_eq!(response.headers().contains_key("www-authenticate"), code == 401);
    let status: serde_json::Value = serde_json::from_slice(&whole(response).await).unwrap();
    assert_eq!((&status["kind"], &status["code"]), (&"Status".into(), &code.into()));
    assert_eq!(status["reason"], reason);
    assert!(status["message"].as_str().unwrap().contains(message), "{status}");
}

#[tokio::test]
async fn only_the_replica_that_keeps_a_log_shows_it() {
    let world = World::new();
    world.objects.leads_no_more();
    let response = world.ask("alice", "web", "").await;
    assert_eq!(response.status(), 503);
    let told = String::from_utf8(whole(response).await).unwrap();
    assert!(told.contains("the holder of the operator's Lease"), "{told}");
}

#[tokio::test]
async fn a_log_that_is_lost_is_empty_and_says_so() {
    let world = World::new();
    let warned = async |query| world.ask("alice", "web", query).await.headers().contains_key("warning");
    assert!(warned("").await);
    world.objects.becomes(SessionState::Initial);
    assert!(!warned("").await, "there is nothing yet");
    assert_eq!(world.read("").await, "");
    world.objects.becomes(SessionState::Stopped);
    assert!(warned("?follow=true").await);
    assert_eq!(world.read("?follow=true").await, "", "there is nothing to wait for");
    let _writer = world.writer().await;
    assert!(!warned("").await);
}

#[tokio::test(start_paused = true)]
async fn a_follower_receives_output_and_what_arrives_shortly_after_the_end() {
    let world = World::new();
    world.objects.becomes(SessionState::Initial);
    let mut following = world.follow().await;
    assert!(futures::poll!(Box::pin(following.next())).is_pending());
    let writer = world.writer().await;
    world.objects.becomes(SessionState::Running);
    writer.line(Stream::Stdout, "a", now());
    assert_eq!(following.next().await.as_deref(), Some("a\n"));
    tokio::time::sleep(100 * LINGER).await;
    writer.line(Stream::Stderr, "not asked for", now());
    writer.line(Stream::Stdout, "b\nc", now());
    assert_eq!(following.next().await.as_deref(), Some("b\nc\n"));

    world.objects.becomes(SessionState::Stopped);
    let ended = Instant::now();
    writer.line(Stream::Stdout, "late", now());
    drop(writer);
    assert_eq!(following.next().await.as_deref(), Some("late\n"));
    assert_eq!(following.next().await, None);
    assert_eq!(ended.elapsed().as_secs(), LINGER.as_secs());
    assert_eq!(world.read("?follow=true").await, "a\nb\nc\nlate\n", "it is over");
}

#[rstest]
#[case::deleting(|world: &World| world.objects.change(|mut found| found.get_mut("web").unwrap().deleting = true))]
#[case::gone(|world: &World| world.objects.change(|mut found| drop(found.remove("web"))))]
#[case::another(|world: &World| world.objects.change(|mut found| found.get_mut("web").unwrap().uid = "3".into()))]
#[case::leads_no_more(|world: &World| world.objects.leads_no_more())]
#[case::ends(|world: &World| world.stop.cancel())]
#[tokio::test(start_paused = true)]
async fn a_follower_is_released_at_once_with_all_output(#[case] happens: fn(&World)) {
    let world = World::new();
    let writer = world.writer().await;
    writer.line(Stream::Stdout, "a", now());
    let mut following = world.follow().await;
    assert_eq!(following.next().await.as_deref(), Some("a\n"));
    assert!(futures::poll!(Box::pin(following.next())).is_pending());
    let began = Instant::now();
    writer.line(Stream::Stdout, "b", now());
    world.capture.flush().await;
    happens(&world);
    assert_eq!(following.next().await.as_deref(), Some("b\n"));
    assert_eq!(following.next().await, None);
    assert_eq!(began.elapsed().as_secs(), 0);
}

#[tokio::test]
async fn a_session_that_is_being_deleted_is_still_read() {
    let world = World::new();
    let writer = world.writer().await;
    writer.line(Stream::Stdout, "a", now());
    world.objects.change(|mut found| found.get_mut("web").unwrap().deleting = true);
    assert_eq!(world.read("").await, "a\n");
    assert_eq!(world.read("?follow=true").await, "a\n");
}

#[tokio::test]
async fn followers_are_bounded_and_make_place_when_they_leave() {
    let world = World::new();
    let writer = world.writer().await;
    writer.line(Stream::Stdout, "a", now());
    let mut following = Vec::new();
    for _ in 0..FOLLOWERS {
        following.push(world.follow().await);
    }
    let refused = world.ask("alice", "web", "?follow=true").await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(world.read("").await, "a\n", "readers have places of their own");
    following.pop();
    assert_eq!(world.follow().await.next().await.as_deref(), Some("a\n"));
}

#[tokio::test]
async fn a_long_log_comes_whole() {
    let world = World::new();
    let writer = world.writer().await;
    let line = "x".repeat(100_000);
    for number in 0..60 {
        writer.line(Stream::Stdout, format!("{number} {line}"), now());
        world.capture.flush().await;
    }
    let text = world.read("").await;
    assert!(text.lines().enumerate().all(|(number, text)| text == format!("{number} {line}")));
    assert_eq!(text.lines().count(), 60);
    assert_eq!(world.read("?tail=1").await, format!("59 {line}\n"));
}
