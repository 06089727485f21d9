//! Durations and moments are readable, and durations are not negative.
//!
//! The original accepts whatever the schema's loose format lets through. A spelling that Go cannot read (`1d`) then
//! stops it from reading any session at all; a negative duration it takes for off, or, for
//! `maxHibernatedDuration`, deletes the session as soon as it is hibernated. `0s` means off and is fine.

use jiff::{SignedDuration, Timestamp};
use sojourn_crds::amalthea::Culling;
use sojourn_crds::duration::{GoDuration, Span};
use sojourn_crds::quantity::Quantity;

use super::{Subject, spec};
use crate::finding::{Code, FieldPath, Finding, seen};
use crate::rules::durations::read;
use crate::rules::pod::quantity;

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

/// How far the clock of a client may be ahead of ours. Kerberos and cloud providers allow as much.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Says which durations and moments are not.
pub(crate) fn check(subject: &Subject<'_>, now: Timestamp, findings: &mut Vec<Finding>) {
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
    if let Some(text) = &culling.last_interaction {
        check_moment(spec("culling").child("lastInteraction"), text, now, findings);
    }
    if let Quantity::Text(text) = &culling.cpu_idle_threshold.0
        && !quantity::is_readable(text)
    {
        findings.push(Finding::new(
            Code::ThresholdInvalid,
            spec("culling").child("cpuIdleThreshold"),
            format!("{} is not a quantity", seen(text)),
            quantity::way_out(text),
        ));
    }
}

fn check_moment(path: FieldPath, text: &str, now: Timestamp, findings: &mut Vec<Finding>) {
    match text.parse::<Timestamp>() {
        Err(_) => findings.push(Finding::new(
            Code::TimeInvalid,
            path,
            format!("{} is not a moment in RFC 3339", seen(text)),
            "write it like 2026-01-31T08:00:00Z",
        )),
        Ok(moment) if moment.duration_since(now) > CLOCK_SKEW => findings.push(Finding::new(
            Code::TimeAhead,
            path,
            format!("{} is in the future; idle time starts there", seen(text)),
            "write the present",
        )),
        Ok(_) => {}
    }
}
