//! What tests of the command share.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_sojourn-cluster");

/// Unlike any other test run's on this machine.
pub(crate) fn unique(name: &str) -> String {
    format!("{name}-{}", std::process::id())
}

/// Starts a command that prints a kubeconfig when its cluster is ready, and returns the cluster's folder.
pub(crate) fn up(mut command: Command) -> (Child, PathBuf) {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let kubeconfig = line.trim().strip_prefix("export KUBECONFIG=").expect("the cluster did not start");
    (child, Path::new(kubeconfig).parent().unwrap().to_path_buf())
}

/// The process that holds those of the cluster.
pub(crate) fn supervisor(dir: &Path) -> u32 {
    let state: serde_json::Value =
        serde_json::from_slice(&std::fs::read(dir.join("state.json")).unwrap()).unwrap();
    u32::try_from(state["supervisor"]["pid"].as_u64().unwrap()).unwrap()
}

/// Whether a process is there and no zombie.
pub(crate) fn runs(pid: &u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')')
        .next()
        .is_some_and(|rest| !rest.trim().is_empty() && !rest.trim().starts_with(['Z', 'X']))
}

/// Sends a signal.
pub(crate) fn send(signal: &str, pid: u32) {
    assert!(Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success());
}
