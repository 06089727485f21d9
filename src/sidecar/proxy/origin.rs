//! Which pages may open a websocket: pure.
//!
//! Browsers let any page open a websocket to any server, and send the cookies of that server with it; that the answer is
//! read is only up to the server, by `Origin`. Many servers that run in sessions do not look, and a page that can talk
//! to a terminal or a kernel can do all that the user can. `SameSite` does not help where sessions are each other's site.
//!
//! So a websocket that is admitted by what browsers send by themselves has to come from a page of the same host. Ports
//! do not count: a host's cookies are those of all its ports, and some proxies drop the port.

use http::{HeaderMap, HeaderName, HeaderValue, header, uri::Authority};
use std::net::IpAddr;

const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Whether a handshake comes from a page of another host than the one that it goes to. Programs send no origin.
///
/// A login proxy in the same pod may have put its own target in the place of the host. Then nobody knows what the browser
/// called, and it is let in.
pub(crate) fn is_foreign(headers: &HeaderMap, behind_login: bool) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter().peekable();
    if origins.peek().is_none() {
        return false;
    }
    let own: Vec<String> = [header::HOST, FORWARDED_HOST]
        .iter()
        .flat_map(|name| headers.get_all(name))
        .flat_map(|value| value.to_str().unwrap_or_default().split(','))
        .filter_map(host)
        .collect();
    if behind_login && own.iter().all(|host| is_loopback(host)) {
        return false;
    }
    !origins.all(|origin| page_host(origin).is_some_and(|page| own.contains(&page)))
}

/// The host of a page; none for pages without one, such as those in sandboxes.
fn page_host(origin: &HeaderValue) -> Option<String> {
    let (_, authority) = origin.to_str().ok()?.split_once("://")?;
    host(authority)
}

fn host(authority: &str) -> Option<String> {
    let authority: Authority = authority.trim().parse().ok()?;
    Some(authority.host().to_ascii_lowercase()).filter(|host| !host.is_empty())
}

fn is_loopback(host: &str) -> bool {
    host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn headers(texts: &[(&str, &str)]) -> HeaderMap {
        let read = |(name, value): &(&str, &str)| {
            (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap())
        };
        texts.iter().map(read).collect()
    }

    #[rstest]
    #[case::same(&[("host", "s.example.org"), ("origin", "https://s.example.org")])]
    #[case::other_case(&[("host", "S.example.org"), ("origin", "https://s.Example.org")])]
    #[case::port_dropped_by_a_proxy(&[("host", "localhost"), ("origin", "http://localhost:8443")])]
    #[case::host_replaced_by_a_proxy(&[("host", "svc.ns"), ("x-forwarded-host", "a.example.org, s.example.org"),
        ("origin", "https://s.example.org")])]
    #[case::forwarded_port(&[("host", "127.0.0.1:8888"), ("origin", "http://127.0.0.1:8888")])]
    #[case::program(&[("host", "s.example.org")])]
    fn pages_of_the_session_and_programs_are_let_in(#[case] shown: &[(&str, &str)]) {
        assert!(!is_foreign(&headers(shown), false));
        assert!(!is_foreign(&headers(shown), true));
    }

    #[test]
    fn a_login_may_not_pass_the_host() {
        let shown = headers(&[("host", "127.0.0.1:65533"), ("origin", "https://s.example.org")]);
        assert!(!is_foreign(&shown, true));
        assert!(is_foreign(&shown, false), "somebody forwards a port");
    }

    #[rstest]
    #[case::other_site("https://evil.example")]
    #[case::sibling("https://t.example.org")]
    #[case::parent("https://example.org")]
    #[case::suffix("https://s.example.org.evil.example")]
    #[case::user("https://s.example.org@evil.example")]
    #[case::sandbox("null")]
    #[case::empty("")]
    #[case::file("file://")]
    fn pages_of_others_are_not(#[case] origin: &str) {
        assert!(is_foreign(&headers(&[("host", "s.example.org"), ("origin", origin)]), true));
        let both = [("host", "s.example.org"), ("origin", "https://s.example.org"), ("origin", origin)];
        assert!(is_foreign(&headers(&both), true), "one of two origins is enough");
    }
}
