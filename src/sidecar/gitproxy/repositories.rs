//! Matches requests to repositories. Pure.
//!
//! Hosts are compared as they are: `www.` of a host may be another server, and the original gives it the token too.
//! Paths are compared segment by segment, so that what is one person's `group/repo-copy` does not get the token of
//! `group/repo`; a path that could be another one after decoding matches none.

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Deserializer, de::Error};
use url::Url;

/// A repository, as the environment describes it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct Repository {
    /// Address of the repository.
    #[serde(deserialize_with = "address")]
    pub url: Url,
    /// Id of the provider of its tokens.
    #[serde(default)]
    pub provider: Option<String>,
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

/// The target of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    /// `http` or `https`.
    pub scheme: &'a str,
    /// Name of the host.
    pub host: &'a str,
    /// Port, also when the address does not name it.
    pub port: u16,
    /// Path, still encoded.
    pub path: &'a str,
}

/// The repositories of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Repositories(pub Vec<Repository>);

impl Repositories {
    /// Whether something may have to be added to what is asked of `host` by HTTPS.
    pub(crate) fn includes_host(&self, host: &str, port: u16) -> bool {
        self.0.iter().any(|repository| at(&repository.url, "https", host, port))
    }

    /// The repository that `target` is part of.
    pub(crate) fn find(&self, target: &Target) -> Option<&Repository> {
        let asked = segments(target.path)?;
        self.0.iter().find(|repository| {
            at(&repository.url, target.scheme, target.host, target.port)
                && segments(repository.url.path()).is_some_and(|own| is_part(&own, &asked))
        })
    }
}

fn at(url: &Url, scheme: &str, host: &str, port: u16) -> bool {
    url.scheme() == scheme
        && url.port_or_known_default() == Some(port)
        && url.host_str().is_some_and(|own| own.eq_ignore_ascii_case(host))
}

/// The segments of a path, decoded; none when a server might read others.
fn segments(path: &str) -> Option<Vec<String>> {
    let mut segments = Vec::new();
    for segment in path.trim_start_matches('/').trim_end_matches('/').split('/') {
        let segment = percent_decode_str(segment).decode_utf8().ok()?.into_owned();
        if matches!(segment.as_str(), "" | "." | "..") || segment.contains(['/', '\\', '%', '\0']) {
            return None;
        }
        segments.push(segment);
    }
    Some(segments)
}

/// Whether `asked` begins with `own`, whose last segment may or may not end in `.git` in either.
fn is_part(own: &[String], asked: &[String]) -> bool {
    let Some((last, before)) = own.split_last() else { return false };
    let bare = |text: &str| text.strip_suffix(".git").unwrap_or(text).to_owned();
    asked.len() >= own.len()
        && asked.starts_with(before)
        && asked.get(before.len()).is_some_and(|asked| bare(asked) == bare(last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn repositories(url: &str) -> Repositories {
        Repositories(vec![Repository { url: url.parse().unwrap(), provider: Some("p".into()) }])
    }

    fn matches(repository: &str, asked: &str) -> bool {
        let url: Url = repository.parse().unwrap();
        let (scheme, rest) = asked.split_once("://").unwrap();
        let (host, path) = rest.split_once('/').unwrap();
        let (host, port) = match host.split_once(':') {
            Some((host, port)) => (host, port.parse().unwrap()),
            None => (host, if scheme == "https" { 443 } else { 80 }),
        };
        let path = format!("/{path}");
        repositories(url.as_str()).find(&Target { scheme, host, port, path: &path }).is_some()
    }

    const REPOSITORY: &str = "https://example.org/grp/repo.git";

    #[rstest]
    #[case("https://example.org/grp/repo.git/info/refs")]
    #[case("https://example.org/grp/repo/info/refs")]
    #[case("https://example.org/grp/repo")]
    #[case("https://EXAMPLE.org:443/grp/repo.git/info/lfs/objects/batch")]
    #[case("https://example.org/grp/re%70o/info/refs")]
    fn its_own_requests(#[case] asked: &str) {
        assert!(matches(REPOSITORY, asked));
    }

    #[rstest]
    #[case::neighbour("https://example.org/grp/repo-evil/info/refs")]
    #[case::neighbour_with_suffix("https://example.org/grp/repo.git-evil/info/refs")]
    #[case::parent("https://example.org/grp")]
    #[case::dots("https://example.org/grp/repo/../other/info/refs")]
    #[case::encoded_dots("https://example.org/grp/repo/%2e%2e/other/info/refs")]
    #[case::encoded_slash("https://example.org/grp/repo%2f..%2fother/info/refs")]
    #[case::twice_encoded("https://example.org/grp/repo/%252e%252e/other")]
    #[case::empty_segment("https://example.org/grp//repo/info/refs")]
    #[case::host("https://example.org.evil/grp/repo/info/refs")]
    #[case::www("https://www.example.org/grp/repo.git/git-upload-pack")]
    #[case::subdomain("https://a.example.org/grp/repo/info/refs")]
    #[case::port("https://example.org:8443/grp/repo/info/refs")]
    #[case::scheme("http://example.org/grp/repo/info/refs")]
    #[case::plain_at_the_port("http://example.org:443/grp/repo/info/refs")]
    #[case::case("https://example.org/Grp/repo/info/refs")]
    fn what_is_not_its_own(#[case] asked: &str) {
        assert!(!matches(REPOSITORY, asked));
    }

    #[test]
    fn other_ports_are_known() {
        let other = "https://example.org:8443/grp/repo";
        assert!(matches(other, "https://example.org:8443/grp/repo/info/refs"));
        assert!(!matches(other, "https://example.org/grp/repo/info/refs"));
        assert!(repositories(other).includes_host("Example.org", 8443));
        assert!(!repositories(other).includes_host("www.example.org", 8443));
        assert!(!repositories(other).includes_host("example.org", 443));
        assert!(!repositories("http://example.org/grp/repo").includes_host("example.org", 443));
    }

    #[test]
    fn a_host_alone_is_no_repository() {
        assert!(!matches("https://example.org/", "https://example.org/grp/repo/info/refs"));
    }
}
