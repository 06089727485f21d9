//! The `git` program, and how credentials reach it: by its environment, and for the host that they are for only.
//!
//! They are in no argument, which others could see, and in no file of the clone. git and SSH ask for them by calling
//! this very program under another name, which answers from its environment. Nothing is ever asked of a terminal.

use super::remote::Transport;
use std::{
    ffi::OsStr,
    fmt, io,
    os::unix::fs::{OpenOptionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
};

/// The name under which git and SSH call this program for credentials.
pub(crate) const ASKPASS: &str = "sojourn-askpass";
const USERNAME: &str = "SOJOURN_GIT_USERNAME";
const PASSWORD: &str = "SOJOURN_GIT_PASSWORD";

/// What proves who clones.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    /// Name of the user.
    pub username: String,
    /// Password or token.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// A key for SSH.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Key {
    /// The private key, as a text.
    pub private: String,
    /// What it is encrypted with; empty when it is not.
    pub passphrase: String,
    /// Keys of known hosts; none takes the host's key as it comes, as on a first visit.
    pub known_hosts: Option<String>,
}

/// git could not do what it was to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunGitError {
    /// The program did not start.
    #[error("the git program cannot be run: {0}")]
    Start(#[source] io::Error),
    /// Its surroundings could not be prepared.
    #[error("nothing can be written to {0:?} for git: {1}")]
    Prepare(PathBuf, #[source] io::Error),
    /// It failed.
    #[error("git {action} failed ({status}): {said}")]
    Fail {
        /// The subcommand of git.
        action: String,
        /// How it ended.
        status: ExitStatus,
        /// Why, in its own words.
        said: String,
    },
}

/// The program with everything that it needs for one remote. Its private folder goes when it does.
pub(crate) struct Git {
    private: tempfile::TempDir,
    env: Vec<(String, String)>,
    config: Vec<(String, String)>,
}

impl Git {
    /// git without credentials.
    pub(crate) fn new() -> Result<Self, RunGitError> {
        let private = tempfile::Builder::new()
            .prefix("git-")
            .tempdir()
            .map_err(|error| RunGitError::Prepare(std::env::temp_dir(), error))?;
        let home = private.path().display().to_string();
        let mut git = Self { private, env: Vec::new(), config: Vec::new() };
        for (name, value) in [
            ("HOME", home.as_str()),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_ASKPASS", ""),
            ("SSH_ASKPASS", ""),
            // Neither programs nor files of this machine, whatever a submodule says.
            ("GIT_ALLOW_PROTOCOL", "https:http:ssh:git"),
            // People read its words, and so do tests.
            ("LC_ALL", "C.UTF-8"),
        ] {
            git.env(name, value);
        }
        for (key, value) in [
            // A remote that says nothing for a minute is given up.
            ("http.lowSpeedLimit", "1"),
            ("http.lowSpeedTime", "60"),
            ("credential.helper", ""),
            ("safe.directory", "*"),
            ("advice.detachedHead", "false"),
            ("init.defaultBranch", "main"),
        ] {
            git.configure(key, value);
        }
        if git.run(None, &["lfs", "version"]).is_ok() {
            git.configure("filter.lfs.clean", "git-lfs clean -- %f");
            git.configure("filter.lfs.smudge", "git-lfs smudge -- %f");
            git.configure("filter.lfs.process", "git-lfs filter-process");
            git.configure("filter.lfs.required", "true");
        } else {
            tracing::info!("git-lfs is not installed: files that are stored with it stay pointers");
        }
        Ok(git)
    }

    fn env(&mut self, name: &str, value: &str) {
        self.env.push((name.to_owned(), value.to_owned()));
    }

    /// Sets `key` for this program only: in its environment and in no file.
    pub(crate) fn configure(&mut self, key: &str, value: &str) {
        self.config.push((key.to_owned(), value.to_owned()));
    }

    /// Shows `credentials` to the host of `transport`, and to no other, to which submodules or redirects may lead.
    pub(crate) fn authenticate(
        &mut self,
        transport: &Transport,
        credentials: &Credentials,
    ) -> Result<(), RunGitError> {
        let Transport::Http(host) = transport else { return Ok(()) };
        let askpass = self.askpass()?;
        self.env(USERNAME, &credentials.username);
        self.env(PASSWORD, &credentials.password);
        // An absolute path is called as it is, with what is wanted as its argument.
        self.configure(&format!("credential.{host}.helper"), &askpass);
        Ok(())
    }

    /// Uses `key` for SSH; `named`: the address names the user.
    pub(crate) fn authenticate_by_key(&mut self, key: &Key, named: bool) -> Result<(), RunGitError> {
        let file = self.private.path().join("key");
        let mut text = key.private.trim().to_owned();
        text.push('\n');
        write_private(&file, &text)?;
        if !key.passphrase.is_empty() {
            let askpass = self.askpass()?;
            self.env(PASSWORD, &key.passphrase);
            self.env("SSH_ASKPASS", &askpass);
            self.env("SSH_ASKPASS_REQUIRE", "force");
        }
        let hosts = self.private.path().join("known_hosts");
        write_private(&hosts, key.known_hosts.as_deref().unwrap_or_default())?;
        let strict = if key.known_hosts.is_some() { "yes" } else { "accept-new" };
        // Paths of our own making, without anything that a shell could take for something else.
        let mut command = format!(
            "ssh -i {} -o IdentitiesOnly=yes -o PasswordAuthentication=no -o KbdInteractiveAuthentication=no \
             -o StrictHostKeyChecking={strict} -o UserKnownHostsFile={} -o ConnectTimeout=30 \
             -o ServerAliveInterval=15",
            file.display(),
            hosts.display(),
        );
        if !named {
            command.push_str(" -o User=git");
        }
        self.env("GIT_SSH_COMMAND", &command);
        Ok(())
    }

    /// This program under the name by which it answers for credentials.
    fn askpass(&self) -> Result<String, RunGitError> {
        let link = self.private.path().join(ASKPASS);
        let own = std::env::current_exe().map_err(RunGitError::Start)?;
        symlink(own, &link).map_err(|error| RunGitError::Prepare(link.clone(), error))?;
        Ok(link.display().to_string())
    }

    fn command(&self, folder: Option<&Path>, args: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new("git");
        if let Some(folder) = folder {
            command.current_dir(folder);
        }
        command.args(args).stdin(Stdio::null()).envs(self.env.iter().cloned());
        command.env("GIT_CONFIG_COUNT", self.config.len().to_string());
        for (index, (key, value)) in self.config.iter().enumerate() {
            command.env(format!("GIT_CONFIG_KEY_{index}"), key);
            command.env(format!("GIT_CONFIG_VALUE_{index}"), value);
        }
        command
    }

    /// Runs git in `folder` and returns what it says.
    pub(crate) fn run<A: AsRef<OsStr>>(
        &self,
        folder: Option<&Path>,
        args: &[A],
    ) -> Result<String, RunGitError> {
        let output = self.command(folder, args).output().map_err(RunGitError::Start)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() {
            return Ok(text(&output.stdout));
        }
        Err(failure(args, output.status, text(&output.stderr)))
    }

    /// Runs git in `folder`, with its progress in the log.
    pub(crate) fn show<A: AsRef<OsStr>>(&self, folder: Option<&Path>, args: &[A]) -> Result<(), RunGitError> {
        let mut child =
            self.command(folder, args).stderr(Stdio::piped()).spawn().map_err(RunGitError::Start)?;
        let said = child.stderr.take().map(|from| pass_on(from, &mut io::stderr())).unwrap_or_default();
        let status = child.wait().map_err(RunGitError::Start)?;
        if status.success() { Ok(()) } else { Err(failure(args, status, last_words(&said))) }
    }
}

/// How much of what git says at its end is kept, in bytes.
const KEPT: usize = 4096;
/// How many lines of it say why it failed: those of the server or of SSH come before its own, which may be three.
const LAST_LINES: usize = 5;

/// Copies what comes, as it comes, and returns the end of it.
fn pass_on(mut from: impl io::Read, to: &mut impl io::Write) -> Vec<u8> {
    let (mut kept, mut piece) = (Vec::new(), [0; KEPT]);
    while let Ok(length @ 1..) = from.read(&mut piece) {
        // A log that takes nothing any more is no reason to stop.
        let _ = to.write_all(&piece[..length]);
        kept.extend_from_slice(&piece[..length]);
        kept.drain(..kept.len().saturating_sub(KEPT));
    }
    kept
}

/// The last lines of what git said, without its progress.
fn last_words(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    // Progress writes over itself, and stays as `Receiving objects: 100% (3/3), done.`
    let progress = |line: &str| line.contains("% (") || line.starts_with("Cloning into ");
    let lines = said.split(['\r', '\n']).map(str::trim);
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty() && !progress(line)).collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join("; ")
}

