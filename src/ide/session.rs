//! The id of a run session, as the IDE assigns it.

use http::HeaderValue;
use std::{fmt, sync::Arc};

/// An id of 1 to 256 characters that a path can contain unescaped.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(Arc<str>);

/// The text is not the id of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the IDE gave a session ID that is not 1 to 256 letters, digits, or any of . _ ~ -")]
pub struct ReadSessionIdError;

impl SessionId {
    /// Parses an id. All its characters are unreserved in a path.
    pub fn read(text: &str) -> Result<Self, ReadSessionIdError> {
        let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"._~-".contains(&b);
        let fits = (1..=256).contains(&text.len()) && text.bytes().all(unreserved);
        if fits && !matches!(text, "." | "..") { Ok(Self(text.into())) } else { Err(ReadSessionIdError) }
    }

    /// The last segment of the path of a `Location`. Its host is ignored and never contacted.
    pub fn of_location(location: &HeaderValue) -> Result<Self, ReadSessionIdError> {
        let text = location.to_str().map_err(|_| ReadSessionIdError)?;
        let path = text.split(['?', '#']).next().unwrap_or_default();
        Self::read(path.rsplit('/').next().unwrap_or_default())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("https://localhost:4711/run_session/run-0123456789abcdef", "run-0123456789abcdef")]
    #[case("/run_session/a.b_c~d-E", "a.b_c~d-E")]
    #[case("http://elsewhere/x/y/z?q=1/2#3", "z")]
    #[case("plain", "plain")]
    fn is_the_last_segment_of_a_location(#[case] location: &str, #[case] id: &str) {
        let location = HeaderValue::from_str(location).unwrap();
        assert_eq!(SessionId::of_location(&location).unwrap().as_str(), id);
    }

    #[rstest]
    #[case("https://localhost/run_session/")]
    #[case("https://localhost/run_session/.")]
    #[case("https://localhost/run_session/..")]
    #[case("https://localhost/run_session/a%2Fb")]
    #[case("https://localhost/run_session/a b")]
    fn other_segments_are_refused(#[case] location: &str) {
        let location = HeaderValue::from_str(location).unwrap();
        assert_eq!(SessionId::of_location(&location), Err(ReadSessionIdError));
    }

    #[test]
    fn is_at_most_256_characters() {
        assert!(SessionId::read(&"a".repeat(256)).is_ok());
        assert!(SessionId::read(&"a".repeat(257)).is_err());
    }
}
