//! `proxy serve` in front of a session.

use crate::{
    process::{Sidecar, command, connect, get, request, send, send_from, text},
    session,
};
use bytes::Bytes;
use futures::{SinkExt, StreamExt, channel::mpsc, stream::FuturesUnordered};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::{
    body::Frame,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::{convert::Infallible, io::Write, net::Ipv4Addr, net::SocketAddr, time::Duration};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const TOKEN: &str = "a-token-that-nobody-may-see";
const COOKIE: (&str, &str) = ("cookie", "renku-auth=a-token-that-nobody-may-see");

/// A proxy that asks for a token, in front of a session.
async fn with_token(env: &[(&str, &str)]) -> (Sidecar, SocketAddr) {
    let session = session::start().await;
    start(&format!("http://{session}"), env)
}

fn start(remote: &str, env: &[(&str, &str)]) -> (Sidecar, SocketAddr) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    write!(file, "authproxy:\n  token: {TOKEN}\n").unwrap();
    let config = file.path().to_str().unwrap();
    let args = ["proxy", "serve", "--config", config, "--port", "0", "--meta_port", "0"];
    let env = [&[("AUTHPROXY_REMOTE", remote), ("AUTHPROXY_ADDRESS", "127.0.0.1")], env].concat();
    let sidecar = Sidecar::start(&args, &env);
    let address = sidecar.address("users");
    (sidecar, address)
}

