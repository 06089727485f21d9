//! Readiness as a set of named checks: the process is ready when all of them are.

use parking_lot::Mutex;
use std::{collections::BTreeMap, fmt, sync::Arc};

/// The state of a check; `Err` is what it waits for.
type Check = Result<(), String>;

/// The checks of one process. Clones share the set.
#[derive(Clone, Default)]
pub(crate) struct Readiness {
    checks: Arc<Mutex<BTreeMap<String, Check>>>,
    concerns: Arc<Mutex<BTreeMap<String, String>>>,
}

/// Sets the state of a check. A check whose handle is dropped is not ready.
#[derive(Debug)]
pub struct Handle {
    readiness: Readiness,
    name: String,
}

impl Readiness {
    /// Warnings that do not affect readiness, by the name of the check.
    pub(crate) fn concerns(&self) -> Vec<(String, String)> {
        self.concerns.lock().iter().map(|(name, concern)| (name.clone(), concern.clone())).collect()
    }

    /// Adds a check that is not ready. A check of the same name is replaced.
    pub(crate) fn handle(&self, name: &str) -> Handle {
        self.checks.lock().insert(name.to_owned(), Err("not started".to_owned()));
        Handle { readiness: self.clone(), name: name.to_owned() }
    }

    /// All checks, sorted by name.
    pub(crate) fn report(&self) -> Vec<(String, Result<(), String>)> {
        self.checks.lock().iter().map(|(name, check)| (name.clone(), check.clone())).collect()
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.report()).finish()
    }
}

impl Handle {
    /// The check is ready.
    pub fn ready(&self) {
        self.readiness.checks.lock().insert(self.name.clone(), Ok(()));
    }

    /// The check is not ready because of `why`. Returns whether that is a change.
    pub fn not_ready(&self, why: impl Into<String>) -> bool {
        let check = Err(why.into());
        self.readiness.checks.lock().insert(self.name.clone(), check.clone()) != Some(check)
    }

    /// Sets or removes the warning of the check. It does not affect readiness.
    pub fn concern(&self, what: Option<&str>) {
        match what {
            Some(what) => self.readiness.concerns.lock().insert(self.name.clone(), what.to_owned()),
            None => self.readiness.concerns.lock().remove(&self.name),
        };
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.not_ready("ended");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_ready(readiness: &Readiness) -> bool {
        readiness.report().iter().all(|(_, check)| check.is_ok())
    }

    #[test]
    fn ready_when_all_are() {
        let readiness = Readiness::default();
        assert!(is_ready(&readiness));
        let (one, two) = (readiness.handle("one"), readiness.handle("two"));
        one.ready();
        assert!(!is_ready(&readiness));
        two.ready();
        assert!(is_ready(&readiness));
        two.not_ready("lost");
        assert_eq!(readiness.report(), [("one".into(), Ok(())), ("two".into(), Err("lost".into()))]);
        two.ready();
        two.ready();
        two.concern(Some("see to it"));
        assert!(is_ready(&readiness));
        assert_eq!(readiness.concerns(), [("two".into(), "see to it".into())]);
        two.concern(None);
        assert_eq!(readiness.concerns(), []);
        drop(one);
        assert!(!is_ready(&readiness));
    }
}
