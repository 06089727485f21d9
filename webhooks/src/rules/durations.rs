//! Durations can be parsed by Go.

use sojourn_crds::duration::{GoDuration, Span};

use crate::finding::{Code, FieldPath, Finding, seen};

/// The duration at `path`. An unreadable one is a finding.
pub(crate) fn read(path: &FieldPath, duration: &GoDuration, findings: &mut Vec<Finding>) -> Option<Span> {
    let error = match duration.parse() {
        Ok(span) => return Some(span),
        Err(error) => error,
    };
    findings.push(Finding::new(
        Code::DurationInvalid,
        path.clone(),
        format!("{} is not a duration: {error}", seen(&duration.0)),
        match error.suggestion {
            Some(spelling) => format!("write {spelling}"),
            None => "write hours, minutes and seconds, for example 1h30m".to_owned(),
        },
    ));
    None
}