fn failure(args: &[impl AsRef<OsStr>], status: ExitStatus, said: String) -> RunGitError {
    let action = args.first().map(|arg| arg.as_ref().to_string_lossy().into_owned()).unwrap_or_default();
    RunGitError::Fail { action, status, said }
}

fn write_private(path: &Path, text: &str) -> Result<(), RunGitError> {
    let write = || {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        io::Write::write_all(&mut file, text.as_bytes())
    };
    write().map_err(|error| RunGitError::Prepare(path.to_owned(), error))
}

/// What this program answers when git or SSH calls it for credentials. `asked` is the argument: `get`, from git, or
/// the question that SSH would put to a person.
pub(crate) fn answer(asked: &str, env: &dyn Fn(&str) -> Option<String>) -> String {
    let password = env(PASSWORD).unwrap_or_default();
    match asked {
        "get" => format!("username={}\npassword={password}\n", env(USERNAME).unwrap_or_default()),
        // Nothing is kept.
        "store" | "erase" => String::new(),
        _ => format!("{password}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_failure_is_kept_and_everything_is_shown() {
        let progress: String =
            (0..=100).map(|part| format!("\rReceiving objects: {part}% ({part}0/1000)")).collect();
        let said = format!(
            "Cloning into 'here'...\n{progress}, done.\nremote: no such repository\nfatal: not found\n"
        );
        let mut shown = Vec::new();
        let kept = pass_on(said.as_bytes(), &mut shown);
        assert_eq!(String::from_utf8(shown).unwrap(), said);
        assert!(kept.len() <= KEPT);
        assert_eq!(last_words(&kept), "remote: no such repository; fatal: not found");
        assert_eq!(last_words(b""), "");
    }
}
