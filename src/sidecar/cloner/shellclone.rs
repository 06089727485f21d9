//! `cloner shellclone`: the repositories that the environment names, each with the credentials of its provider.
//!
//! What goes wrong with one repository is written to the file `ERROR` in its directory, and the session starts all the
//! same.

use super::{
    git::{Credentials, Git, RunGitError},
    remote::{ReadRemoteError, Remote},
};
use crate::{
    settings::ReadSettingsError,
    sidecar::web::{TokenClient, TokenRequestError},
};
use serde::{Deserialize, de::DeserializeOwned};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

const PREFIX: &str = "GIT_CLONE_";
/// The file that says why a repository is not there.
const ERROR: &str = "ERROR";

/// A repository, as the environment describes it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct Repository {
    url: String,
    #[serde(default)]
    provider: Option<String>,
    #[serde(default)]
    branch: Option<String>,
}

/// A provider of tokens for repositories.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
struct Provider {
    id: String,
    access_token_url: String,
}

/// The proxy that adds credentials to what the session itself asks of its remotes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Proxy {
    port: u16,
    /// Certificate of its authority.
    ca_file: Option<PathBuf>,
}

/// What is to be cloned.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    mount_path: PathBuf,
    repositories: Vec<Repository>,
    providers: Vec<Provider>,
    lfs_auto_fetch: bool,
    proxy: Option<Proxy>,
    username: String,
    email: Option<String>,
    full_name: Option<String>,
    token: Option<String>,
}

impl Settings {
    /// Reads the environment.
    pub(crate) fn read(env: &dyn Fn(&str) -> Option<String>) -> Result<Self, ReadSettingsError> {
        let get = |name: &str| env(&format!("{PREFIX}{name}")).filter(|text| !text.is_empty());
        let mut problems = Vec::new();
        let mut truth = |name: &str| match get(name) {
            None => false,
            Some(text) => crate::settings::flags::go_bool(&text.to_lowercase()).unwrap_or_else(|_| {
                problems.push(format!("{PREFIX}{name}: true or false was expected"));
                false
            }),
        };
        let (lfs_auto_fetch, proxied) = (truth("LFS_AUTO_FETCH"), truth("IS_GIT_PROXY_ENABLED"));
        let port = get("GIT_PROXY_PORT").map_or(Ok(8080), |text| text.parse());
        let port = port.unwrap_or_else(|_| {
            problems.push(format!("{PREFIX}GIT_PROXY_PORT: a port was expected"));
            8080
        });
        let repositories = list("REPOSITORIES", &get, &mut problems);
        let providers = list("GIT_PROVIDERS", &get, &mut problems);
        let mount_path = get("MOUNT_PATH").map(PathBuf::from).unwrap_or_else(|| {
            problems.push(format!("{PREFIX}MOUNT_PATH: the directory for the clones is missing"));
            PathBuf::new()
        });
        if !problems.is_empty() {
            return Err(ReadSettingsError(problems));
        }
        Ok(Self {
            mount_path,
            repositories,
            providers,
            lfs_auto_fetch,
            proxy: proxied.then(|| Proxy { port, ca_file: get("GIT_PROXY_CA_FILE").map(PathBuf::from) }),
            username: get("USER__USERNAME").unwrap_or_default(),
            email: get("USER__EMAIL"),
            full_name: get("USER__FULL_NAME"),
            token: get("USER__RENKU_TOKEN"),
        })
    }

    /// URL and bearer token by which a token for `repository` is requested. An anonymous session has none.
    fn token_source(&self, repository: &Repository) -> Option<(&str, &str)> {
        let wanted = repository.provider.as_deref()?;
        let provider = self.providers.iter().find(|provider| provider.id == wanted)?;
        let anonymous = self.username.is_empty() || self.username == "anonymous";
        let token = self.token.as_deref().filter(|_| !anonymous)?;
        Some((&provider.access_token_url, token))
    }
}

/// `<name>_0_`, `<name>_1_` and so on, until one is missing.
fn list<T: DeserializeOwned>(
    name: &str,
    get: &dyn Fn(&str) -> Option<String>,
    problems: &mut Vec<String>,
) -> Vec<T> {
    let mut items = Vec::new();
    for index in 0.. {
        let key = format!("{name}_{index}_");
        let Some(text) = get(&key) else { break };
        match serde_json::from_str(&text) {
            Ok(item) => items.push(item),
            Err(_) => problems.push(format!("{PREFIX}{key}: this is not what was expected")),
        }
    }
    items
}

