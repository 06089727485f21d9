//! What is said of asking the server whether it is in use does something, and can be sent.
//!
//! agentserver never asks; all of this is ours.

use sojourn_crds::notebook::{Idle, IdleSource, Notebook};

use super::spec;
use crate::finding::{Code, Finding, seen};

/// Says which settings of the probe do nothing, and which headers are none.
pub(crate) fn check(notebook: &Notebook, findings: &mut Vec<Finding>) {
    let Some(idle) = &notebook.spec.idle else { return };
    if idle.source == IdleSource::Touch {
        for field in set(idle) {
            findings.push(Finding::new(
                Code::ProbeIgnored,
                spec("idle").child(field),
                "does nothing with the source Touch",
                "set source to Jupyter or Any to have the server asked",
            ));
        }
    }
    for (name, value) in &idle.probe_headers {
        let path = spec("idle").child("probeHeaders").key(name);
        if !is_token(name) {
            findings.push(Finding::new(
                Code::ProbeHeaderInvalid,
                path,
                format!("{} cannot be the name of a header", seen(name)),
                "use letters, digits and '-'",
            ));
        } else if !value.bytes().all(|b| b == b'\t' || (b' '..=b'~').contains(&b)) {
            // The value may be a credential, so it is not repeated.
            findings.push(Finding::new(
                Code::ProbeHeaderInvalid,
                path,
                "the value cannot be sent in a header",
                "use printable ASCII, on one line",
            ));
        }
    }
}

/// The fields of the probe that are set.
fn set(idle: &Idle) -> impl Iterator<Item = &'static str> {
    let fields = [
        ("probeInterval", idle.probe_interval.is_some()),
        ("probeHeaders", !idle.probe_headers.is_empty()),
        ("probeFailureLimit", idle.probe_failure_limit.is_some()),
    ];
    fields.into_iter().filter_map(|(field, set)| set.then_some(field))
}

/// What HTTP takes as the name of a header.
fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}
