//! Which process is meant. A process id alone is not enough: it is used again. With its start time it
//! names one process for as long as the machine is up.

use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

/// A process, or what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProcessId {
    pub(crate) pid: i32,
    /// In clock ticks since the machine started, from `/proc/<pid>/stat`.
    pub(crate) start_time: u64,
}

impl ProcessId {
    /// The process that has this id now.
    pub(crate) fn of(pid: i32) -> Option<Self> {
        let (state, start_time) = stat(pid)?;
        // A zombie holds nothing any more.
        (state != 'Z' && state != 'X').then_some(Self { pid, start_time })
    }

    /// This very process.
    pub(crate) fn own() -> Option<Self> {
        Self::of(i32::try_from(std::process::id()).ok()?)
    }

    pub(crate) fn is_alive(&self) -> bool {
        Self::of(self.pid) == Some(*self)
    }

    /// The processes that it started itself and that are still there, as its first thread has them.
    pub(crate) fn children(&self) -> Vec<Self> {
        let path = format!("/proc/{0}/task/{0}/children", self.pid);
        let pids = std::fs::read_to_string(path).unwrap_or_default();
        pids.split_ascii_whitespace().filter_map(|pid| Self::of(pid.parse().ok()?)).collect()
    }

    /// Sends a signal to this process and to no other that may have got its id meanwhile: the
    /// descriptor is taken first and stays with the process that is looked at after.
    pub(crate) fn signal(&self, signal: Signal) -> bool {
        let Some(pid) = Pid::from_raw(self.pid) else { return false };
        let Ok(descriptor) = pidfd_open(pid, PidfdFlags::empty()) else { return false };
        self.is_alive() && pidfd_send_signal(&descriptor, signal).is_ok()
    }

    /// Waits until the process is gone. False when it is still there after `limit`.
    pub(crate) fn wait_gone(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        while self.is_alive() {
            if Instant::now() > deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        true
    }
}

/// State letter and start time. The name in parentheses may hold anything, so count from its end.
fn stat(pid: i32) -> Option<(char, u64)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = text.get(text.rfind(')')? + 1..)?.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    // Field 22 of the whole line, counted from one; the state is field 3.
    let start_time = fields.nth(18)?.parse().ok()?;
    Some((state, start_time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recycled_id_is_another_process_and_is_not_signalled() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let real = ProcessId::of(i32::try_from(child.id()).unwrap()).unwrap();
        let former = ProcessId { start_time: real.start_time - 1, ..real };
        assert!(!former.is_alive());
        assert!(!former.signal(Signal::KILL));
        assert!(real.is_alive());
        assert!(real.signal(Signal::KILL));
        assert!(real.wait_gone(Duration::from_secs(5)), "a zombie counts as gone");
        child.wait().unwrap();
        assert!(!real.signal(Signal::KILL));
    }
}