/// One repository is not there.
#[derive(Debug, thiserror::Error)]
enum CloneOneError {
    #[error(transparent)]
    Remote(#[from] ReadRemoteError),
    #[error(transparent)]
    Git(#[from] RunGitError),
    #[error("{0:?} cannot be written: {1}")]
    Write(PathBuf, #[source] io::Error),
    #[error("the files of the repository need {needed} bytes, and {free} are free")]
    Space { needed: u64, free: u64 },
}

/// Clones all of them, one after the other.
pub(crate) async fn clone(settings: &Settings) {
    let web = TokenClient::default();
    for repository in &settings.repositories {
        let remote = match Remote::read(&repository.url) {
            Ok(remote) => remote,
            // Without a name there is no directory for a file either.
            Err(error) => {
                tracing::error!(%error, "a repository has no usable address");
                continue;
            }
        };
        let folder = settings.mount_path.join(&remote.name);
        let credentials = credentials(settings, repository, &web).await;
        let credentials = credentials.or_else(|| remote.credentials.clone());
        if let Err(error) = one(settings, repository, &remote, &folder, credentials.as_ref()) {
            tracing::error!(repository = remote.name, %error, "the repository is not cloned");
            if let Err(error) = fs::write(folder.join(ERROR), error.to_string()) {
                tracing::error!(%error, "nor can this be said in its directory");
            }
        }
    }
}

async fn credentials(settings: &Settings, repository: &Repository, web: &TokenClient) -> Option<Credentials> {
    let (url, token) = settings.token_source(repository)?;
    match web.git_token(url, token).await {
        Ok(token) => Some(Credentials { username: "oauth2".into(), password: token.access_token }),
        Err(
            error @ (TokenRequestError::Address
            | TokenRequestError::Status(_)
            | TokenRequestError::Ask(_)
            | TokenRequestError::Read),
        ) => {
            tracing::warn!(%error, "the provider gives no token; the repository is tried without");
            None
        }
    }
}

/// Clones one repository, as a person would who types the commands.
fn one(
    settings: &Settings,
    repository: &Repository,
    remote: &Remote,
    folder: &Path,
    credentials: Option<&Credentials>,
) -> Result<(), CloneOneError> {
    fs::create_dir_all(folder).map_err(|error| CloneOneError::Write(folder.to_owned(), error))?;
    let mut git = Git::new()?;
    let inside = Some(folder);
    let cloned = git.run(inside, &["rev-parse", "--verify", "--quiet", "HEAD"]).is_ok();
    if cloned {
        tracing::info!(repository = remote.name, "there already, and left as it is");
    } else {
        // What a former attempt said is over.
        fs::remove_file(folder.join(ERROR)).ok();
        if let Some(credentials) = credentials {
            git.authenticate(&remote.transport, credentials)?;
        }
        fresh(settings, repository, remote, folder, &mut git)?;
    }
    if let Some(proxy) = &settings.proxy {
        use_proxy(proxy, remote, &git, folder)?;
    }
    Ok(())
}

fn fresh(
    settings: &Settings,
    repository: &Repository,
    remote: &Remote,
    folder: &Path,
    git: &mut Git,
) -> Result<(), CloneOneError> {
    let inside = Some(folder);
    git.show(inside, &["init", "--initial-branch", "main"])?;
    for (key, value) in [("user.email", &settings.email), ("user.name", &settings.full_name)] {
        if let Some(value) = value {
            git.run(inside, &["config", key, value])?;
        }
    }
    git.run(inside, &["config", "push.default", "simple"])?;
    // Large files are fetched in the end, if they are wanted and fit.
    git.configure("filter.lfs.smudge", "git-lfs smudge --skip -- %f");
    git.configure("filter.lfs.process", "git-lfs filter-process --skip");
    let lfs = git.run(None, &["lfs", "version"]).is_ok();
    if lfs {
        let skip = if settings.lfs_auto_fetch { None } else { Some("--skip-smudge") };
        let args: Vec<&str> = ["lfs", "install"].into_iter().chain(skip).chain(["--local"]).collect();
        git.run(inside, &args)?;
    }
    // A directory of a former attempt has its remote already.
    if git.run(inside, &["remote", "get-url", "origin"]).is_err() {
        git.run(inside, &["remote", "add", "origin", &remote.address])?;
    }
    git.show(inside, &["fetch", "--progress", "origin"])?;
    let branch = match &repository.branch {
        Some(branch) if !branch.is_empty() => branch.clone(),
        _ => {
            git.run(inside, &["remote", "set-head", "origin", "--auto"])?;
            let head = git.run(inside, &["symbolic-ref", "--short", "refs/remotes/origin/HEAD"])?;
            head.strip_prefix("origin/").unwrap_or(&head).to_owned()
        }
    };
    git.show(inside, &["checkout", "--progress", &branch, "--"])?;
    if lfs && settings.lfs_auto_fetch {
        fetch_large_files(git, folder)?;
    }
    git.show(inside, &["submodule", "update", "--init", "--progress"])?;
    Ok(())
}

/// Fetches what is stored with LFS, if it fits on the volume.
fn fetch_large_files(git: &Git, folder: &Path) -> Result<(), CloneOneError> {
    #[derive(Deserialize)]
    struct Listed {
        #[serde(default)]
        files: Option<Vec<File>>,
    }
    #[derive(Deserialize)]
    struct File {
        size: u64,
    }
    let listed = git.run(Some(folder), &["lfs", "ls-files", "--json"])?;
    let files = serde_json::from_str::<Listed>(&listed).ok().and_then(|listed| listed.files);
    let needed = files.unwrap_or_default().iter().map(|file| file.size).sum();
    let volume =
        rustix::fs::statvfs(folder).map_err(|error| CloneOneError::Write(folder.to_owned(), error.into()))?;
    let free = volume.f_bavail.saturating_mul(volume.f_frsize);
    if needed > free {
        return Err(CloneOneError::Space { needed, free });
    }
    git.show(Some(folder), &["lfs", "pull"])?;
    Ok(())
}

/// Leads what the session asks of the repository's host through the proxy, which adds credentials.
fn use_proxy(proxy: &Proxy, remote: &Remote, git: &Git, folder: &Path) -> Result<(), RunGitError> {
    let set = |key: &str, value: &str| git.run(Some(folder), &["config", key, value]).map(drop);
    set("http.proxy", &format!("http://localhost:{}", proxy.port))?;
    if let super::remote::Transport::Http(host) = &remote.transport {
        match &proxy.ca_file {
            Some(file) => set(&format!("http.{host}.sslCAInfo"), &file.display().to_string())?,
            // Pods of the original do not share the authority of their proxy. This host is reached by way of the
            // loopback address only; the proxy checks the certificates beyond.
            None => set(&format!("http.{host}.sslVerify"), "false")?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(env: &[(&str, &str)]) -> Result<Settings, ReadSettingsError> {
        let env = env.to_vec();
        Settings::read(&move |name| {
            let name = name.strip_prefix(PREFIX)?;
            env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    const REPOSITORY: &str =
        r#"{"url": "https://example.org/a.git", "provider": "p", "branch": "b", "more": 1}"#;
    const PROVIDER: &str = r#"{"id": "p", "access_token_url": "https://example.org/token"}"#;

    #[test]
    fn repositories_are_counted_to_the_first_gap() {
        let more =
            [("REPOSITORIES_0_", REPOSITORY), ("REPOSITORIES_1_", REPOSITORY), ("REPOSITORIES_3_", "x")];
        let settings = read(&[&[("MOUNT_PATH", "/work")], &more[..]].concat()).unwrap();
        assert_eq!(settings.repositories.len(), 2);
        assert_eq!(settings.repositories[0].branch.as_deref(), Some("b"));
    }

    #[test]
    fn an_anonymous_session_has_no_token() {
        let env = [
            ("MOUNT_PATH", "/work"),
            ("REPOSITORIES_0_", REPOSITORY),
            ("GIT_PROVIDERS_0_", PROVIDER),
            ("USER__RENKU_TOKEN", "t"),
        ];
        for (username, expected) in
            [("", None), ("anonymous", None), ("ada", Some(("https://example.org/token", "t")))]
        {
            let settings = read(&[&env[..], &[("USER__USERNAME", username)]].concat()).unwrap();
            assert_eq!(settings.token_source(&settings.repositories[0]), expected, "{username}");
        }
    }

    #[test]
    fn problems_do_not_repeat_values() {
        let problems = read(&[("REPOSITORIES_0_", "secret"), ("GIT_PROXY_PORT", "x")]).err().unwrap().0;
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(!problems.join("").contains("secret"));
    }
}
