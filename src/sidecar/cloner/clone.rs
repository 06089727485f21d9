//! `cloner clone`: one repository into the volume of a session, once.
//!
//! A clone is made beside its place and moved there when it is whole, so a container that is killed half-way leaves
//! nothing that the next one would take for a clone.

use super::{
    git::{Credentials, Git, Key, RunGitError},
    remote::{ReadRemoteError, Remote, Transport},
    revision::{self, FindRevisionError, Revision},
};
use crate::settings::flags::go_bool;
use clap::{Args, ValueEnum};
use serde::Deserialize;
use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

/// The flags of `cloner clone`.
#[derive(Args, Clone, Debug)]
#[command(args_override_self = true)]
pub(crate) struct Flags {
    /// Address of the repository.
    #[arg(long, value_name = "URL")]
    remote: String,
    /// Directory in which the clone's own directory is made.
    #[arg(long, value_name = "DIRECTORY")]
    path: PathBuf,
    /// Branch, tag, reference or commit; else what the remote shows first.
    #[arg(long, value_name = "REVISION")]
    revision: Option<String>,
    /// YAML file with `username` and `password`, or with `privateKey`, its passphrase as `password`, and `knownHosts`.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What to do about a directory that is there already.
    #[arg(long, value_enum, default_value = "nostrategy", value_name = "STRATEGY")]
    strategy: Strategy,
    /// Log more.
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true",
          value_parser = go_bool, value_name = "BOOL")]
    pub verbose: bool,
}

/// What to do about a directory that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Strategy {
    /// Leave it as it is; a session that resumes goes on with it.
    #[value(name = "notifexist")]
    Keep,
    /// Replace it, once the new clone is whole.
    #[value(name = "overwrite")]
    Replace,
    /// Fail, unless it is empty.
    #[value(name = "nostrategy")]
    Refuse,
}

