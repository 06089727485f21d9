//! The routers in memory, and the listeners on loopback.

use super::*;
use crate::{
    settings::LogSettings,
    telemetry::{log, metrics::Metrics},
};
use axum::http::Method;
use rstest::rstest;
use std::net::SocketAddr;

fn admin() -> Admin {
    let settings = LogSettings { filter: "info".into(), json: None };
    let (subscriber, handle) = log::subscriber(&settings, false, io::sink, None).unwrap();
    // The handle works as long as its logger lives, which in these tests is always.
    Box::leak(Box::new(subscriber));
    Admin {
        readiness: Readiness::default(),
        registry: Arc::new(Metrics::default().registry),
        log: handle,
        debug: Arc::new(|| serde_json::json!({"sessions": 2})),
    }
}

async fn ask(router: Router, method: Method, path: &str, body: &'static str) -> (StatusCode, String) {
    ask_from(Some("127.0.0.1"), router, method, path, body).await
}

async fn ask_from(
    peer: Option<&str>,
    router: Router,
    method: Method,
    path: &str,
    body: &'static str,
) -> (StatusCode, String) {
    let mut request = Request::builder().method(method).uri(path).body(Body::from(body)).unwrap();
    if let Some(peer) = peer {
        request.extensions_mut().insert(ConnectInfo::<IpAddr>(peer.parse().unwrap()));
    }
    let response = router.oneshot(request).await.unwrap();
    let status = response.status();
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}

#[tokio::test]
async fn readiness_names_what_is_missing_and_liveness_does_not_care() {
    let admin = admin();
    let handle = admin.readiness.handle("webhook certificate");
    admin.readiness.handle("stores").ready();
    let stores = admin.readiness.handle("stores");
    stores.ready();
    let (status, text) = ask(admin.health_router(), Method::GET, "/readyz", "").await;
    assert_eq!(
        (status, text.as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "[-] webhook certificate: not started\nnot ready\n")
    );
    for path in ["/livez", "/healthz"] {
        assert_eq!(ask(admin.health_router(), Method::GET, path, "").await.0, StatusCode::OK);
    }
    handle.ready();
    assert_eq!(ask(admin.health_router(), Method::GET, "/readyz", "").await, (StatusCode::OK, "ok".into()));
    let (_, text) = ask(admin.health_router(), Method::GET, "/readyz?verbose", "").await;
    assert_eq!(text, "[+] stores ok\n[+] webhook certificate ok\nready\n");
}

#[tokio::test]
async fn the_log_filter_is_shown_and_set() {
    let admin = admin();
    assert_eq!(ask(admin.health_router(), Method::GET, "/debug/log", "").await.1, "info\n");
    let (status, _) = ask(admin.health_router(), Method::PUT, "/debug/log", "debug\n").await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(ask(admin.health_router(), Method::GET, "/debug/log", "").await.1, "debug\n");
    let (status, text) = ask(admin.health_router(), Method::PUT, "/debug/log", "sojourn=loud").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(text.starts_with("the log filter cannot be read"), "{text}");
    let long = Box::leak("x".repeat(BODY_LIMIT + 1).into_boxed_str());
    let (status, _) = ask(admin.health_router(), Method::PUT, "/debug/log", long).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn the_debug_page_is_json() {
    let (status, text) = ask(admin().health_router(), Method::GET, "/debug/state", "").await;
    let page: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, &page["state"]["sessions"]), (StatusCode::OK, &2.into()));
}