#[tokio::test]
async fn only_who_shows_the_token_gets_to_the_session() {
    let (_proxy, address) = with_token(&[]).await;
    let refused = |text: &str| (StatusCode::UNAUTHORIZED, format!("{{\"message\":\"{text}\"}}"));
    assert_eq!(get(address, "/", &[]).await, refused("missing key in request header"));
    let basic = [("authorization", "Basic eDp5")];
    assert_eq!(get(address, "/", &basic).await, refused("invalid key in the request header"));
    assert_eq!(get(address, "/", &[("cookie", "renku-auth=other")]).await, refused("Unauthorized"));
    let answer = send(address, request("/", &[])).await;
    assert_eq!(answer.headers()["www-authenticate"], "Bearer");

    assert_eq!(get(address, "/", &[COOKIE]).await.0, StatusCode::OK);
    let bearer = format!("Bearer {TOKEN}");
    assert_eq!(get(address, "/", &[("authorization", &bearer)]).await.0, StatusCode::OK);
    assert_eq!(get(address, "/__amalthea__/health", &[]).await, (StatusCode::OK, String::new()));
    // Nothing else is open for its path.
    assert_eq!(get(address, "/__amalthea__/health/../", &[]).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(get(address, "/__amalthea__/healthy", &[]).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn neither_session_nor_log_nor_a_neighbour_sees_the_token() {
    let (proxy, address) = with_token(&[("AUTHPROXY_VERBOSE", "true")]).await;
    let cookies = format!("a=1; renku-auth={TOKEN}; b=2");
    let (_, seen) = get(address, "/lab?token=secret", &[("cookie", &cookies), ("accept", "x/y")]).await;
    assert!(seen.starts_with("GET /lab?token=secret HTTP/1.1\n"), "{seen}");
    assert!(seen.contains("\ncookie: a=1; b=2\n") && seen.contains("\naccept: x/y\n"), "{seen}");
    assert!(seen.contains("\nhost: sessions.example\n") && !seen.contains(TOKEN), "{seen}");
    assert!(seen.contains("\nx-forwarded-for: 127.0.0.1\n"), "{seen}");
    get(address, "/", &[("cookie", "renku-auth=guessed")]).await;
    proxy.terminate();
    let (status, log) = proxy.ended();
    assert!(status.success(), "{log}");
    assert!(log.contains("\"path\":\"/lab\"") && log.contains("\"status\":401"), "{log}");
    for secret in [TOKEN, "secret", "guessed"] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[tokio::test]
async fn a_prefix_is_stripped() {
    let (_proxy, address) = with_token(&[("AUTHPROXY_STRIP_PATH_PREFIX", "/s/x/")]).await;
    let line = async |path| get(address, path, &[COOKIE]).await.1.lines().next().unwrap().to_owned();
    assert_eq!(line("/s/x/lab?a=%2F").await, "GET /lab?a=%2F HTTP/1.1");
    assert_eq!(line("/other").await, "GET /other HTTP/1.1");
}

#[tokio::test]
async fn bodies_stream_both_ways() {
    let (_proxy, address) = with_token(&[]).await;
    let (mut sender, pieces) = mpsc::channel::<Result<Frame<Bytes>, Infallible>>(0);
    let request = Request::post("/echo").header(COOKIE.0, COOKIE.1).body(StreamBody::new(pieces)).unwrap();
    // A proxy that waited for the end of a body would wait here for ever.
    let mut answer = send(address, request).await.into_body();
    for piece in ["one", "two", "three"] {
        sender.send(Ok(Frame::data(piece.into()))).await.unwrap();
        assert_eq!(answer.frame().await.unwrap().unwrap().into_data().unwrap(), piece);
    }
    drop(sender);
    assert!(answer.frame().await.is_none());
}

#[tokio::test]
async fn memory_is_bounded_whatever_passes() {
    let (proxy, address) = with_token(&[]).await;
    // Clients that ask for much and read nothing.
    let mut slow = Vec::new();
    for _ in 0..120 {
        let mut stream = connect(address, Ipv4Addr::LOCALHOST).await;
        let ask = format!("GET /zeros/64 HTTP/1.1\r\nhost: x\r\n{}: {}\r\n\r\n", COOKIE.0, COOKIE.1);
        stream.write_all(ask.as_bytes()).await.unwrap();
        stream.read_exact(&mut [0; 12]).await.unwrap();
        slow.push(stream);
    }
    let mebibyte = Bytes::from(vec![7; 1 << 20]);
    let pieces =
        futures::stream::iter((0..128).map(move |_| Ok::<_, Infallible>(Frame::data(mebibyte.clone()))));
    let upload = Request::post("/drain").header(COOKIE.0, COOKIE.1).body(StreamBody::new(pieces)).unwrap();
    assert_eq!(text(send(address, upload).await).await, (StatusCode::OK, (128 << 20).to_string()));
    let mut download = send(address, request("/zeros/128", &[COOKIE])).await.into_body();
    let mut length = 0;
    while let Some(frame) = download.frame().await {
        length += frame.unwrap().into_data().unwrap().len();
    }
    assert_eq!(length, 128 << 20);
    let memory = proxy.memory();
    println!("memory of its own after 256 MiB and with 120 slow readers: {memory} KiB");
    assert!(memory < 15 << 10, "{memory} KiB");
}

/// Asks for a tunnel of `protocol`.
async fn tunnel(
    address: SocketAddr,
    protocol: &str,
    cookie: (&str, &str),
) -> Result<TokioIo<hyper::upgrade::Upgraded>, StatusCode> {
    let ask = [("connection", "keep-alive, Upgrade"), ("upgrade", protocol), cookie];
    let mut answer = send(address, request("/tunnel", &ask)).await;
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(answer.status());
    }
    assert_eq!(answer.headers()["upgrade"], protocol);
    Ok(TokioIo::new(hyper::upgrade::on(&mut answer).await.unwrap()))
}

async fn echo(stream: &mut TokioIo<hyper::upgrade::Upgraded>, bytes: &[u8]) {
    stream.write_all(bytes).await.unwrap();
    let mut back = vec![0; bytes.len()];
    stream.read_exact(&mut back).await.unwrap();
    assert_eq!(back, bytes);
}

async fn last_request(meta: SocketAddr) -> jiff::Timestamp {
    let (_, stats) = get(meta, "/request_stats", &[]).await;
    serde_json::from_str::<serde_json::Value>(&stats).unwrap()["last_request_time"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap()
}

/// Waits until the clock shows another millisecond, so that two moments differ.
async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(5)).await;
}

#[tokio::test]
async fn websockets_pass_and_their_messages_are_use() {
    let session = session::start().await;
    let args = ["proxy", "serve", "--port=0", "--meta_port=0", "--token", TOKEN];
    let remote = format!("http://{session}");
    let proxy = Sidecar::start(&args, &[("AUTHPROXY_REMOTE", &remote), ("AUTHPROXY_ADDRESS", "127.0.0.1")]);
    let (address, meta) = (proxy.address("users"), proxy.address("request stats"));
    let wrong = tunnel(address, "websocket", ("cookie", "renku-auth=x")).await;
    assert_eq!(wrong.err(), Some(StatusCode::UNAUTHORIZED));

    let mut stream = tunnel(address, "websocket", COOKIE).await.unwrap();
    let opened = last_request(meta).await;
    a_moment().await;
    // A ping with a payload that looks like a message, then a message of three bytes, both masked.
    echo(&mut stream, &[0x89, 0x82, 0, 0, 0, 0, 0x81, 0x01]).await;
    assert_eq!(last_request(meta).await, opened, "a ping is no use");
    echo(&mut stream, &[0x81, 0x83, 0, 0, 0, 0, b'a', b'b', b'c']).await;
    assert!(last_request(meta).await > opened);
    echo(&mut stream, &[&[0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], &[1; 65536]].concat()).await;
    stream.shutdown().await.unwrap();
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "the end of one side reaches the other");
}

#[tokio::test]
async fn a_page_of_another_host_opens_no_websocket_with_the_cookie_of_a_user() {
    let (_proxy, address) = with_token(&[]).await;
    let bearer = format!("Bearer {TOKEN}");
    let ask = async |credential: (&str, &str), origin: &str| {
        let ask = [("connection", "Upgrade"), ("upgrade", "WebSocket"), ("origin", origin), credential];
        send(address, request("/tunnel", &ask)).await.status()
    };
    let own = "https://sessions.example";
    assert_eq!(ask(COOKIE, own).await, StatusCode::SWITCHING_PROTOCOLS);
    for foreign in ["https://evil.example", "https://other.sessions.example", "null"] {
        assert_eq!(ask(COOKIE, foreign).await, StatusCode::FORBIDDEN, "{foreign}");
        // A page cannot make a browser send this one.
        assert_eq!(ask(("authorization", &bearer), foreign).await, StatusCode::SWITCHING_PROTOCOLS);
    }
    let (status, _) = get(address, "/", &[COOKIE, ("origin", "https://evil.example")]).await;
    assert_eq!(status, StatusCode::OK, "whether a page may read an answer is for the session to say");
}

#[tokio::test]
async fn tunnels_of_http2_are_not_made() {
    let (_proxy, address) = with_token(&[]).await;
    assert_eq!(tunnel(address, "h2c", COOKIE).await.err(), Some(StatusCode::UPGRADE_REQUIRED));
    assert!(tunnel(address, "tcp", COOKIE).await.is_ok());
}

#[tokio::test]
async fn refused_requests_are_no_use() {
    let session = session::start().await;
    let args = ["proxy", "serve", "--port=0", "--meta_port=0", "--token", TOKEN];
    let remote = format!("http://{session}");
    let proxy = Sidecar::start(&args, &[("AUTHPROXY_REMOTE", &remote), ("AUTHPROXY_ADDRESS", "127.0.0.1")]);
    let (address, meta) = (proxy.address("users"), proxy.address("request stats"));
    let started = last_request(meta).await;
    a_moment().await;
    get(address, "/", &[]).await;
    get(address, "/__amalthea__/health", &[]).await;
    assert_eq!(last_request(meta).await, started);
    get(address, "/", &[COOKIE]).await;
    assert!(last_request(meta).await > started);
    assert_eq!(get(meta, "/", &[]).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_session_that_does_not_answer_is_said_without_its_address() {
    // A port that was free just now.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (_proxy, address) = start(&format!("http://{gone}"), &[]);
    let expected = (StatusCode::BAD_GATEWAY, "{\"message\":\"the session does not answer\"}".to_owned());
    assert_eq!(get(address, "/", &[COOKIE]).await, expected);
    assert_eq!(get(address, "/", &[]).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn http2_without_tls_is_spoken_too() {
    let (_proxy, address) = with_token(&[]).await;
    let stream = TokioIo::new(connect(address, Ipv4Addr::LOCALHOST).await);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    let ask = Request::get("http://sessions.example/lab")
        .header("cookie", "a=1")
        .header(COOKIE.0, COOKIE.1)
        .body(Full::<Bytes>::default())
        .unwrap();
    let (status, seen) = text(sender.send_request(ask).await.unwrap()).await;
    assert_eq!(status, StatusCode::OK);
    assert!(seen.starts_with("GET /lab HTTP/1.1\n") && seen.contains("\nhost: sessions.example\n"), "{seen}");
    assert!(seen.contains("\ncookie: a=1\n"), "{seen}");
    let refused = Request::get("http://sessions.example/").body(Full::default()).unwrap();
    assert_eq!(sender.send_request(refused).await.unwrap().status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn behind_a_login_only_the_pod_itself_is_passed_on() {
    let session = session::start().await;
    let args = ["proxy", "serve", "--verbose", "--behind_login", "--port=0", "--meta_port=0"];
    let remote = format!("http://{session}");
    let proxy = Sidecar::start(&args, &[("AUTHPROXY_REMOTE", &remote), ("AUTHPROXY_ADDRESS", "127.0.0.1")]);
    let address = proxy.address("users");
    assert_eq!(get(address, "/", &[]).await.0, StatusCode::OK);
    let outside = Ipv4Addr::new(127, 9, 8, 7);
    let forged = [("x-forwarded-for", "127.0.0.1")];
    let refused = send_from(address, outside, request("/", &forged)).await;
    assert_eq!(text(refused).await, (StatusCode::FORBIDDEN, "{\"message\":\"Forbidden\"}".to_owned()));
    let probe = send_from(address, outside, request("/__amalthea__/health", &[])).await;
    assert_eq!(probe.status(), StatusCode::OK);
}

#[test]
fn without_a_token_it_ends_and_says_what_to_do() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "authproxy:\n  cookie_key: x").unwrap();
    let config = file.path().to_str().unwrap();
    let env = [("AUTHPROXY_REMOTE", "http://127.0.0.1:1"), ("AUTHPROXY_ADDRESS", "127.0.0.1")];
    for args in [&["proxy", "serve", "--config", config, "--port=0"][..], &["proxy", "serve", "--port=0"]] {
        let output = command(args, &env).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("write `token: ...`"), "{said}");
    }
}

#[tokio::test]
async fn a_signal_lets_requests_end() {
    let (proxy, address) = with_token(&[]).await;
    let (mut sender, pieces) = mpsc::channel::<Result<Frame<Bytes>, Infallible>>(0);
    let request = Request::post("/echo").header(COOKIE.0, COOKIE.1).body(StreamBody::new(pieces)).unwrap();
    let mut answer = send(address, request).await.into_body();
    sender.send(Ok(Frame::data("before".into()))).await.unwrap();
    assert_eq!(answer.frame().await.unwrap().unwrap().into_data().unwrap(), "before");
    proxy.terminate();
    // No new connection is taken once it is ending.
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    sender.send(Ok(Frame::data("after".into()))).await.unwrap();
    drop(sender);
    assert_eq!(answer.collect().await.unwrap().to_bytes(), "after");
    let (status, log) = proxy.ended();
    assert_eq!(status.code(), Some(0), "{log}");
}

#[tokio::test]
async fn by_its_other_name_it_has_the_original_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let sidecars = folder.path().join("sidecars");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_sojourn"), &sidecars).unwrap();
    let said = std::process::Command::new(&sidecars).arg("version").output().unwrap();
    assert!(String::from_utf8(said.stdout).unwrap().starts_with("sidecars "));
    let unknown = std::process::Command::new(&sidecars).arg("run").output().unwrap();
    assert!(!unknown.status.success());
    let help = std::process::Command::new(&sidecars).args(["proxy", "serve", "--help"]).output().unwrap();
    assert!(help.status.success() && String::from_utf8(help.stdout).unwrap().contains("--strip_path_prefix"));
}

#[tokio::test]
async fn connections_are_not_kept_when_slots_become_few() {
    let (_proxy, address) = with_token(&[]).await;
    let kept = send(address, request("/", &[COOKIE])).await;
    assert!(!kept.headers().contains_key("connection"));
    let mut idle = Vec::new();
    for _ in 0..180 {
        let mut stream = connect(address, Ipv4Addr::LOCALHOST).await;
        let ask = format!("GET / HTTP/1.1\r\nhost: x\r\n{}: {}\r\n\r\n", COOKIE.0, COOKIE.1);
        stream.write_all(ask.as_bytes()).await.unwrap();
        stream.read_exact(&mut [0; 12]).await.unwrap();
        idle.push(stream);
    }
    let last = send(address, request("/", &[COOKIE])).await;
    assert_eq!((last.status(), last.headers()["connection"].to_str().unwrap()), (StatusCode::OK, "close"));
    // A tunnel is opened all the same.
    assert!(tunnel(address, "websocket", COOKIE).await.is_ok());
}

/// A connection by HTTP/2 on which one request was refused, and on which nothing follows.
async fn refused_by_http2(address: SocketAddr, from: Ipv4Addr) -> http2::SendRequest<Full<Bytes>> {
    let stream = TokioIo::new(connect(address, from).await);
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    let ask = Request::get("http://sessions.example/").body(Full::default()).unwrap();
    assert_eq!(sender.send_request(ask).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    sender
}

/// A proxy whose slots the strangers keep is a test without an end.
#[tokio::test]
async fn strangers_with_idle_connections_lock_nobody_out() {
    let (_proxy, address) = with_token(&[]).await;
    let stream = TokioIo::new(connect(address, Ipv4Addr::LOCALHOST).await);
    let (mut user, connection) = http1::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let ask = || request("/", &[COOKIE, ("host", "sessions.example")]);
    assert_eq!(text(user.send_request(ask()).await.unwrap()).await.0, StatusCode::OK);

    let mut strangers = Vec::new();
    for _ in 0..300 {
        strangers.push(refused_by_http2(address, Ipv4Addr::new(127, 9, 8, 7)).await);
    }
    assert_eq!(get(address, "/__amalthea__/health", &[]).await.0, StatusCode::OK);
    assert_eq!(get(address, "/", &[COOKIE]).await.0, StatusCode::OK);
    // The connection of a user is not closed for those of strangers.
    user.ready().await.unwrap();
    assert_eq!(text(user.send_request(ask()).await.unwrap()).await.0, StatusCode::OK);
    assert!(!strangers.last().unwrap().is_closed());
    assert!(strangers[0].is_closed(), "the oldest ones made room");
}

/// Strangers that open all streams of all connections, and take no answer.
#[tokio::test]
async fn what_strangers_can_make_the_proxy_hold_by_http2_fits() {
    let (proxy, address) = with_token(&[]).await;
    let mut held = Vec::new();
    for _ in 0..220 {
        let stream = TokioIo::new(connect(address, Ipv4Addr::new(127, 9, 8, 7)).await);
        let (mut sender, connection) = http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(0)
            .handshake(stream)
            .await
            .unwrap();
        tokio::spawn(connection);
        for _ in 0..16 {
            let ask = Request::post("http://sessions.example/")
                .header("x-long", "x".repeat(12_000))
                .body(StreamBody::new(futures::stream::pending::<Result<Frame<Bytes>, Infallible>>()))
                .unwrap();
            sender.ready().await.unwrap();
            held.push(sender.send_request(ask).await.unwrap());
        }
    }
    let memory = proxy.memory();
    println!("memory of its own with {} requests that are held: {memory} KiB", held.len());
    assert!(memory < 15 << 10, "{memory} KiB");
    assert_eq!(get(address, "/", &[COOKIE]).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_probe_is_answered_when_the_session_has_all_that_it_can_take() {
    let (_proxy, address) = with_token(&[]).await;
    let mut tunnels = Vec::new();
    for _ in 0..128 {
        tunnels.push(tunnel(address, "websocket", COOKIE).await.unwrap());
    }
    // Requests wait, but not any number of them: the last one is refused.
    let ask = || async { send(address, request("/", &[COOKIE])).await.status() };
    let mut asking: FuturesUnordered<_> = (0..65).map(|_| ask()).collect();
    assert_eq!(asking.next().await, Some(StatusCode::SERVICE_UNAVAILABLE));
    for _ in 0..40 {
        assert_eq!(get(address, "/__amalthea__/health", &[]).await.0, StatusCode::OK);
    }
    tunnels.pop();
    assert_eq!(asking.next().await, Some(StatusCode::OK));
    echo(&mut tunnels[0], b"still there").await;
}

#[tokio::test]
async fn scrap_is_no_request() {
    let (_proxy, address) = with_token(&[]).await;
    for scrap in ["\0\0\0\0\r\n\r\n", "GET / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: x\r\n\r\n"] {
        let mut stream = connect(address, Ipv4Addr::LOCALHOST).await;
        stream.write_all(scrap.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 4"), "{answer:?}");
    }
    let ask = Request::options("*").header(COOKIE.0, COOKIE.1).body(Empty::new()).unwrap();
    assert_eq!(send(address, ask).await.status(), StatusCode::BAD_REQUEST);
    assert_eq!(get(address, "/", &[COOKIE]).await.0, StatusCode::OK, "it still serves");
}
