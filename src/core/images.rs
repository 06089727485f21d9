//! Image rewrite rules: session images that come from one registry are taken from another.
//!
//! The module promises what the rules promise and no more: an image that no rule names, and a text that
//! is not an image reference, come back exactly as they were written.
//!
//! Not by `oci-spec`: for one parser it brings builders and derive macros for a whole specification, and it keeps a tag
//! beside a digest, where the original drops it.

use serde::Deserialize;
use std::{borrow::Cow, fmt};

const HUB: &str = "docker.io";
const HUB_OLD: &str = "index.docker.io";
/// The registry protocol refuses longer names.
const NAME_LIMIT: usize = 255;

/// A text that is not a list of rewrite rules.
#[derive(Debug, thiserror::Error)]
#[error("the image rewrite rules are not a JSON list of {{source_prefix, target_prefix}}: {source}")]
pub struct ReadRulesError {
    #[from]
    source: serde_json::Error,
}

/// Why a text is not an image reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadReferenceError {
    /// Neither a name nor anything after it.
    #[error("the image is empty")]
    Empty,
    /// The registry host, or its port.
    #[error("the registry of the image is not a host name with an optional port")]
    Domain,
    /// The path below the registry.
    #[error("the name of the image is not made of lower case words between slashes")]
    Path,
    /// What follows the colon.
    #[error("the tag of the image is not a word of at most 128 characters")]
    Tag,
    /// What follows the at sign.
    #[error("the digest of the image is not an algorithm and its hexadecimal sum")]
    Digest,
    /// Domain and path together.
    #[error("the name of the image is longer than 255 characters")]
    TooLong,
}

/// One rule: images below `source_prefix` are taken from below `target_prefix`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Rule {
    /// Registry, with or without leading parts of the path, as in `docker.io` or `ghcr.io/team`.
    pub source_prefix: Option<String>,
    /// What stands in its place.
    pub target_prefix: Option<String>,
}

/// The rules in the order in which they are tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules(Vec<Rule>);

impl Rules {
    /// Rules from their JSON. An empty text, `null` and an empty list mean that nothing is rewritten.
    pub fn parse(json: &str) -> Result<Option<Self>, ReadRulesError> {
        if json.trim().is_empty() {
            return Ok(None);
        }
        let rules: Option<Vec<Rule>> = serde_json::from_str(json)?;
        Ok(rules.filter(|rules| !rules.is_empty()).map(Self))
    }

    /// The image to run in place of `image`; `image` itself when no rule names it or when it cannot be
    /// read (the kubelet then reports it in its own words).
    pub fn rewrite<'a>(&self, image: &'a str) -> Cow<'a, str> {
        let Ok(reference) = Reference::parse(image) else { return Cow::Borrowed(image) };
        let name = reference.name();
        match self.0.iter().find_map(|rule| rule.rewrite(&name)) {
            Some(name) => Cow::Owned(format!("{name}{}", reference.version)),
            None => Cow::Borrowed(image),
        }
    }
}

impl Rule {
    /// `name` is a normalised registry and path. A prefix ends where a part of the name ends, so that
    /// `ghcr.io/team` does not take `ghcr.io/teammate` along.
    fn rewrite(&self, name: &str) -> Option<String> {
        let (source, target) = (self.source_prefix.as_deref()?, self.target_prefix.as_deref()?);
        if source.is_empty() || target.is_empty() {
            return None;
        }
        let rest = name.strip_prefix(source)?;
        rest.starts_with('/').then(|| format!("{target}{rest}"))
    }
}

/// An image reference with everything spelled out that people leave out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    domain: String,
    path: String,
    version: Version,
}

/// What of the image: a digest, or else a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Version {
    Tag(String),
    Digest(String),
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => write!(f, ":{tag}"),
            Self::Digest(digest) => write!(f, "@{digest}"),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}{}", self.domain, self.path, self.version)
    }
}

