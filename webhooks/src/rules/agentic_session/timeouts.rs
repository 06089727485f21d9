//! The timeouts of a session are consistent with each other and with the lifetime of its Job.
//!
//! The original checks none of this. It passes `timeout` to the runner, which does not read it, and ends the Job after
//! four hours. So this rule only warns. Zero means that the session has no limit of its own.

use sojourn_crds::ambient::{Limits, lifetime};
use sojourn_crds::duration::Span;

use super::{Subject, spec};
use crate::finding::{Code, Finding};

/// Reports timeouts without an effect.
pub(crate) fn check(subject: &Subject<'_>, limits: Limits, findings: &mut Vec<Finding>) {
    let of = subject.spec();
    if of.timeout < 0 {
        findings.push(Finding::new(
            Code::TimeoutNegative,
            spec("timeout"),
            format!("{} s counts as no limit", of.timeout),
            "write 0 for that",
        ));
    }
    let longest = limits.deadline_seconds;
    if of.timeout > longest {
        findings.push(Finding::new(
            Code::TimeoutOutlivesJob,
            spec("timeout"),
            format!("{} s never come: its Job ends after {}", of.timeout, Span::seconds(longest)),
            "",
        ));
    }
    let lifetime = lifetime::job_deadline_seconds(of, limits);
    if let Some(idle) = of.inactivity_timeout.filter(|idle| *idle >= lifetime) {
        findings.push(Finding::new(
            Code::InactivityOutlivesSession,
            spec("inactivityTimeout"),
            format!("{idle} s never come: its Job ends after {}", Span::seconds(lifetime)),
            "",
        ));
    }
}