/// The repository is not cloned.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CloneError {
    /// The address of the remote is not valid.
    #[error(transparent)]
    Remote(#[from] ReadRemoteError),
    /// The file with credentials cannot be opened.
    #[error("the file that --config names cannot be read: {0}")]
    OpenConfig(#[source] io::Error),
    /// The file with credentials has another format. Its content is not repeated.
    #[error("the file that --config names holds neither `username` and `password` nor `privateKey`")]
    ReadConfig,
    /// The directory exists and is not empty.
    #[error("{0:?} exists already and is not empty; --strategy notifexist leaves it, overwrite replaces it")]
    Exists(PathBuf),
    /// The revision is not found.
    #[error(transparent)]
    Revision(#[from] FindRevisionError),
    /// A git command failed.
    #[error(transparent)]
    Git(#[from] RunGitError),
    /// The directory cannot be written.
    #[error("{0:?} cannot be written: {1}")]
    Place(PathBuf, #[source] io::Error),
}

/// The file with credentials.
#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    #[serde(default, rename = "privateKey", alias = "privatekey")]
    private_key: String,
    #[serde(default, rename = "knownHosts", alias = "knownhosts")]
    known_hosts: Option<String>,
}

impl Config {
    fn read(path: &Path) -> Result<Self, CloneError> {
        let text = fs::read_to_string(path).map_err(CloneError::OpenConfig)?;
        let config: Self = serde_saphyr::from_str(&text).map_err(|_| CloneError::ReadConfig)?;
        let some = !config.username.is_empty() || !config.private_key.is_empty();
        some.then_some(config).ok_or(CloneError::ReadConfig)
    }

    /// Configures git with the credentials.
    fn apply(self, git: &mut Git, transport: &Transport) -> Result<(), RunGitError> {
        if self.private_key.is_empty() {
            return git
                .authenticate(transport, &Credentials { username: self.username, password: self.password });
        }
        if self.known_hosts.is_none() {
            tracing::warn!(
                "there is no `knownHosts` beside the key: whoever answers for the host is believed"
            );
        }
        let key = Key { private: self.private_key, passphrase: self.password, known_hosts: self.known_hosts };
        git.authenticate_by_key(&key, matches!(transport, Transport::Ssh { named: true }))
    }
}

/// Clones as `flags` say.
pub(crate) fn clone(flags: &Flags) -> Result<(), CloneError> {
    let remote = Remote::read(&flags.remote)?;
    let place = flags.path.join(&remote.name);
    let there = fs::symlink_metadata(&place).is_ok() && !is_empty_directory(&place);
    match flags.strategy {
        Strategy::Keep if there => {
            tracing::info!(path = %place.display(), "there already, and left as it is");
            return Ok(());
        }
        Strategy::Refuse if there => return Err(CloneError::Exists(place)),
        _ => {}
    }
    let config = flags.config.as_deref().map(Config::read).transpose()?;
    let mut git = Git::new()?;
    match (config, &remote.credentials) {
        (Some(config), _) => config.apply(&mut git, &remote.transport)?,
        (None, Some(credentials)) => git.authenticate(&remote.transport, credentials)?,
        (None, None) => {}
    }

    let written = |error| CloneError::Place(flags.path.clone(), error);
    fs::create_dir_all(&flags.path).map_err(written)?;
    // On the same volume, or it could not be moved. It goes by itself when something fails.
    let beside = tempfile::Builder::new().prefix(".cloning-").tempdir_in(&flags.path).map_err(written)?;
    let fresh = beside.path().join(&remote.name);
    fetch(&git, &remote, flags.revision.as_deref().filter(|revision| !revision.is_empty()), &fresh)?;
    let moved = |error| CloneError::Place(place.clone(), error);
    if there {
        fs::rename(&place, beside.path().join("former")).map_err(moved)?;
    }
    fs::rename(&fresh, &place).map_err(moved)?;
    tracing::info!(path = %place.display(), "cloned");
    Ok(())
}

fn is_empty_directory(path: &Path) -> bool {
    fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}

/// Makes `folder` a clone with `revision` checked out, submodules included.
fn fetch(git: &Git, remote: &Remote, revision: Option<&str>, folder: &Path) -> Result<(), CloneError> {
    let revision = match revision {
        None => None,
        Some(wanted) => {
            let listed = git.run(None, &["ls-remote", "--", &remote.address])?;
            Some(revision::find(wanted, &listed)?)
        }
    };
    let mut args: Vec<OsString> = vec!["clone".into(), "--progress".into()];
    match &revision {
        None => args.extend(["--single-branch".into(), "--recurse-submodules".into()]),
        Some(Revision::Named(name)) => args.extend([
            "--single-branch".into(),
            "--recurse-submodules".into(),
            format!("--branch={name}").into(),
        ]),
        // A commit may be on any branch.
        Some(Revision::Commit(_)) => args.push("--no-checkout".into()),
        Some(Revision::Reference(_)) => args.extend(["--single-branch".into(), "--no-checkout".into()]),
    }
    args.extend(["--".into(), remote.address.clone().into(), folder.into()]);
    git.show(None, &args)?;
    let inside = Some(folder);
    let commit = match &revision {
        None | Some(Revision::Named(_)) => return Ok(()),
        Some(Revision::Commit(hash)) => {
            // A commit that is on no branch can still be asked for, where the server allows it.
            if git.run(inside, &["cat-file", "-e", &format!("{hash}^{{commit}}")]).is_err() {
                git.show(inside, &["fetch", "--progress", "origin", hash])?;
            }
            hash
        }
        Some(Revision::Reference(name)) => {
            git.show(inside, &["fetch", "--progress", "origin", name])?;
            "FETCH_HEAD"
        }
    };
    git.show(inside, &["checkout", "--detach", commit])?;
    git.show(inside, &["submodule", "update", "--init", "--recursive", "--progress"])?;
    Ok(())
}
