//! Durations and moments are readable, and durations are not negative.
//!
//! The original accepts whatever the schema's loose format lets through. A spelling that Go cannot read (`1d`) then
//! stops it from reading any session at all; a negative duration it takes for off, or, for
//! `maxHibernatedDuration`, deletes the session as soon as it is hibernated. `0s` means off and is fine.

use jiff::Timestamp;
use sojourn_crds::amalthea::Culling;
use sojourn_crds::duration::{GoDuration, Span};

use super::{Subject, spec};
use crate::finding::{Code, Finding, seen};
use crate::rules::durations::read;

/// The duration fields of `spec.culling`.
pub(crate) fn fields(culling: &Culling) -> [(&'static str, Option<&GoDuration>); 5] {
    [
        ("maxAge", culling.max_age.as_ref()),
        ("maxIdleDuration", culling.max_idle_duration.as_ref()),
        ("maxStartingDuration", culling.max_starting_duration.as_ref()),
        ("maxFailedDuration", culling.max_failed_duration.as_ref()),
        ("maxHibernatedDuration", culling.max_hibernated_duration.as_ref()),
    ]
}

/// Says which durations and moments are not.
pub(crate) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let Some(culling) = &subject.spec.culling else { return };
    for (field, duration) in fields(culling) {
        let Some(duration) = duration else { continue };
        let path = spec("culling").child(field);
        if read(&path, duration, findings).is_some_and(Span::is_negative) {
            findings.push(Finding::new(
                Code::DurationNegative,
                path,
                format!("{} is negative", seen(&duration.0)),
                "write 0s, or leave it out, for no limit",
            ));
        }
    }
    if let Some(text) = &culling.last_interaction
        && text.parse::<Timestamp>().is_err()
    {
        findings.push(Finding::new(
            Code::TimeInvalid,
            spec("culling").child("lastInteraction"),
            format!("{} is not a moment in RFC 3339", seen(text)),
            "write it like 2026-01-31T08:00:00Z",
        ));
    }
}
