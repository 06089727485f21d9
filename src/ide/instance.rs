//! Who we are to an IDE. Peers tell owners of sessions apart by the prefix, which belongs to the credentials;
//! the whole is kept with the sessions, so that a restarted operator is still the one that created them.

use http::HeaderValue;
use sha2::{Digest, Sha256};
use std::fmt;

/// Characters after the prefix.
const SUFFIX: usize = 12;

/// The value of the header `Microsoft-Developer-DCP-Instance-ID`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceId(String);

/// A text that cannot be an instance id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an instance id is made of up to 256 visible ASCII characters")]
pub struct ReadInstanceIdError;

impl InstanceId {
    /// The id of an operator: the prefix and twelve letters that follow from `name`, the same in every process and on
    /// every replica.
    pub fn derive(prefix: &str, name: &str) -> Result<Self, ReadInstanceIdError> {
        let digest = Sha256::digest(name.as_bytes());
        let letters = digest.iter().take(SUFFIX).map(|byte| char::from(b'a' + byte % 26));
        Self::read(&prefix.chars().chain(letters).collect::<String>())
    }

    /// Reads an id that was written down.
    pub fn read(text: &str) -> Result<Self, ReadInstanceIdError> {
        let fits = (1..=256).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if fits { Ok(Self(text.to_owned())) } else { Err(ReadInstanceIdError) }
    }

    /// The value of the header.
    pub(super) fn header(&self) -> HeaderValue {
        // Every id is made of characters that a header can carry.
        HeaderValue::from_str(&self.0).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_stands_first_and_twelve_letters_follow() {
        let id = InstanceId::derive("run-", "a").unwrap();
        let letters = id.0.strip_prefix("run-").unwrap();
        assert!(letters.len() == 12 && letters.bytes().all(|b| b.is_ascii_lowercase()), "{id}");
        assert_eq!(InstanceId::read(&id.0).unwrap().header(), id.0.as_str());
    }

    #[test]
    fn a_name_always_has_the_same_id() {
        let id = |prefix, name| InstanceId::derive(prefix, name).unwrap();
        assert_eq!(id("run-", "a"), id("run-", "a"));
        assert_ne!(id("run-", "a"), id("run-", "b"));
    }

    #[test]
    fn what_a_header_cannot_carry_is_none() {
        for text in ["", "a b", "a\n", "é", &"a".repeat(257)] {
            assert!(InstanceId::read(text).is_err(), "{text:?}");
        }
    }
}
