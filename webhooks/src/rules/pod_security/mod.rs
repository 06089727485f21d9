//! The Pod Security Standards `baseline` and `restricted`, as the API server enforces them in a namespace.
//!
//! Each check is one of `k8s.io/pod-security-admission/policy`, on what a session's pod can have. Two kinds of checks are
//! left out. Host namespaces, sysctls and the security context of the pod are not the session's to set. And `procMount`
//! and `hostProcess` never get as far: what is not allowed of them is no valid pod, which comes first.

mod baseline;
mod enforced;
mod restricted;
#[cfg(test)]
mod tests;

pub use enforced::{ENFORCE_LABEL, Enforced, Level};

use serde_json::Value;

use crate::finding::FieldPath;
use crate::rules::pod::container::at::At;

/// The versions of Kubernetes 1 in which a check came, or became more lenient.
mod since {
    /// `container_engine_t` is allowed.
    pub(super) const SELINUX_ENGINE: u16 = 31;
    /// No hosts in probes and hooks.
    pub(super) const HANDLER_HOSTS: u16 = 34;
    /// All capabilities are dropped.
    pub(super) const DROP_ALL: u16 = 22;
    /// No user 0.
    pub(super) const NO_ROOT_USER: u16 = 23;
}

/// A field that a standard does not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    /// Where it is.
    pub(crate) path: FieldPath,
    /// What is there.
    pub(crate) seen: String,
    /// What the standard says, as in `needs false`.
    pub(crate) rule: &'static str,
}

/// What the checks are made with, and what they found.
pub(crate) struct Standard<'a> {
    /// What the namespace enforces.
    pub(crate) enforced: Enforced,
    /// The seccomp profile of the pod, which counts for containers without one.
    pub(crate) pod_seccomp: &'a Value,
    /// What was found so far.
    pub(crate) violations: Vec<Violation>,
}

impl Standard<'_> {
    /// Checks a container.
    pub(crate) fn check_container(&mut self, at: &At<'_>, container: &Value) {
        baseline::check_container(self, at, container);
        if self.enforced.level == Level::Restricted {
            restricted::check_container(self, at, container);
        }
    }

    /// Checks a volume.
    pub(crate) fn check_volume(&mut self, at: &At<'_>, volume: &Value) {
        match self.enforced.level {
            Level::Baseline => baseline::check_volume(self, at, volume),
            Level::Restricted => restricted::check_volume(self, at, volume),
        }
    }

    /// Checks one of the annotations of the pod, which are at that path.
    pub(crate) fn check_annotation(&mut self, at: &At<'_>, key: &str, value: &str) {
        baseline::check_annotation(self, at, key, value);
    }

    fn since(&self, minor: u16) -> bool {
        self.enforced.minor >= minor
    }

    fn add(&mut self, at: &At<'_>, seen: impl Into<String>, rule: &'static str) {
        self.violations.push(Violation { path: at.path(), seen: seen.into(), rule });
    }
}

/// Whether a seccomp or AppArmor profile of that type is allowed wherever one is set.
fn is_profile(kind: &str) -> bool {
    matches!(kind, "RuntimeDefault" | "Localhost")
}
