//! The process between the owner of a cluster and its components.
//!
//! It is a few lines of POSIX shell: it works the same below a test binary, a benchmark and our own
//! command, needs no second binary to be found, and has a single thread, which the parent death
//! signal of its children needs. The pipe to its standard input is the bond: the kernel closes it when
//! the owner is gone, also after SIGKILL.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::components::Component;
use crate::process::ProcessId;
use crate::{Error, node, paths};

const SCRIPT: &str = concat!(include_str!("ending.sh"), include_str!("supervisor.sh"));
/// Ends the node in the folder that is its argument.
const END_NODE: &str = concat!(include_str!("ending.sh"), "end_node \"$1\"");
/// How long the supervisor may take to end everything. It only sends SIGKILL and removes files.
const PATIENCE: Duration = Duration::from_secs(20);

/// Owns the processes of one cluster. Dropping it ends them.
#[derive(Debug)]
pub(crate) struct Supervisor {
    child: Child,
    dir: PathBuf,
    setpriv: Option<PathBuf>,
}

impl Supervisor {
    /// Starts one for the cluster in `dir`, in a network of its own if so wished: then all of its
    /// components are in there.
    pub(crate) fn start(dir: &Path, own_network: bool) -> Result<Self, Error> {
        paths::create_dir(&dir.join("run"))?;
        paths::create_dir(&dir.join("logs"))?;
        let log = dir.join("logs/supervisor.log");
        let log = std::fs::File::create(&log).map_err(Error::file("write", &log))?;
        let shell: &[&str] = if own_network { &["unshare", "--net", "sh"] } else { &["sh"] };
        let child = Command::new(shell[0])
            .args(&shell[1..])
            .args(["-c", SCRIPT, "sojourn-cluster-supervisor"])
            .arg(dir)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            // A group of its own: Ctrl-C in a terminal is for the owner, who then ends in order.
            .process_group(0)
            .spawn()
            .map_err(|source| Error::Spawn { program: "sh".into(), source })?;
        Ok(Self { child, dir: dir.to_path_buf(), setpriv: paths::find_program("setpriv") })
    }

    /// The supervisor's own process.
    pub(crate) fn id(&self) -> Option<ProcessId> {
        ProcessId::of(i32::try_from(self.child.id()).ok()?)
    }

    /// Starts a component. Whether it lives is told by [`Supervisor::is_running`].
    pub(crate) fn run(&mut self, component: &Component) -> Result<(), Error> {
        let script = self.dir.join("run").join(format!("{}.sh", component.name));
        paths::write_private(&script, &command_line(component, self.setpriv.as_deref()))?;
        self.start_again(component.name)
    }

    /// Starts a component as it was started before.
    pub(crate) fn start_again(&self, name: &str) -> Result<(), Error> {
        let line = format!("start {name}\n");
        let Some(mut stdin) = self.child.stdin.as_ref() else { return Ok(()) };
        stdin.write_all(line.as_bytes()).map_err(|source| Error::AskSupervisor { source })
    }

    /// False once the component has ended. True while it has not been started yet.
    pub(crate) fn is_running(&self, name: &str) -> bool {
        process(&self.dir, name).is_none_or(|process| process.is_alive())
    }

    /// Where the component's output goes.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.dir.join("logs").join(format!("{name}.log"))
    }

    /// Ends everything and waits for it.
    pub(crate) fn stop(&mut self) {
        drop(self.child.stdin.take());
        let deadline = Instant::now() + PATIENCE;
        while let Ok(None) = self.child.try_wait() {
            if Instant::now() > deadline {
                // Its children die with it by their parent death signal.
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Ends the node that a lost supervisor has left in `dir`, if there is one, with all that is on it.
pub(crate) fn end_node(dir: &Path) -> Result<(), Error> {
    if !node::dir(dir).exists() {
        return Ok(());
    }
    let mut shell = Command::new("sh");
    let status = shell.args(["-c", END_NODE, "sojourn-cluster-cleaner"]).arg(dir).status();
    status.map(drop).map_err(|source| Error::Spawn { program: "sh".into(), source })
}

/// The processes that the supervisor of the cluster in `dir` has started, with their names.
pub(crate) fn processes(dir: &Path) -> Vec<(String, ProcessId)> {
    let text = std::fs::read_to_string(dir.join("processes")).unwrap_or_default();
    text.lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let name = words.next()?.to_owned();
            let pid = words.next()?.parse().ok()?;
            // Empty when it had ended before it was looked at: then no process is meant.
            let start_time = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
            Some((name, ProcessId { pid, start_time }))
        })
        .collect()
}

/// The process of a component of the cluster in `dir`: the one that was started last.
pub(crate) fn process(dir: &Path, name: &str) -> Option<ProcessId> {
    processes(dir).into_iter().rev().find(|(it, _)| it == name).map(|(_, process)| process)
}

/// A script that becomes the component. With `setpriv` the kernel ends it when the supervisor dies.
fn command_line(component: &Component, setpriv: Option<&Path>) -> String {
    let mut words = vec!["exec".to_owned()];
    if let Some(setpriv) = setpriv {
        words.extend([quote(&setpriv.display().to_string()), "--pdeathsig".into(), "KILL".into()]);
    }
    words.push(quote(&component.program.display().to_string()));
    words.extend(component.args.iter().map(|argument| quote(argument)));
    words.join(" ") + "\n"
}

fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_reach_the_component_as_they_are() {
        let args = vec!["a b".to_owned(), "it's".to_owned(), "$HOME;`id`".to_owned()];
        let component = Component {
            name: "echo",
            program: "printf".into(),
            args: [vec!["%s|".into()], args.clone()].concat(),
        };
        let output = Command::new("sh").arg("-c").arg(command_line(&component, None)).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), args.join("|") + "|");
    }
}
