//! The name of a session is valid in the names of its Services.
//!
//! The Service of the runner is `session-<name>`, and the Service of the files of an ended session is
//! `ambient-content-<name>`. Both are DNS labels of at most 63 characters. The original fails only after the pod
//! exists, and the session runs without being reachable. The names that the backend of the platform generates have 44
//! characters.

use sojourn_crds::ambient::names::{content_service, service};
use sojourn_crds::dns;

use super::Subject;
use crate::finding::{Code, Finding, seen};
use crate::rules::object_name;

const LABEL: usize = 63;

/// Reports why the name cannot be used.
pub(crate) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let Some((name, path)) = object_name::of(&subject.session.metadata) else { return };
    let length = name.len();
    let fits = |service: fn(&str) -> String| LABEL - service("").len();
    if length > fits(service) {
        findings.push(Finding::new(
            Code::NameTooLong,
            path,
            format!(
                "{} has {length} characters; at most {} fit, since its Service is named session-<name>",
                seen(&name),
                fits(service)
            ),
            "choose a shorter name",
        ));
    } else if !dns::is_label(&name) {
        findings.push(Finding::new(
            Code::NameInvalid,
            path,
            format!("{} cannot stand in the name of a Service: only a-z, 0-9 and '-'", seen(&name)),
            "choose another name",
        ));
    } else if length > fits(content_service) {
        findings.push(Finding::new(
            Code::ContentUnreachable,
            path,
            format!(
                "more than {} characters leave no room for ambient-content-<name>",
                fits(content_service)
            ),
            "",
        ));
    }
}
