//! The bearer token. It is used in one header and never shown.

use http::HeaderValue;
use std::fmt;

/// A token that cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(HeaderValue);

/// The text is not a token. The error does not contain it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token is empty or has characters that a header cannot carry")]
pub struct ReadTokenError;

impl Token {
    /// Parses a token. Surrounding whitespace is not part of it.
    pub fn read(text: &str) -> Result<Self, ReadTokenError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(ReadTokenError);
        }
        let mut header = HeaderValue::from_str(&format!("Bearer {text}")).map_err(|_| ReadTokenError)?;
        header.set_sensitive(true);
        Ok(Self(header))
    }

    /// The value of the `Authorization` header, marked sensitive.
    pub(super) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_into_the_header_and_is_not_shown() {
        let token = Token::read(" s3cret\n").unwrap();
        assert_eq!(token.header(), "Bearer s3cret");
        assert!(!format!("{token:?} {:?}", token.header()).contains("s3cret"));
    }

    #[test]
    fn what_a_header_cannot_carry_is_none() {
        for text in ["", "  ", "a\nb", "a\0b"] {
            assert!(Token::read(text).is_err(), "{text:?}");
        }
    }
}
