//! Versions of the protocol are dates. Which one to speak follows from what the IDE lists at `/info`.

use jiff::civil::Date;
use serde::Deserialize;
use std::fmt;

/// Versions that we speak, the best first.
const SPOKEN: [&str; 3] = ["2025-10-01", "2024-04-23", "2024-03-03"];

/// From here on an IDE answers the ping of a WebSocket.
const PONG: &str = "2024-04-23";

/// What an IDE that lists no launch configurations can launch.
const LAUNCHED_BY_ALL: &str = "project";

/// The answer to `GET /info`.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Info {
    /// Versions of the protocol that the IDE speaks.
    #[serde(default)]
    pub protocols_supported: Option<Vec<String>>,
    /// Types of launch configurations that it knows.
    #[serde(default)]
    pub supported_launch_configurations: Option<Vec<String>>,
}

/// What an IDE and we agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// The version of every request.
    pub version: Version,
    /// Types of launch configurations that the IDE knows; never empty.
    pub launches: Vec<String>,
}

/// There is no version that both sides speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an old or incompatible Aspire IDE extension was detected; only Aspire 8.0 and later versions are supported"
)]
pub struct NegotiateVersionError;

/// A version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version(&'static str);

impl Info {
    /// Agrees on the best version that both sides speak.
    pub(crate) fn agree(self) -> Result<Agreed, NegotiateVersionError> {
        let listed = self.protocols_supported.unwrap_or_default();
        let version = SPOKEN.into_iter().find(|spoken| listed.iter().any(|listed| listed == spoken));
        let launches = self.supported_launch_configurations.unwrap_or_default();
        let launches = if launches.is_empty() { vec![LAUNCHED_BY_ALL.to_owned()] } else { launches };
        Ok(Agreed { version: Version(version.ok_or(NegotiateVersionError)?), launches })
    }
}

impl Version {
    /// Whether the IDE answers a ping, so that silence means something.
    pub fn answers_pings(self) -> bool {
        is_at_least(self.0, PONG)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Whether version `a` is `b` or newer. A text that is no date is older than anything, itself included.
pub(crate) fn is_at_least(a: &str, b: &str) -> bool {
    let date = |text: &str| (text.len() == "2024-03-03".len()).then(|| text.parse::<Date>().ok()).flatten();
    matches!((date(a), date(b)), (Some(a), Some(b)) if a >= b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn info(body: &str) -> Info {
        serde_json::from_str(body).unwrap()
    }

    #[rstest]
    #[case(r#"["2024-03-03","2024-04-23","2025-10-01"]"#, "2025-10-01")]
    #[case(r#"["2030-01-01","2024-03-03","2024-04-23"]"#, "2024-04-23")]
    #[case(r#"["2024-03-03"]"#, "2024-03-03")]
    fn the_best_common_version_is_spoken(#[case] listed: &str, #[case] spoken: &str) {
        let agreed = info(&format!(r#"{{"protocols_supported":{listed}}}"#)).agree().unwrap();
        assert_eq!(agreed.version.to_string(), spoken);
        assert_eq!(agreed.launches, ["project"]);
    }

    #[rstest]
    #[case(r#"{"protocols_supported":["2024-03-02"," 2025-10-01"]}"#)]
    #[case(r#"{"protocols_supported":null}"#)]
    #[case("{}")]
    fn without_a_common_version_there_is_none(#[case] body: &str) {
        assert_eq!(info(body).agree(), Err(NegotiateVersionError));
    }

    #[test]
    fn the_ide_says_what_it_launches() {
        let body =
            r#"{"protocols_supported":["2025-10-01"],"supported_launch_configurations":["python","go"]}"#;
        assert_eq!(info(body).agree().unwrap().launches, ["python", "go"]);
    }

    #[rstest]
    #[case("", "2024-03-03", false)]
    #[case("2024-03-03", "", false)]
    #[case("new", "2024-03-03", false)]
    #[case("2024-03-03", "2024-02-30", false)]
    #[case("2024-03-03", "2024-03-03", true)]
    #[case("2025-10-01", "2024-04-23", true)]
    #[case("2024-03-03", "2024-04-23", false)]
    fn versions_compare_as_dates(#[case] a: &str, #[case] b: &str, #[case] at_least: bool) {
        assert_eq!(is_at_least(a, b), at_least);
    }

    #[test]
    fn only_the_oldest_version_leaves_pings_unanswered() {
        assert_eq!(SPOKEN.map(|spoken| Version(spoken).answers_pings()), [true, true, false]);
    }
}
