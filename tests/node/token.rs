//! Sessions behind our own proxy, which asks for a token, and idleness as the proxy sees it.

use crate::{
    browser::{Answer, Site, ask},
    objects::error,
    process, session,
    stage::{handed_on, is, scene, script},
    support::{Scene, must},
};
use bytes::Bytes;
use futures::StreamExt;
use http::{Request, StatusCode};
use http_body_util::StreamBody;
use hyper::body::Frame;
use serde_json::{Value, json};
use sojourn_crds::amalthea::State;
use std::convert::Infallible;

const TOKEN: &str = "a-token-that-nobody-may-see";
const COOKIE: (&str, &str) = ("cookie", "renku-auth=a-token-that-nobody-may-see");

/// A session behind the token in the secret `token`.
async fn behind_token(scene: &Scene, name: &str, more: Value) {
    let server = session::start_on(tokio::net::TcpListener::from_std(scene.listener()).unwrap());
    let mut more = more;
    more["authentication"] = json!({"type": "token", "secretRef": {"name": "token", "key": "auth.yaml"}});
    scene.session(name, handed_on(server, more)).await;
}

async fn secret(scene: &Scene, text: &str) {
    let text = format!("--from-literal=auth.yaml={text}");
    must(scene.kubectl(&["create", "secret", "generic", "token", &text]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_shows_the_token_uses_the_session_and_nobody_else() {
    let scene = scene("token").await;
    secret(&scene, &format!("authproxy: {{token: {TOKEN}}}")).await;
    behind_token(&scene, "main", json!({})).await;
    let running = scene.eventually("main", "runs", is(State::Running)).await;
    assert_eq!(error(&running), "");
    let site = Site::of(&scene, "main").await;
    site.is_reached().await;

    for headers in [&[][..], &[("cookie", "renku-auth=guessed")], &[("authorization", "Bearer guessed")]] {
        assert_eq!(ask(&site, "/lab", headers).await.status, StatusCode::UNAUTHORIZED, "{headers:?}");
    }
    let bearer = format!("Bearer {TOKEN}");
    for header in [COOKIE, ("authorization", bearer.as_str())] {
        let Answer { status, body, .. } = ask(&site, "/lab?x=1", &[header]).await;
        assert_eq!(status, StatusCode::OK);
        assert!(body.starts_with("GET /lab?x=1 ") && !body.contains(TOKEN), "{body}");
    }
    assert_eq!(site.echo("/tunnel", &[COOKIE]).await, Ok("ping".to_owned()));
    assert_eq!(site.echo("/tunnel", &[]).await, Err(StatusCode::UNAUTHORIZED));

    // More than the container's memory, both ways.
    let mebibyte = Bytes::from(vec![7; 1 << 20]);
    let pieces =
        futures::stream::iter(0..64).map(move |_| Ok::<_, Infallible>(Frame::data(mebibyte.clone())));
    let upload = Request::post("/drain").header(COOKIE.0, COOKIE.1).body(StreamBody::new(pieces)).unwrap();
    let (status, length) = process::text(process::send_by(site.connect(), upload).await).await;
    assert_eq!((status, length), (StatusCode::OK, (64 << 20).to_string()));
    assert_eq!(site.download("/zeros/64", &[COOKIE]).await, 64 << 20);
    assert_eq!(scene.restarts("main").await, "0 0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_without_a_token_opens_nothing() {
    let scene = scene("no-token").await;
    secret(&scene, "authproxy: {cookie_key: other}").await;
    behind_token(&scene, "main", json!({})).await;
    let failed = scene.eventually("main", "fails", is(State::Failed)).await;
    let error = error(&failed);
    assert!(error.contains("authproxy") && error.contains("there is no token"), "{error}");
    assert_eq!(scene.answer("main", "/").await, "");

    must(scene.kubectl(&["delete", "secret", "token"]).await);
    secret(&scene, &format!("token: {TOKEN}")).await;
    // A volume follows its secret in about a minute; the pod is not made anew.
    scene.eventually("main", "runs", is(State::Running)).await;
    let site = Site::of(&scene, "main").await;
    site.is_reached().await;
    assert_eq!(ask(&site, "/", &[]).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(ask(&site, "/", &[COOKIE]).await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_in_use_stays_and_one_that_is_not_is_hibernated_without_a_metrics_server() {
    let scene = scene("idle").await;
    let metrics = scene.kubectl(&["get", "--raw", "/apis/metrics.k8s.io/v1beta1"]).await;
    assert!(!metrics.success(), "there is a metrics server: {}", metrics.stdout);
    secret(&scene, &format!("authproxy: {{token: {TOKEN}}}")).await;
    for name in ["used", "unused", "watched"] {
        behind_token(&scene, name, json!({})).await;
    }
    // Nobody can tell whether it is used.
    scene.session("alone", script("trap 'exit 0' TERM; sleep 1000 & wait", json!({}))).await;
    for name in ["used", "unused", "watched", "alone"] {
        scene.eventually(name, "runs", is(State::Running)).await;
    }
    let used = Site::of(&scene, "used").await;
    let watched = Site::of(&scene, "watched").await;
    for site in [&used, &watched] {
        site.is_reached().await;
    }
    let mut tunnel = watched.tunnel("/tunnel", &[COOKIE]).await.unwrap();
    // Who is refused does not use it.
    let unused = Site::of(&scene, "unused").await;
    unused.is_reached().await;
    assert_eq!(ask(&unused, "/", &[]).await.status, StatusCode::UNAUTHORIZED);
    let mut use_both = async || {
        assert_eq!(ask(&used, "/", &[COOKIE]).await.status, StatusCode::OK);
        assert_eq!(crate::browser::exchange(&mut tunnel).await, "ping");
    };
    use_both().await;
    // Not before all of them are there, which takes longer on a busy machine.
    for name in ["used", "unused", "watched", "alone"] {
        must(scene.patch(name, json!({"spec": {"culling": {"maxIdleDuration": "30s"}}})).await);
    }
    let using = async {
        loop {
            use_both().await;
            tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        }
    };
    tokio::select! {
        never = using => never,
        _ = scene.eventually("unused", "is hibernated", is(State::Hibernated)) => {}
    }
    for name in ["used", "watched", "alone"] {
        let session = scene.get(name).await.unwrap();
        assert!(is(State::Running)(&session), "{name}: {:?}", session.status);
    }
    drop(tunnel);
    for name in ["used", "watched"] {
        scene.eventually(name, "is hibernated", is(State::Hibernated)).await;
    }
}
