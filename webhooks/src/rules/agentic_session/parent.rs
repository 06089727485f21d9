//! The parent: the session that another one continues.
//!
//! An annotation or else a variable names the parent; the backend of the original writes both. When an ended session is
//! started again, the backend writes the name of the session itself into the annotation. So a session that continues
//! itself is wrong only at its creation. The original uses the volume of the parent, or the volume of the session
//! itself when the parent has none.

use sojourn_crds::ambient::names::{PARENT_SESSION, PARENT_SESSION_VARIABLE};
use sojourn_crds::dns;

use super::{Subject, annotation, spec};
use crate::finding::{Code, Finding, seen};

/// Reports what is wrong with the parent.
pub(crate) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let by_annotation = subject.session.annotation(PARENT_SESSION).map(str::trim);
    let by_variable = subject.spec().environment_variables.get(PARENT_SESSION_VARIABLE).map(|v| v.trim());
    let by_annotation = by_annotation.filter(|parent| !parent.is_empty());
    let by_variable = by_variable.filter(|parent| !parent.is_empty());
    let variable = || spec("environmentVariables").key(PARENT_SESSION_VARIABLE);
    let Some((parent, path)) = by_annotation
        .map(|parent| (parent, annotation(PARENT_SESSION)))
        .or_else(|| by_variable.map(|parent| (parent, variable())))
    else {
        return;
    };
    if !dns::is_subdomain(parent) {
        findings.push(Finding::new(
            Code::ParentInvalid,
            path,
            format!("no session is named {}", seen(parent)),
            "",
        ));
        return;
    }
    if subject.old.is_some() {
        return;
    }
    if parent == subject.session.name() {
        findings.push(Finding::new(
            Code::ParentIsItself,
            path,
            "a new session cannot continue itself",
            "leave it out",
        ));
    }
    if let (Some(decides), Some(other)) = (by_annotation, by_variable)
        && decides != other
    {
        findings.push(Finding::new(
            Code::ParentUnclear,
            variable(),
            "is not the parent that the annotation names",
            "the annotation decides",
        ));
    }
}