impl Reference {
    /// Reads `image` as container runtimes do: short names mean the Docker Hub, no tag means `latest`,
    /// and a digest displaces the tag.
    pub fn parse(image: &str) -> Result<Self, ReadReferenceError> {
        let (rest, digest) = match image.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (image, None),
        };
        // A colon before the last slash is the port of the registry.
        let last = rest.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match rest[last..].find(':') {
            Some(colon) => (&rest[..last + colon], Some(&rest[last + colon + 1..])),
            None => (rest, None),
        };
        if name.is_empty() {
            return Err(ReadReferenceError::Empty);
        }
        let (domain, path) = split_domain(name);
        if !is_domain(&domain) {
            return Err(ReadReferenceError::Domain);
        }
        // A bare sum of 64 digits names an image by id, which no registry knows.
        if !path.split('/').all(is_path_part) || is_bare_sum(name) {
            return Err(ReadReferenceError::Path);
        }
        if domain.len() + 1 + path.len() > NAME_LIMIT {
            return Err(ReadReferenceError::TooLong);
        }
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(ReadReferenceError::Tag);
        }
        if digest.is_some_and(|digest| !is_digest(digest)) {
            return Err(ReadReferenceError::Digest);
        }
        let version = match (digest, tag) {
            (Some(digest), _) => Version::Digest(digest.to_owned()),
            (None, tag) => Version::Tag(tag.unwrap_or("latest").to_owned()),
        };
        Ok(Self { domain, path, version })
    }

    /// Registry and path.
    fn name(&self) -> String {
        format!("{}/{}", self.domain, self.path)
    }
}

/// The first part is a registry only if it looks like a host: it has a dot or a port, is `localhost`, or
/// has capitals, which no path has.
fn split_domain(name: &str) -> (String, String) {
    let looks_like_host =
        |part: &str| part.contains(['.', ':']) || part == "localhost" || part.chars().any(char::is_uppercase);
    let (domain, path) = match name.split_once('/') {
        Some((first, rest)) if looks_like_host(first) => (first, rest),
        _ => (HUB, name),
    };
    let domain = if domain == HUB_OLD { HUB } else { domain };
    if domain == HUB && !path.contains('/') {
        return (domain.to_owned(), format!("library/{path}"));
    }
    (domain.to_owned(), path.to_owned())
}

fn is_domain(domain: &str) -> bool {
    let (host, port) = match domain.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => {
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                return false;
            }
            return port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        }
        None => match domain.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (domain, None),
        },
    };
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    host.split('.').all(is_label) && port.is_none_or(is_port)
}

fn is_port(port: &str) -> bool {
    !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit())
}

/// Lower case letters and digits, between them one dot, one or two underscores, or any number of dashes.
fn is_path_part(part: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = part.as_bytes();
    if !(bytes.first().copied().is_some_and(is_word) && bytes.last().copied().is_some_and(is_word)) {
        return false;
    }
    part.split(|c: char| is_word(u8::try_from(c).unwrap_or_default()))
        .all(|gap| matches!(gap, "" | "." | "_" | "__") || gap.bytes().all(|b| b == b'-'))
}

fn is_tag(tag: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    tag.len() <= 128
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|b| is_word(b) || b == b'.' || b == b'-')
}

