//! What a request looks like to the session behind the proxy, and an answer to who asked: pure.
//!
//! Host, path and headers stay as they came, but for what belongs to one connection, the prefix that is to be
//! stripped, and who asked, which is added.

use http::{
    HeaderMap, HeaderName, HeaderValue, Uri, Version, header,
    request::Parts,
    uri::{Authority, PathAndQuery, Scheme},
};
use std::net::IpAddr;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_SSL: HeaderName = HeaderName::from_static("x-forwarded-ssl");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// Headers that are about one connection and not about the message.
const OF_CONNECTION: [HeaderName; 7] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// A request whose target is no path of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the target is no path")]
pub(crate) struct ReadTargetError;

/// The session that requests are forwarded to, and how their paths are rewritten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Host and port of the session.
    pub authority: Authority,
    /// Prefix of the path of every request; empty or without a slash at its end.
    pub base: String,
    /// Prefix that is stripped from paths, with a slash at its end.
    pub strip: Option<String>,
}

impl Target {
    /// The address of `uri` at the session.
    fn uri(&self, uri: &Uri) -> Result<Uri, ReadTargetError> {
        let path =
            uri.path_and_query().filter(|path| path.as_str().starts_with('/')).ok_or(ReadTargetError)?;
        let kept = match &self.strip {
            // What is left begins with the slash at which the prefix ends.
            Some(strip) if path.as_str().starts_with(strip.as_str()) => &path.as_str()[strip.len() - 1..],
            _ => path.as_str(),
        };
        let path = if kept.len() == path.as_str().len() && self.base.is_empty() {
            path.clone()
        } else {
            PathAndQuery::try_from(format!("{}{kept}", self.base)).map_err(|_| ReadTargetError)?
        };
        let parts =
            Uri::builder().scheme(Scheme::HTTP).authority(self.authority.clone()).path_and_query(path);
        parts.build().map_err(|_| ReadTargetError)
    }

    /// Makes `request` from `peer` one for the session.
    pub(crate) fn rewrite(&self, request: &mut Parts, peer: IpAddr) -> Result<(), ReadTargetError> {
        let uri = self.uri(&request.uri)?;
        // HTTP/2 has the host in the target.
        if let Some(authority) =
            request.uri.authority().filter(|_| !request.headers.contains_key(header::HOST))
        {
            let host = HeaderValue::from_str(authority.as_str()).map_err(|_| ReadTargetError)?;
            request.headers.insert(header::HOST, host);
        }
        request.uri = uri;
        let upgrade = upgrade(request);
        let headers = &mut request.headers;
        remove_hop_by_hop(headers, upgrade.as_ref());
        // The listener has answered it.
        headers.remove(header::EXPECT);
        if request.version == Version::HTTP_2 {
            join_cookies(headers);
        }
        request.version = Version::HTTP_11;
        if self.strip.is_some() {
            // RStudio builds wrong addresses from it.
            headers.remove(header::FORWARDED);
        }
        say_who_asked(headers, peer);
        Ok(())
    }
}

/// The protocol that a request wants to change to.
pub(crate) fn requested_upgrade(headers: &HeaderMap) -> Option<&HeaderValue> {
    let asks = tokens(headers, header::CONNECTION).any(|token| token.eq_ignore_ascii_case("upgrade"));
    headers.get(header::UPGRADE).filter(|_| asks)
}

/// The protocol that a request wants to change to, if it may.
pub(crate) fn upgrade(request: &Parts) -> Option<HeaderValue> {
    let wanted = requested_upgrade(&request.headers)?;
    // An upgrade to HTTP/2 would carry further requests, which would not be authorized.
    let http2 = wanted.to_str().is_ok_and(|text| {
        text.split(',').any(|protocol| protocol.trim().get(..2).is_some_and(|p| p.eq_ignore_ascii_case("h2")))
    });
    (!http2 && request.version == Version::HTTP_11).then(|| wanted.clone())
}

/// Whether the protocol is that of websockets.
pub(crate) fn is_websocket(protocol: &HeaderValue) -> bool {
    protocol.as_bytes().eq_ignore_ascii_case(b"websocket")
}

/// Removes from `headers` what is about the connection that they came by. With `upgrade` the wish to change the
/// protocol, or the agreement to it, stays.
pub(crate) fn remove_hop_by_hop(headers: &mut HeaderMap, upgrade: Option<&HeaderValue>) {
    let named: Vec<HeaderName> =
        tokens(headers, header::CONNECTION).filter_map(|token| token.parse().ok()).collect();
    for name in named.iter().chain(&OF_CONNECTION) {
        headers.remove(name);
    }
    // The only encoding that survives a proxy.
    if headers.get_all(header::TE).iter().all(|value| value != "trailers") {
        headers.remove(header::TE);
    }
    if let Some(protocol) = upgrade {
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, protocol.clone());
    }
}

/// HTTP/2 may send each cookie for itself; HTTP/1.1 has one header for all.
fn join_cookies(headers: &mut HeaderMap) {
    let all: Vec<&[u8]> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if all.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&all.join(&b"; "[..]))
    {
        headers.insert(header::COOKIE, joined);
    }
}

/// Adds who asked. What proxies before us said stays, as the original lets it.
fn say_who_asked(headers: &mut HeaderMap, peer: IpAddr) {
    let before: Vec<String> = tokens(headers, FORWARDED_FOR).map(str::to_owned).collect();
    let peer = peer.to_string();
    let first = before.first().unwrap_or(&peer);
    if !headers.contains_key(REAL_IP)
        && let Ok(first) = HeaderValue::from_str(first)
    {
        headers.insert(REAL_IP, first);
    }
    let all = before.iter().map(String::as_str).chain([peer.as_str()]).collect::<Vec<_>>().join(", ");
    if let Ok(all) = HeaderValue::from_str(&all) {
        headers.insert(FORWARDED_FOR, all);
    }
    if !headers.contains_key(FORWARDED_PROTO) {
        let secure = headers.get(FORWARDED_SSL).is_some_and(|value| value == "on");
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static(if secure { "https" } else { "http" }));
    }
}

/// The entries of a header that is a list.
fn tokens(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let texts = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).map(str::trim).filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests;
