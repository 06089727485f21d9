//! The timeouts of one session are consistent among themselves.
//!
//! The original judges none of this. It runs what is only warned about here, and a session that `StartingTooShort`
//! refuses it hibernates in every run before the session could be ready.

use jiff::Timestamp;
use sojourn_crds::amalthea::{Culling, OnDeadline, ProbeType, State, lifetime};
use sojourn_crds::duration::{GoDuration, Span};

use super::{Subject, spec};
use crate::finding::{Code, Finding};

/// The earliest moment at which a readiness probe has succeeded often enough: ten seconds of delay, then five
/// probes five seconds apart.
const FIRST_READY: Span = Span::seconds(30);

/// Says which timeouts contradict each other.
pub(crate) fn check(subject: &Subject<'_>, now: Timestamp, findings: &mut Vec<Finding>) {
    if subject.is_batch() {
        check_batch(subject, findings);
        check_change_of_age(subject, now, findings);
    } else if let Some(culling) = &subject.spec.culling {
        check_interactive(subject, culling, findings);
    }
}

fn positive(duration: &Option<GoDuration>) -> Option<Span> {
    duration.as_ref().and_then(GoDuration::positive)
}

fn check_interactive(subject: &Subject<'_>, culling: &Culling, findings: &mut Vec<Finding>) {
    let at = |field| spec("culling").child(field);
    let age = positive(&culling.max_age);
    let idle = positive(&culling.max_idle_duration);
    let starting = positive(&culling.max_starting_duration);
    let probed = subject.spec.session.readiness_probe.kind != ProbeType::None;
    let mut found = |code, field, message: String, hint: &str| {
        findings.push(Finding::new(code, at(field), message, hint));
    };

    if let (Some(idle), Some(age)) = (idle, age)
        && idle >= age
    {
        let message = format!("{idle} is not shorter than maxAge {age}");
        found(Code::IdleOutlivesAge, "maxIdleDuration", message, "age always decides first");
    }
    if let (Some(starting), Some(age)) = (starting, age)
        && starting >= age
    {
        let message = format!("{starting} is not shorter than maxAge {age}");
        found(Code::StartingOutlivesAge, "maxStartingDuration", message, "age always decides first");
    }
    if let Some(starting) = starting.filter(|starting| probed && *starting < FIRST_READY) {
        found(
            Code::StartingTooShort,
            "maxStartingDuration",
            format!("{starting} ends before the readiness probe can succeed, which takes {FIRST_READY}"),
            "give it longer, or set session.readinessProbe.type to none",
        );
    }
    if let Some(age) = age.filter(|age| probed && *age < FIRST_READY) {
        let message = format!("{age} ends before the readiness probe can succeed ({FIRST_READY})");
        found(Code::AgeBeforeReady, "maxAge", message, "");
    }
    if idle.is_some() && culling.cpu_idle_threshold.0.nanos().is_some_and(|nanos| nanos <= 0) {
        let message = "nothing uses less CPU than zero, so the session is never idle".to_owned();
        found(Code::IdleNeverSeen, "cpuIdleThreshold", message, "");
    }
}

fn check_batch(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    if let Some(culling) = &subject.spec.culling {
        let ignored = [
            ("maxIdleDuration", &culling.max_idle_duration),
            ("maxStartingDuration", &culling.max_starting_duration),
            ("maxFailedDuration", &culling.max_failed_duration),
        ];
        for (field, _) in ignored.iter().filter(|(_, duration)| positive(duration).is_some()) {
            findings.push(Finding::new(
                Code::CullingIgnored,
                spec("culling").child(field),
                "does nothing in a NonInteractive session",
                "maxAge limits its run",
            ));
        }
    }
    let kept = subject.spec.culling.as_ref().and_then(|culling| positive(&culling.max_hibernated_duration));
    if kept.is_none() {
        findings.push(Finding::new(
            Code::ResultKept,
            spec("culling").child("maxHibernatedDuration"),
            "not set: the session is kept after its end",
            "set it to have it deleted",
        ));
    }
    if subject.spec.session.readiness_probe.kind != ProbeType::None {
        findings.push(Finding::new(
            Code::BatchProbe,
            spec("session").child("readinessProbe").child("type"),
            "a program that opens no port never shows as Running",
            "use none for such",
        ));
    }
    if subject.spec.authentication.as_ref().is_some_and(|auth| auth.enabled) {
        findings.push(Finding::new(
            Code::AuthenticationIgnored,
            spec("authentication"),
            "does nothing in a NonInteractive session, which has no proxy",
            "",
        ));
    }
}

/// Raising or removing `maxAge` is always possible: a live Job's deadline can be raised. Lowering it is possible too,
/// and may end the run, so the requester is told.
fn check_change_of_age(subject: &Subject<'_>, now: Timestamp, findings: &mut Vec<Finding>) {
    let (Some(old), Some(old_spec)) = (subject.old, subject.old_spec()) else { return };
    let seconds = |spec| lifetime::job_deadline_seconds(spec, OnDeadline::Fail);
    let (was, is) = (seconds(old_spec), seconds(subject.spec));
    let status = old.status.as_ref();
    let ended = status.is_some_and(|status| matches!(status.state, State::Succeeded | State::Failed));
    let started = status.is_some_and(|status| status.run_id.is_some() || status.state != State::NotReady);
    if was == is || !started {
        return;
    }
    let path = spec("culling").child("maxAge");
    let text = |seconds: Option<i64>| seconds.map_or("no limit".to_owned(), |s| Span::seconds(s).to_string());
    if ended {
        let message =
            format!("the run has ended; changing {} to {} starts nothing again", text(was), text(is));
        findings.push(Finding::new(Code::AgeAfterEnd, path, message, ""));
    } else if let Some(lower) = is.filter(|is| was.is_none_or(|was| *is < was)) {
        let limit = Span::seconds(lower);
        let ran = status.and_then(|status| run_seconds(status.run_id.as_deref()?, now));
        let outcome = match ran {
            None => format!("a run of {limit} or more ends at once"),
            Some(ran) if ran >= lower => {
                format!("the run has lasted {} and ends at once", Span::seconds(ran))
            }
            Some(ran) => format!(
                "the run has lasted {} and ends in {}",
                Span::seconds(ran),
                Span::seconds(lower - ran)
            ),
        };
        let message = format!("lowered from {} to {limit}: {outcome}", text(was));
        findings.push(Finding::new(Code::AgeLowered, path, message, ""));
    }
}

/// How long the current run has lasted. Its ID is a ULID, which begins with the moment at which it was made; that of a
/// clock that is ahead of ours counts as now.
fn run_seconds(run_id: &str, now: Timestamp) -> Option<i64> {
    let began = i64::try_from(ulid::Ulid::from_string(run_id).ok()?.timestamp_ms()).ok()?;
    Some((now.as_millisecond().saturating_sub(began) / 1000).max(0))
}
