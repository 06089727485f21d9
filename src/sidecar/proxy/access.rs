//! Authorization of requests. Pure, and never open by accident.
//!
//! There are two ways to be admitted. Either the session has a token, and a request carries it; or a login proxy runs
//! in the same pod, and a request comes from there. A proxy that is configured for neither does not start.

use http::{HeaderMap, HeaderValue, header};
use sha2::{Digest, Sha256};
use std::{
    hint::black_box,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// The token of a session. Only its digest is kept, so that it cannot leak.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token([u8; 32]);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(hidden)")
    }
}

impl Token {
    /// The digest of `text`.
    pub(crate) fn new(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// Whether `text` is the token, in a time that does not depend on where it differs or how long it is.
    fn is(&self, text: &[u8]) -> bool {
        let seen: [u8; 32] = Sha256::digest(text).into();
        let difference =
            self.0.iter().zip(seen).fold(0, |sum, (mine, theirs)| sum | black_box(mine ^ theirs));
        difference == 0
    }
}

/// Which requests are admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Requests with the token, in a cookie or as a bearer token.
    Token {
        /// The token.
        token: Token,
        /// Name of the cookie.
        cookie: String,
    },
    /// Requests from the login proxy in the same pod, that is, from the loopback address.
    Pod,
}

/// By what a request is admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Credential {
    /// By what a browser sends by itself, whatever page wants it to.
    Ambient,
    /// By a header that its client has written.
    Bearer,
}

/// A request is not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AccessError {
    /// It has no token.
    Missing,
    /// Its `Authorization` is not a bearer token.
    Scheme,
    /// It has another token.
    Wrong,
    /// It did not come through the login proxy.
    Outside,
    /// It is a websocket of a page of another host.
    Origin,
}

impl AccessError {
    /// The message of the response, in the original's words.
    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::Missing => "missing key in request header",
            Self::Scheme => "invalid key in the request header",
            Self::Wrong => "Unauthorized",
            Self::Outside => "Forbidden",
            Self::Origin => "this page may not open a websocket to the session",
        }
    }
}

impl Access {
    /// Admits a request with `headers` from `peer`, or not.
    pub(crate) fn authorize(&self, headers: &HeaderMap, peer: IpAddr) -> Result<Credential, AccessError> {
        match self {
            Self::Token { token, cookie } => by_token(token, cookie, headers),
            // Not all of 127.0.0.0/8: service meshes hand over what comes from outside from other addresses of it.
            Self::Pod => {
                let own = peer == Ipv4Addr::LOCALHOST || peer == Ipv6Addr::LOCALHOST;
                own.then_some(Credential::Ambient).ok_or(AccessError::Outside)
            }
        }
    }

    /// Removes the credentials for this proxy: the session behind it must not receive them.
    pub(crate) fn strip_credentials(&self, headers: &mut HeaderMap) {
        let Self::Token { token, cookie } = self else { return };
        let shown = |value: &HeaderValue| bearer(value).is_some_and(|text| token.is(text));
        if headers.get_all(header::AUTHORIZATION).iter().any(shown) {
            let others: Vec<HeaderValue> = headers
                .get_all(header::AUTHORIZATION)
                .iter()
                .filter(|value| !shown(value))
                .cloned()
                .collect();
            headers.remove(header::AUTHORIZATION);
            for other in others {
                headers.append(header::AUTHORIZATION, other);
            }
        }
        if cookies(headers).any(|(name, _, _)| name == cookie.as_bytes()) {
            let others: Vec<&[u8]> = cookies(headers)
                .filter(|(name, _, _)| *name != cookie.as_bytes())
                .map(|(_, _, pair)| pair)
                .collect();
            // Bytes of a header value make a header value again.
            let others = HeaderValue::from_bytes(&others.join(&b"; "[..])).ok().filter(|v| !v.is_empty());
            headers.remove(header::COOKIE);
            if let Some(others) = others {
                headers.insert(header::COOKIE, others);
            }
        }
    }
}

fn by_token(token: &Token, cookie: &str, headers: &HeaderMap) -> Result<Credential, AccessError> {
    let mut error = AccessError::Missing;
    let mut by_cookie = false;
    for (_, value, _) in cookies(headers).filter(|(name, _, _)| *name == cookie.as_bytes()) {
        by_cookie |= token.is(value);
        error = AccessError::Wrong;
    }
    for value in headers.get_all(header::AUTHORIZATION) {
        match bearer(value) {
            Some(text) if token.is(text) => return Ok(Credential::Bearer),
            Some(_) => error = AccessError::Wrong,
            None if error == AccessError::Missing => error = AccessError::Scheme,
            None => {}
        }
    }
    if by_cookie { Ok(Credential::Ambient) } else { Err(error) }
}

/// The bearer token that the value of an `Authorization` holds.
fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, text) = value.as_bytes().split_at_checked(b"Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| text.trim_ascii())
}

/// Name, value and whole text of each cookie.
fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8], &[u8])> {
    headers.get_all(header::COOKIE).iter().flat_map(|value| {
        value.as_bytes().split(|byte| *byte == b';').filter_map(|pair| {
            let pair = pair.trim_ascii();
            let equals = pair.iter().position(|byte| *byte == b'=')?;
            let (name, value) = (pair[..equals].trim_ascii(), pair[equals + 1..].trim_ascii());
            let quoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
            Some((name, quoted.unwrap_or(value), pair))
        })
    })
}

#[cfg(test)]
mod tests;