#[rstest]
#[case::v4(Some("127.0.0.1"), true)]
#[case::v6(Some("::1"), true)]
#[case::mapped(Some("::ffff:127.0.0.1"), true)]
#[case::another_pod(Some("10.244.1.7"), false)]
#[case::another_pod_v6(Some("fd00::7"), false)]
#[case::through_a_mesh(Some("127.0.0.6"), false)]
#[case::unknown(None, false)]
#[tokio::test]
async fn debug_pages_are_for_clients_in_the_pod(#[case] peer: Option<&str>, #[case] allowed: bool) {
    let admin = admin();
    for (method, path) in
        [(Method::GET, "/debug/state"), (Method::GET, "/debug/log"), (Method::PUT, "/debug/log")]
    {
        let (status, text) = ask_from(peer, admin.health_router(), method, path, "trace").await;
        assert_eq!(status != StatusCode::FORBIDDEN, allowed, "{path}: {status} {text}");
        assert!(allowed || text.contains("kubectl -n NAMESPACE port-forward"), "{text}");
    }
    assert_eq!(admin.log.filter().unwrap(), if allowed { "trace" } else { "info" });
    for path in ["/livez", "/readyz", "/healthz"] {
        assert_eq!(ask_from(peer, admin.health_router(), Method::GET, path, "").await.0, StatusCode::OK);
    }
    let metrics = ask_from(peer, admin.metrics_router(), Method::GET, "/metrics", "").await;
    assert_eq!(metrics.0, StatusCode::OK);
}

#[rstest]
#[case("/debug/state")]
#[case("/debug/log")]
#[case("/readyz")]
#[tokio::test]
async fn scrapers_cannot_read_debug_pages(#[case] path: &str) {
    assert_eq!(ask(admin().metrics_router(), Method::GET, path, "").await.0, StatusCode::NOT_FOUND);
}

/// One request by plain TCP, as a probe sends it.
async fn fetch(port: u16, path: &str) -> String {
    fetch_from("127.0.0.1", port, path).await
}

async fn fetch_from(address: &str, port: u16, path: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(address.parse().unwrap(), 0)).unwrap();
    let mut stream = socket.connect(SocketAddr::from(([127, 0, 0, 1], port))).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

async fn free_address() -> Address {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    Address { host: "127.0.0.1".into(), port: listener.local_addr().unwrap().port() }
}

#[tokio::test]
async fn equal_addresses_share_a_listener_and_stop_ends_it() {
    let address = free_address().await;
    let stop = CancellationToken::new();
    let server = admin().listen(Some(address.clone()), Some(address.clone()), stop.clone()).await.unwrap();
    let server = tokio::spawn(server);
    let scraped = fetch(address.port, "/metrics").await;
    assert!(scraped.contains("application/openmetrics-text") && scraped.ends_with("# EOF\n"), "{scraped}");
    assert!(scraped.contains("sojourn_build_info"), "{scraped}");
    assert!(fetch(address.port, "/livez").await.starts_with("HTTP/1.1 200"));
    assert!(fetch(address.port, "/debug/state").await.starts_with("HTTP/1.1 200"));
    for (path, status) in [("/debug/state", 403), ("/livez", 200), ("/metrics", 200)] {
        let answer = fetch_from("127.9.8.7", address.port, path).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {answer}");
    }
    stop.cancel();
    server.await.unwrap();
}

/// A server that keeps what strangers hold is a test without an end.
#[tokio::test]
async fn strangers_who_hold_connections_lock_no_probe_out() {
    use tokio::io::AsyncWriteExt as _;
    let address = free_address().await;
    let stop = CancellationToken::new();
    let server = admin().listen(Some(address.clone()), None, stop.clone()).await.unwrap();
    tokio::spawn(server);
    let mut held = Vec::new();
    for number in 0..8 * LIMITS.connections {
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", address.port)).await.unwrap();
        // Some say nothing, some break off in the middle, and some wait for what they never read.
        let begun =
            ["", "GET /livez HTTP/1.1\r\nHost:", "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"][number % 3];
        stream.write_all(begun.as_bytes()).await.unwrap();
        held.push(stream);
    }
    assert!(fetch(address.port, "/livez").await.starts_with("HTTP/1.1 200"));
    let open = held.iter().filter(|stream| stream.try_read(&mut [0; 512]).is_err()).count();
    assert!(open <= LIMITS.connections, "{open} connections without an answer or an end");
    stop.cancel();
}

#[tokio::test]
async fn a_taken_address_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = Address { host: "127.0.0.1".into(), port: taken.local_addr().unwrap().port() };
    let error = admin().listen(Some(address.clone()), None, CancellationToken::new()).await.err().unwrap();
    assert!(error.to_string().starts_with(&format!("cannot listen at {address} for probes")), "{error}");
}
