//! What a remote's address says: pure.

use super::git::Credentials;
use percent_encoding::percent_decode_str;
use url::Url;

/// A remote that cannot be cloned from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReadRemoteError {
    /// It is no address of a repository.
    #[error("the remote is no address like https://example.org/group/repository.git")]
    Address,
    /// It is an address of another kind.
    #[error(
        "the remote must begin with https, http, ssh or git, or look like git@example.org:group/repository.git"
    )]
    Scheme,
    /// Its last part is no name for a directory.
    #[error("the remote's last part is no name for a directory")]
    Name,
}

/// How a remote is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// By HTTP; the scheme, host and port that credentials are for.
    Http(String),
    /// By SSH; whether the address names the user.
    Ssh {
        /// It does.
        named: bool,
    },
    /// By git's own protocol, which knows no credentials.
    Git,
}

/// A remote, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remote {
    /// The address without credentials.
    pub address: String,
    /// How it is reached.
    pub transport: Transport,
    /// The directory that a clone of it is, as git would name it.
    pub name: String,
    /// Credentials that stood in the address.
    pub credentials: Option<Credentials>,
}

impl Remote {
    /// Takes `text` apart.
    pub(crate) fn read(text: &str) -> Result<Self, ReadRemoteError> {
        let text = text.trim();
        if text.starts_with('-') || text.chars().any(char::is_control) {
            return Err(ReadRemoteError::Address);
        }
        let Some((scheme, _)) = text.split_once("://") else { return Self::read_short(text) };
        let mut url = Url::parse(text).map_err(|_| ReadRemoteError::Address)?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(ReadRemoteError::Address)?.to_owned();
        // git would take it for a pattern, and show credentials to each host that fits.
        if host.contains('*') {
            return Err(ReadRemoteError::Address);
        }
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let name = name(url.path())?;
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let (transport, credentials) = match scheme.to_ascii_lowercase().as_str() {
            "http" | "https" => {
                let credentials = url.password().map(|password| Credentials {
                    username: decoded(url.username()),
                    password: decoded(password),
                });
                let credentials = credentials.or_else(|| {
                    // A token in the place of the user.
                    (!url.username().is_empty())
                        .then(|| Credentials { username: decoded(url.username()), password: String::new() })
                });
                (Transport::Http(format!("{}://{host}{port}", url.scheme())), credentials)
            }
            "ssh" => (Transport::Ssh { named: !url.username().is_empty() }, None),
            "git" => (Transport::Git, None),
            _ => return Err(ReadRemoteError::Scheme),
        };
        if matches!(transport, Transport::Http(_)) {
            url.set_username("").map_err(|()| ReadRemoteError::Address)?;
        }
        url.set_password(None).map_err(|()| ReadRemoteError::Address)?;
        Ok(Self { address: url.into(), transport, name, credentials })
    }

    /// `user@host:path`, as SSH knows it.
    fn read_short(text: &str) -> Result<Self, ReadRemoteError> {
        let (host, path) = text.split_once(':').ok_or(ReadRemoteError::Address)?;
        // `ext::` and its like run programs.
        if host.is_empty() || host.contains('/') || path.is_empty() || path.starts_with(':') {
            return Err(ReadRemoteError::Address);
        }
        Ok(Self {
            address: text.to_owned(),
            transport: Transport::Ssh { named: host.contains('@') },
            name: name(path)?,
            credentials: None,
        })
    }
}

fn name(path: &str) -> Result<String, ReadRemoteError> {
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let name = percent_decode_str(last).decode_utf8().map_err(|_| ReadRemoteError::Name)?;
    let name = name.strip_suffix(".git").unwrap_or(&name);
    if matches!(name, "" | "." | "..") || name.contains(['/', '\0']) {
        return Err(ReadRemoteError::Name);
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("https://example.org/group/repo.git", "repo", "https://example.org")]
    #[case("https://example.org/group/repo", "repo", "https://example.org")]
    #[case("https://example.org/group/repo/", "repo", "https://example.org")]
    #[case("http://127.0.0.1:3000/repo.git", "repo", "http://127.0.0.1:3000")]
    #[case("https://example.org:443/a%20b.git", "a b", "https://example.org")]
    fn http(#[case] text: &str, #[case] name: &str, #[case] host: &str) {
        let remote = Remote::read(text).unwrap();
        assert_eq!((remote.name.as_str(), remote.transport), (name, Transport::Http(host.into())));
        assert_eq!(remote.credentials, None);
    }

    #[rstest]
    #[case("git@example.org:group/repo.git", true)]
    #[case("example.org:repo.git", false)]
    #[case("ssh://git@example.org:2222/group/repo.git", true)]
    #[case("ssh://example.org/group/repo.git", false)]
    fn ssh(#[case] text: &str, #[case] named: bool) {
        let remote = Remote::read(text).unwrap();
        assert_eq!((remote.name.as_str(), remote.transport), ("repo", Transport::Ssh { named }));
        assert_eq!(remote.address, text);
    }

    #[test]
    fn credentials_leave_the_address() {
        let remote = Remote::read("https://me:p%40ss@example.org/repo.git").unwrap();
        assert_eq!(remote.address, "https://example.org/repo.git");
        let expected = Credentials { username: "me".into(), password: "p@ss".into() };
        assert_eq!(remote.credentials, Some(expected));
    }

    #[rstest]
    #[case("", ReadRemoteError::Address)]
    #[case("/srv/repo.git", ReadRemoteError::Address)]
    #[case("--upload-pack=x", ReadRemoteError::Address)]
    #[case("ext::sh -c x", ReadRemoteError::Address)]
    #[case("file:///srv/repo.git", ReadRemoteError::Address)]
    #[case("https://*.example.org/repo.git", ReadRemoteError::Address)]
    #[case("ftp://example.org/repo.git", ReadRemoteError::Scheme)]
    #[case("https://example.org/", ReadRemoteError::Name)]
    #[case("https://example.org/..%2f", ReadRemoteError::Name)]
    #[case("https://example.org/.git", ReadRemoteError::Name)]
    fn refused(#[case] text: &str, #[case] expected: ReadRemoteError) {
        assert_eq!(Remote::read(text), Err(expected));
    }
}
