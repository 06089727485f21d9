//! Timeouts are durations above zero that go together.
//!
//! agentserver takes whatever it is given: a negative idle time stops every notebook, a negative ready timeout fails
//! every start. Zero means its default there; here a field that is left out does, so that a zero is never taken for
//! what it says. What merely decides nothing is only warned about.

use jiff::Timestamp;
use sojourn_crds::duration::{GoDuration, Span};
use sojourn_crds::notebook::Notebook;

use super::spec;
use crate::finding::{Code, FieldPath, Finding, seen};
use crate::rules::durations::read;

/// The shortest idle time: less than the time in which an activity is written down would stop notebooks in use.
const SHORTEST_IDLE: Span = Span::seconds(1);

/// Says which timeouts are none, and which contradict each other.
pub(crate) fn check(notebook: &Notebook, findings: &mut Vec<Finding>) {
    let spec_of = &notebook.spec;
    let idle = spec_of.idle.as_ref();
    let ttl_path = spec("idle").child("ttl");
    let interval_path = spec("idle").child("probeInterval");
    let lifetime_path = spec("maxLifetime");
    let ready = positive(&spec("readyTimeout"), spec_of.ready_timeout.as_ref(), findings);
    let ttl = positive(&ttl_path, idle.and_then(|idle| idle.ttl.as_ref()), findings);
    let interval = positive(&interval_path, idle.and_then(|idle| idle.probe_interval.as_ref()), findings);
    let lifetime = positive(&lifetime_path, spec_of.max_lifetime.as_ref(), findings);

    if let Some(ttl) = ttl.filter(|ttl| *ttl < SHORTEST_IDLE) {
        let message = format!("{ttl} is shorter than {SHORTEST_IDLE}, and would stop a notebook in use");
        let hint = "give it 1s or more";
        findings.push(Finding::new(Code::IdleTooShort, ttl_path, message, hint));
        return;
    }
    let mut found = |code, path: &FieldPath, message: String, hint: &str| {
        findings.push(Finding::new(code, path.clone(), message, hint));
    };
    if let (Some(ttl), Some(lifetime)) = (ttl, lifetime)
        && ttl >= lifetime
    {
        let message = format!("{ttl} is not shorter than maxLifetime {lifetime}");
        found(Code::IdleOutlivesLifetime, &ttl_path, message, "maxLifetime always decides first");
    }
    if let (Some(ttl), Some(ready)) = (ttl, ready)
        && ttl <= ready
    {
        let message = format!("{ttl} is not longer than readyTimeout {ready}");
        found(Code::IdleBeforeReady, &ttl_path, message, "a slow start counts as idle");
    }
    if let (Some(lifetime), Some(ready)) = (lifetime, ready)
        && lifetime <= ready
    {
        let message = format!("{lifetime} is not longer than readyTimeout {ready}");
        found(Code::LifetimeBeforeReady, &lifetime_path, message, "a slow start is cut short");
    }
    if let (Some(interval), Some(ttl)) = (interval, ttl)
        && interval >= ttl
    {
        let message = format!("{interval} is not shorter than idle.ttl {ttl}");
        found(Code::ProbeRarerThanIdle, &interval_path, message, "only the last probe decides");
    }
}

/// The duration at `path`, if it is one above zero.
fn positive(path: &FieldPath, duration: Option<&GoDuration>, findings: &mut Vec<Finding>) -> Option<Span> {
    let duration = duration?;
    let span = read(path, duration, findings)?;
    if span > Span::default() {
        return Some(span);
    }
    findings.push(Finding::new(
        Code::DurationNotPositive,
        path.clone(),
        format!("{} is not longer than zero", seen(&duration.0)),
        "write for example 30m, or leave it out for the default",
    ));
    None
}

/// Says when a shorter lifetime ends a run at once.
pub(crate) fn check_change(old: &Notebook, new: &Notebook, now: Timestamp, findings: &mut Vec<Finding>) {
    let lifetime = |notebook: &Notebook| notebook.spec.max_lifetime.as_ref().and_then(GoDuration::positive);
    let (was, is) = (lifetime(old), lifetime(new));
    let Some(is) = is.filter(|is| was.is_none_or(|was| *is < was)) else { return };
    let status = old.status.as_ref();
    // The moment of the start stays when the run is over.
    let began = status.filter(|status| status.last_activity.is_some()).and_then(|s| s.started_at.as_ref());
    let Some(ran) = began.map(|began| now.as_second().saturating_sub(began.0.as_second())) else { return };
    if ran >= is.seconds_ceil() {
        let ran = Span::seconds(ran);
        let message = format!("lowered to {is}: the notebook has run for {ran} and is stopped at once");
        findings.push(Finding::new(Code::LifetimeLowered, spec("maxLifetime"), message, ""));
    }
}
