use super::*;
use rstest::rstest;

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 7));

fn target(strip: Option<&str>) -> Target {
    Target {
        authority: Authority::from_static("127.0.0.1:8888"),
        base: String::new(),
        strip: strip.map(str::to_owned),
    }
}

fn request(uri: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = http::Request::get(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn rewritten(target: &Target, uri: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = request(uri, headers);
    target.rewrite(&mut request, PEER).unwrap();
    request
}

fn text<'a>(request: &'a Parts, name: &str) -> Option<&'a str> {
    request.headers.get(name).map(|value| value.to_str().unwrap())
}

#[rstest]
#[case("/lab?x=1", None, "/lab?x=1")]
#[case("/s/x/lab?x=1", Some("/s/x/"), "/lab?x=1")]
#[case("/s/x/", Some("/s/x/"), "/")]
#[case("/s/x/?a", Some("/s/x/"), "/?a")]
#[case::encoding_stays("/s/x/a%2Fb%20c", Some("/s/x/"), "/a%2Fb%20c")]
#[case::without_the_slash_it_is_outside("/s/x", Some("/s/x/"), "/s/x")]
#[case::neighbour("/s/xy/lab", Some("/s/x/"), "/s/xy/lab")]
#[case::root("/lab", Some("/"), "/lab")]
#[case::whole_address("http://elsewhere:99/lab", None, "/lab")]
fn paths(#[case] asked: &str, #[case] strip: Option<&str>, #[case] expected: &str) {
    let uri = rewritten(&target(strip), asked, &[]).uri;
    assert_eq!(uri.to_string(), format!("http://127.0.0.1:8888{expected}"));
}

#[test]
fn the_path_of_the_remote_goes_before() {
    let target = Target { base: "/app".into(), ..target(Some("/s/")) };
    assert_eq!(rewritten(&target, "/s/lab", &[]).uri.path(), "/app/lab");
}

#[test]
fn a_target_without_a_path_is_refused() {
    assert_eq!(target(None).rewrite(&mut request("*", &[]), PEER), Err(ReadTargetError));
    assert_eq!(target(None).rewrite(&mut request("other:443", &[]), PEER), Err(ReadTargetError));
}

#[test]
fn headers_of_the_connection_end_here() {
    let seen = rewritten(
        &target(None),
        "/",
        &[
            ("host", "sessions.example"),
            ("connection", "close, x-private"),
            ("x-private", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "gzip"),
            ("transfer-encoding", "chunked"),
            ("expect", "100-continue"),
            ("x-kept", "1"),
        ],
    );
    let names: Vec<_> = seen.headers.keys().map(HeaderName::as_str).collect();
    assert_eq!(names, ["host", "x-kept", "x-real-ip", "x-forwarded-for", "x-forwarded-proto"]);
    assert_eq!(text(&seen, "host"), Some("sessions.example"));
}

#[test]
fn the_client_is_forwarded() {
    let plain = rewritten(&target(None), "/", &[]);
    assert_eq!(text(&plain, "x-real-ip"), Some("10.0.0.7"));
    assert_eq!(text(&plain, "x-forwarded-for"), Some("10.0.0.7"));
    assert_eq!(text(&plain, "x-forwarded-proto"), Some("http"));

    let behind = [("x-forwarded-for", "192.0.2.1"), ("x-forwarded-proto", "https"), ("forwarded", "for=x")];
    let behind = rewritten(&target(None), "/", &behind);
    assert_eq!(text(&behind, "x-real-ip"), Some("192.0.2.1"));
    assert_eq!(text(&behind, "x-forwarded-for"), Some("192.0.2.1, 10.0.0.7"));
    assert_eq!(text(&behind, "x-forwarded-proto"), Some("https"));
    assert_eq!(text(&behind, "forwarded"), Some("for=x"));
}

#[test]
fn forwarded_goes_when_a_prefix_is_stripped() {
    let seen = rewritten(&target(Some("/s/")), "/s/a", &[("forwarded", "for=192.0.2.1;host=x")]);
    assert_eq!(text(&seen, "forwarded"), None);
}

#[rstest]
#[case::websocket("Upgrade", "websocket", true)]
#[case::firefox("keep-alive, Upgrade", "websocket", true)]
#[case::other("upgrade", "tcp", true)]
#[case::not_asked("keep-alive", "websocket", false)]
#[case::http2("Upgrade, HTTP2-Settings", "h2c", false)]
#[case::http2_among_others("Upgrade", "websocket, H2C", false)]
fn upgrades(#[case] connection: &str, #[case] protocol: &str, #[case] passes: bool) {
    let seen = rewritten(&target(None), "/", &[("connection", connection), ("upgrade", protocol)]);
    assert_eq!(text(&seen, "upgrade"), passes.then_some(protocol));
    assert_eq!(text(&seen, "connection"), passes.then_some("Upgrade"));
}

#[test]
fn http2_becomes_http1() {
    let mut seen = request("http://sessions.example/a", &[("cookie", "a=1"), ("cookie", "b=2")]);
    seen.version = Version::HTTP_2;
    target(None).rewrite(&mut seen, PEER).unwrap();
    assert_eq!(text(&seen, "host"), Some("sessions.example"));
    assert_eq!(seen.headers.get_all("cookie").iter().collect::<Vec<_>>(), ["a=1; b=2"]);
    assert_eq!(seen.version, Version::HTTP_11);
}
