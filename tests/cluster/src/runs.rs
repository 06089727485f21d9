//! The folders of clusters: who owns each, which are left over, how to end one by name.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use crate::process::ProcessId;
use crate::supervisor::{end_node, processes};
use crate::{Error, paths};

/// How long an owner may take to end after SIGTERM before it is killed.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long the logs of a failed start are kept.
const KEEP_FAILED: Duration = Duration::from_secs(3600);

/// What a cluster's folder says about it.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    owner: ProcessId,
    supervisor: Option<ProcessId>,
}

/// A cluster that runs now.
#[derive(Debug, Clone)]
pub struct Running {
    /// Its name.
    pub name: String,
    /// Its folder.
    pub dir: PathBuf,
    /// Its administrator's kubeconfig; absent while it is still starting.
    pub kubeconfig: Option<PathBuf>,
    /// The process whose end is its end.
    pub owner: i32,
}

/// The administrator's kubeconfig of the cluster in `dir`. It appears there when the cluster is ready.
pub(crate) fn kubeconfig(dir: &Path) -> PathBuf {
    dir.join("kubeconfig")
}

/// Makes a folder for a new cluster of this process, after cleaning up what dead ones left.
pub(crate) fn create(name: Option<&str>) -> Result<(String, PathBuf), Error> {
    let runs = paths::runs();
    paths::create_dir(&runs)?;
    let _guard = paths::lock(&runs.join("lock"))?;
    clean(&runs)?;
    let name = match name {
        Some(name) => check_name(name)?.to_owned(),
        None => format!("c-{}-{:04x}", std::process::id(), rand::random::<u16>()),
    };
    let dir = runs.join(&name);
    if dir.exists() {
        if !dir.join("failed").exists() {
            return Err(Error::TakeName { name });
        }
        remove(&dir)?;
    }
    paths::create_dir(&dir)?;
    // Keys and tokens lie in it.
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o700))
        .map_err(Error::file("protect", &dir))?;
    write_state(&dir, None)?;
    Ok((name, dir))
}

/// Writes down who must be dead before the folder may be cleaned, and whom to end then. Whoever cleans up
/// meanwhile reads the one or the other text, never half of one: a folder that says nothing has no owner.
pub(crate) fn write_state(dir: &Path, supervisor: Option<ProcessId>) -> Result<(), Error> {
    let owner = ProcessId::own().unwrap_or(ProcessId { pid: 0, start_time: 0 });
    let text = serde_json::to_string(&State { owner, supervisor })
        .map_err(|source| Error::Encode { what: "the state of a cluster", source })?;
    let (next, place) = (dir.join("state.next"), dir.join("state.json"));
    paths::write_private(&next, &text)?;
    std::fs::rename(&next, &place).map_err(Error::file("write", &place))
}

/// The clusters that run now, by name.
///
/// # Errors
/// The folder of clusters cannot be read.
pub fn list() -> Result<Vec<Running>, Error> {
    let mut running = Vec::new();
    for (name, dir) in folders(&paths::runs())? {
        if let Some(state) = read_state(&dir).filter(|state| state.owner.is_alive()) {
            let kubeconfig = Some(kubeconfig(&dir)).filter(|path| path.is_file());
            running.push(Running { name, dir, kubeconfig, owner: state.owner.pid });
        }
    }
    running.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(running)
}

/// The process that holds the components of the cluster in `dir`.
pub(crate) fn supervisor(dir: &Path) -> Option<ProcessId> {
    read_state(dir)?.supervisor
}

/// Ends the cluster of this name: its owner is asked to, and made to if it does not.
///
/// # Errors
/// There is none of this name.
pub fn stop_named(name: &str) -> Result<(), Error> {
    let dir = paths::runs().join(check_name(name)?);
    let state = read_state(&dir)
        .filter(|state| state.owner.is_alive())
        .ok_or_else(|| Error::FindCluster { name: name.to_owned() })?;
    state.owner.signal(Signal::TERM);
    if !state.owner.wait_gone(PATIENCE) {
        state.owner.signal(Signal::KILL);
    }
    if let Some(supervisor) = state.supervisor {
        supervisor.wait_gone(PATIENCE);
    }
    if dir.exists() { end(&dir) } else { Ok(()) }
}

/// Ends and removes every cluster whose owner is dead. Called with the lock held, so that none of the
/// folders is one that is just being made.
fn clean(runs: &Path) -> Result<(), Error> {
    for (_, dir) in folders(runs)? {
        if read_state(&dir).is_some_and(|state| state.owner.is_alive()) {
            continue;
        }
        let failed = dir.join("failed").metadata().and_then(|data| data.modified()).ok();
        if failed.and_then(|at| at.elapsed().ok()).is_none_or(|age| age > KEEP_FAILED) {
            end(&dir)?;
        }
    }
    Ok(())
}

/// Ends whatever still runs of the cluster in `dir` and removes the folder. Each process is checked by
/// its start time, so an id that was used again meanwhile is left alone.
fn end(dir: &Path) -> Result<(), Error> {
    // The supervisor first: it would see its children die and has nothing more to do.
    let supervisor = supervisor(dir);
    if let Some(supervisor) = supervisor {
        supervisor.signal(Signal::KILL);
        supervisor.wait_gone(PATIENCE);
    }
    end_node(dir)?;
    let doomed: Vec<ProcessId> = processes(dir).into_iter().map(|(_, id)| id).collect();
    for process in &doomed {
        process.signal(Signal::KILL);
    }
    for process in &doomed {
        process.wait_gone(PATIENCE);
    }
    remove(dir)
}

fn remove(dir: &Path) -> Result<(), Error> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        result => result.map_err(Error::file("remove", dir)),
    }
}

fn read_state(dir: &Path) -> Option<State> {
    serde_json::from_slice(&std::fs::read(dir.join("state.json")).ok()?).ok()
}

fn folders(runs: &Path) -> Result<Vec<(String, PathBuf)>, Error> {
    let entries = match std::fs::read_dir(runs) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(Error::file("read", runs))?,
    };
    Ok(entries
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()))
        .collect())
}

/// A name becomes a folder: nothing that could lead elsewhere.
fn check_name(name: &str) -> Result<&str, Error> {
    let fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if name.is_empty() || name.len() > 40 || !name.bytes().all(fine) {
        return Err(Error::CheckName { name: name.to_owned() });
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_has_its_owner_at_every_moment_of_its_start() {
        let dir = std::env::temp_dir().join(format!("sojourn-state-{}", std::process::id()));
        paths::create_dir(&dir).unwrap();
        write_state(&dir, None).unwrap();
        let lost = std::thread::scope(|scope| {
            let writer = scope.spawn(|| (0..2_000).try_for_each(|_| write_state(&dir, ProcessId::own())));
            let mut lost = 0;
            while !writer.is_finished() {
                lost += usize::from(read_state(&dir).is_none());
            }
            writer.join().unwrap().unwrap();
            lost
        });
        std::fs::remove_dir_all(&dir).unwrap();
        assert_eq!(lost, 0, "times at which another process would have ended the cluster");
    }
}
