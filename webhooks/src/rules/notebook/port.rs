//! The port is one that a Service can have. The schema says so too.

use sojourn_crds::notebook::{DEFAULT_PORT, Notebook};

use super::spec;
use crate::finding::{Code, Finding};

/// Says when it is not.
pub(crate) fn check(notebook: &Notebook, findings: &mut Vec<Finding>) {
    let port = notebook.spec.port;
    if !(1..=65535).contains(&port) {
        findings.push(Finding::new(
            Code::PortInvalid,
            spec("port"),
            format!("{port} is not a port"),
            format!("use one from 1 to 65535, or leave it out for {DEFAULT_PORT}"),
        ));
    }
}
