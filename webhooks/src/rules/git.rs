//! URLs that git can clone from.
//!
//! A URL may contain a password, and findings end up in logs. So no text here repeats a password.

use crate::finding::{Code, FieldPath, Finding, seen};

/// Schemes of URLs that git clones over a network.
const SCHEMES: [&str; 6] = ["https", "http", "ssh", "git", "git+ssh", "ssh+git"];

/// Prefixes of the tokens of common hosts.
const TOKENS: [&str; 5] = ["ghp_", "gho_", "ghs_", "github_pat_", "glpat-"];

/// The parts of a URL that are checked.
struct Parts<'a> {
    scheme: &'a str,
    user: &'a str,
    password: &'a str,
    host: &'a str,
    path: &'a str,
}

/// Splits `scheme://user:password@host/path`, and the form of git, `user@host:path`, which has no scheme.
fn parts(url: &str) -> Parts<'_> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let separator = if scheme.is_empty() { ':' } else { '/' };
    let (authority, path) = rest.split_once(separator).unwrap_or((rest, ""));
    let (login, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    Parts { scheme, user, password, host, path }
}

/// Reports what is wrong with the URL at `path`. Returns whether git can clone from it.
pub(crate) fn check_url(path: &FieldPath, url: &str, findings: &mut Vec<Finding>) -> bool {
    let parts = parts(url);
    if !parts.password.is_empty() || TOKENS.iter().any(|token| parts.user.starts_with(token)) {
        findings.push(Finding::new(
            Code::RepositoryCredentials,
            path.clone(),
            "holds a password that whoever reads the object sees",
            "use the platform's credentials",
        ));
    }
    let problem = problem(url, &parts);
    let clones = problem.is_none();
    if let Some((problem, hint)) = problem {
        findings.push(Finding::new(Code::RepositoryUrlOdd, path.clone(), problem, hint));
    }
    clones
}

fn problem(url: &str, parts: &Parts<'_>) -> Option<(String, String)> {
    let none = String::new();
    if url.is_empty() {
        return Some(("is empty, so it is skipped".to_owned(), none));
    }
    if url.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Some(("contains a space".to_owned(), none));
    }
    if parts.scheme.is_empty() && (parts.host.contains('/') || parts.path.is_empty()) {
        // The most common mistake: github.com/owner/repository.
        let host = url.split('/').next().unwrap_or_default();
        let hint = if host.contains('.') { "write https:// first" } else { "write https://host/path" };
        return Some((format!("{} has no scheme", shown(url)), hint.to_owned()));
    }
    if !parts.scheme.is_empty() && !SCHEMES.contains(&parts.scheme.to_ascii_lowercase().as_str()) {
        return Some((format!("git does not clone {} URLs", shown(parts.scheme)), "use https".to_owned()));
    }
    if parts.host.is_empty() || parts.path.trim_matches('/').is_empty() {
        let missing = if parts.host.is_empty() { "host" } else { "path" };
        return Some((format!("{} has no {missing}", shown(url)), none));
    }
    None
}

/// The URL for a message: truncated, and without a possible password.
fn shown(url: &str) -> String {
    const LONGEST: usize = 30;
    let public = url.rsplit('@').next().unwrap_or_default();
    if public.chars().count() <= LONGEST {
        seen(public)
    } else {
        seen(&public.chars().take(LONGEST).chain(['…']).collect::<String>())
    }
}

/// The directory of a clone of `url`, from which git can clone.
pub(crate) fn directory(url: &str) -> &str {
    let url = url.trim_end_matches('/');
    let name = url.rsplit(['/', ':']).next().unwrap_or(url);
    name.strip_suffix(".git").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn codes(url: &str) -> Vec<&'static str> {
        let mut findings = Vec::new();
        check_url(&FieldPath::new("url"), url, &mut findings);
        findings.iter().map(|finding| finding.code.id()).collect()
    }

    #[rstest]
    #[case("https://github.com/org/repo")]
    #[case("https://github.com/org/repo.git")]
    #[case("HTTPS://example.org:8443/a/b/c.git")]
    #[case("ssh://git@example.org:22/a.git")]
    #[case("git@github.com:org/repo.git")]
    #[case("git://example.org/a")]
    #[case("https://user@example.org/a")]
    #[case("https://[2001:db8::1]/a")]
    fn can_be_cloned(#[case] url: &str) {
        assert!(codes(url).is_empty(), "{url}");
    }

    #[rstest]
    #[case("")]
    #[case("github.com/org/repo")]
    #[case("org/repo")]
    #[case("/srv/repo")]
    #[case("repo")]
    #[case("file:///srv/repo")]
    #[case("https://")]
    #[case("https:///repo")]
    #[case("https://github.com")]
    #[case("https://github.com/")]
    #[case("https://github.com/a b")]
    #[case("--upload-pack=x")]
    fn cannot_be_cloned(#[case] url: &str) {
        assert_eq!(codes(url), ["repository-url-odd"], "{url}");
    }

    #[rstest]
    #[case("https://user:s3cr3t@github.com/org/repo", &["repository-credentials"])]
    #[case("https://ghp_s3cr3t@github.com/org/repo", &["repository-credentials"])]
    #[case("https://user:s3cr3t@/repo", &["repository-credentials", "repository-url-odd"])]
    #[case("https://user:s3cr3t@github.com", &["repository-credentials", "repository-url-odd"])]
    #[case("user:s3cr3t@github.com/org/repo", &[])]
    #[case("x/user:s3cr3t@github.com/org/repo", &["repository-url-odd"])]
    fn passwords_are_noticed_and_never_repeated(#[case] url: &str, #[case] expected: &[&str]) {
        assert_eq!(codes(url), expected);
        let mut findings = Vec::new();
        check_url(&FieldPath::new("url"), url, &mut findings);
        assert!(findings.iter().all(|finding| !finding.to_string().contains("s3cr3t")), "{findings:?}");
    }

    #[rstest]
    #[case("https://github.com/org/repo", "repo")]
    #[case("https://github.com/org/repo.git", "repo")]
    #[case("https://github.com/org/repo/", "repo")]
    #[case("git@github.com:repo.git", "repo")]
    fn a_clone_is_named_after_the_last_part(#[case] url: &str, #[case] name: &str) {
        assert_eq!(directory(url), name);
    }
}
