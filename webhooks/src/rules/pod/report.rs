//! Where the pod rules put what they find.

use crate::finding::{Code, FieldPath, Finding, seen};
use crate::settings::KubernetesVersion;

/// The findings so far, and the cluster for which is judged.
pub(crate) struct Report<'a> {
    /// The version of the API server that will judge the children.
    pub(crate) kubernetes: KubernetesVersion,
    findings: &'a mut Vec<Finding>,
}

impl<'a> Report<'a> {
    /// A report into `findings`.
    pub(crate) fn new(kubernetes: KubernetesVersion, findings: &'a mut Vec<Finding>) -> Self {
        Self { kubernetes, findings }
    }

    /// A finding in words of its own: what is wrong, then what to do.
    pub(crate) fn add(
        &mut self,
        code: Code,
        path: FieldPath,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.findings.push(Finding::new(code, path, message, hint));
    }

    /// A field that must be there is not; `what` is a clause such as "a probe needs exactly one handler".
    pub(crate) fn required(&mut self, code: Code, path: FieldPath, what: &str) {
        self.add(code, path, format!("it is missing: {what}"), "add it");
    }

    /// A value that is none of those `allowed`.
    pub(crate) fn unsupported(&mut self, code: Code, path: FieldPath, value: &str, allowed: &[&str]) {
        self.add(
            code,
            path,
            format!("{} is not supported", seen(value)),
            format!("use one of {}", allowed.join(", ")),
        );
    }
}