fn is_digest(digest: &str) -> bool {
    let Some((algorithm, sum)) = digest.split_once(':') else { return false };
    let length = match algorithm {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ => return false,
    };
    sum.len() == length && sum.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn is_bare_sum(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const SUM: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn rules(json: &str) -> Rules {
        Rules::parse(json).unwrap().unwrap()
    }

    // What a prefix takes along: whole parts of the name, from its start.
    #[rstest]
    #[case("quay.io", Some("mirror.local/team/app"))]
    #[case("quay.io/team", Some("mirror.local/app"))]
    #[case("quay.io/", None)]
    #[case("quay.i", None)]
    #[case("quay.io/te", None)]
    #[case("uay.io", None)]
    #[case("quay.io/team/app", None)]
    #[case("", None)]
    fn a_prefix_ends_where_a_part_ends(#[case] source: &str, #[case] expected: Option<&str>) {
        let rule = Rule { source_prefix: Some(source.into()), target_prefix: Some("mirror.local".into()) };
        assert_eq!(rule.rewrite("quay.io/team/app").as_deref(), expected);
    }

    // Library, hub and other registries; with neither, tag, digest, both.
    #[rstest]
    #[case("python", "hub.local/proxy/library/python:latest")]
    #[case("python:3.12", "hub.local/proxy/library/python:3.12")]
    #[case("python@SUM", "hub.local/proxy/library/python@SUM")]
    #[case("python:3.12@SUM", "hub.local/proxy/library/python@SUM")]
    #[case("renku/session", "hub.local/proxy/renku/session:latest")]
    #[case("renku/session:1.0", "hub.local/proxy/renku/session:1.0")]
    #[case("docker.io/renku/session@SUM", "hub.local/proxy/renku/session@SUM")]
    #[case("index.docker.io/renku/session:1@SUM", "hub.local/proxy/renku/session@SUM")]
    #[case("ghcr.io/team/app", "team.local/app:latest")]
    #[case("ghcr.io/team/app:1", "team.local/app:1")]
    #[case("ghcr.io/team/a/b@SUM", "team.local/a/b@SUM")]
    #[case("ghcr.io/teammate/app:1", "ghcr.io/teammate/app:1")]
    #[case("quay.io/team/app", "quay.io/team/app")]
    #[case("localhost:5000/app:1", "dev.local/app:1")]
    #[case("localhost:5001/app", "localhost:5001/app")]
    fn images_are_rewritten(#[case] image: &str, #[case] expected: &str) {
        let rules = rules(
            r#"[{"source_prefix": "docker.io", "target_prefix": "hub.local/proxy"},
                {"source_prefix": "ghcr.io/team", "target_prefix": "team.local"},
                {"source_prefix": "localhost:5000", "target_prefix": "dev.local"}]"#,
        );
        let image = image.replace("SUM", SUM);
        assert_eq!(rules.rewrite(&image), expected.replace("SUM", SUM));
    }

    #[rstest]
    #[case("")]
    #[case(":1")]
    #[case("Python")]
    #[case("quay.io/Team/app")]
    #[case("quay.io//app")]
    #[case("quay.io/team/")]
    #[case("quay.io:port/app")]
    #[case("quay.io/a...b")]
    #[case("quay.io/app:")]
    #[case("quay.io/app:-1")]
    #[case("quay.io/app@sha256:beef")]
    #[case("quay.io/app@md5:00000000000000000000000000000000")]
    #[case("quay.io/app:1 ")]
    #[case("quay.io/ä")]
    #[case("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")]
    fn what_is_no_image_stays_as_it_is(#[case] image: &str) {
        let rules = rules(
            r#"[{"source_prefix": "docker.io", "target_prefix": "x"},
                {"source_prefix": "quay.io", "target_prefix": "x"}]"#,
        );
        assert!(Reference::parse(image).is_err(), "{image}");
        assert_eq!(rules.rewrite(image), image);
    }

    #[rstest]
    #[case("a", "docker.io/library/a:latest")]
    #[case("docker.io/a", "docker.io/library/a:latest")]
    #[case("a/b", "docker.io/a/b:latest")]
    #[case("x/a--b__c.d/e", "docker.io/x/a--b__c.d/e:latest")]
    #[case("UPPER/b", "UPPER/b:latest")]
    #[case("[::1]:5000/a:1", "[::1]:5000/a:1")]
    fn references_are_spelled_out(#[case] image: &str, #[case] expected: &str) {
        assert_eq!(Reference::parse(image).unwrap().to_string(), expected);
    }

    #[test]
    fn long_names_are_refused() {
        assert_eq!(Reference::parse(&"a".repeat(256)), Err(ReadReferenceError::TooLong));
    }

    #[test]
    fn the_first_whole_rule_wins() {
        let rules = rules(
            r#"[{"source_prefix": "quay.io"},
                {"source_prefix": "quay.io", "target_prefix": "first", "note": "unknown keys are ignored"},
                {"source_prefix": "quay.io", "target_prefix": "second"}]"#,
        );
        assert_eq!(rules.rewrite("quay.io/a:1"), "first/a:1");
    }

    #[rstest]
    #[case("")]
    #[case("  ")]
    #[case("[]")]
    #[case("null")]
    fn no_rules_is_off(#[case] json: &str) {
        assert_eq!(Rules::parse(json).unwrap(), None);
    }

    #[rstest]
    #[case("{}")]
    #[case("[")]
    #[case(r#"[{"source_prefix": 1}]"#)]
    #[case(r#"["docker.io"]"#)]
    fn nonsense_is_refused(#[case] json: &str) {
        assert!(Rules::parse(json).is_err(), "{json}");
    }

    proptest::proptest! {
        #[test]
        fn reading_never_panics_and_spelling_out_twice_changes_nothing(image in "\\PC{0,40}") {
            if let Ok(reference) = Reference::parse(&image) {
                proptest::prop_assert_eq!(Reference::parse(&reference.to_string()), Ok(reference));
            }
        }
    }
}
