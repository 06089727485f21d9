//! Annotations request a phase of a session: one that can be requested, and one at a time.
//!
//! Every phase can be requested in every phase. A start of a running session and a stop of an ended one have no effect,
//! and a start of a stopping one waits. The original reads only `desired-phase`, and ignores unknown values. Its
//! backend also writes times and a reason, and these stay after a request is served. So only annotations that the same
//! write adds can contradict each other.

use sojourn_crds::ambient::names::{
    DESIRED_PHASE, FORCE_EXECUTE_PROMPT, RUNNING, START_REQUESTED_AT, STOP_REASON, STOP_REASONS,
    STOP_REQUESTED_AT, STOPPED, TEMP_CONTENT_REQUESTED,
};

use super::{Subject, annotation};
use crate::finding::{Code, Finding, seen};

/// Reports what is wrong with the request.
pub(crate) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    check_phase(subject, findings);
    check_contradiction(subject, findings);
    if let Some(reason) = subject.session.annotation(STOP_REASON).filter(|one| !STOP_REASONS.contains(one)) {
        findings.push(Finding::new(
            Code::StopReasonUnknown,
            annotation(STOP_REASON),
            format!("{} is reported as user", seen(reason)),
            "",
        ));
    }
    for key in [FORCE_EXECUTE_PROMPT, TEMP_CONTENT_REQUESTED] {
        if let Some(value) =
            subject.session.annotation(key).filter(|value| !["true", "false"].contains(value))
        {
            findings.push(Finding::new(
                Code::AnnotationNotTrue,
                annotation(key),
                format!("{} does nothing", seen(value)),
                "only true counts",
            ));
        }
    }
}

fn check_phase(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let Some(asked) = subject.session.annotation(DESIRED_PHASE) else { return };
    if asked == RUNNING || asked == STOPPED {
        return;
    }
    let phase = subject.session.status.as_ref().map_or("new", |status| status.phase.as_str());
    let meant = match asked.trim().to_lowercase().as_str() {
        "run" | "running" | "start" | "started" => "write Running",
        "stop" | "stopped" | "stopping" => "write Stopped",
        _ => "write Running to start it, Stopped to stop it, or take the annotation off",
    };
    findings.push(Finding::new(
        Code::DesiredPhaseUnknown,
        annotation(DESIRED_PHASE),
        format!(
            "the session is {phase} and cannot be asked for {}, only for Running or Stopped",
            seen(asked)
        ),
        meant,
    ));
}

/// The requests that a write adds, beside the phase that stays requested.
fn check_contradiction(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let Some(old) = subject.old else { return };
    let anew = |key: &'static str| {
        let value = subject.session.annotation(key);
        (value.is_some() && value != old.annotation(key)).then_some(key)
    };
    let start = anew(START_REQUESTED_AT);
    let stop = anew(STOP_REQUESTED_AT).or(anew(STOP_REASON));
    let contrary = match (subject.session.annotation(DESIRED_PHASE), start, stop) {
        (Some(RUNNING), _, Some(stop)) => Some((stop, RUNNING)),
        (Some(STOPPED), Some(start), _) => Some((start, STOPPED)),
        (None, Some(start), Some(stop)) => Some((start, stop)),
        (None, Some(key), None) | (None, None, Some(key)) => {
            findings.push(Finding::new(
                Code::RequestWithoutPhase,
                annotation(key),
                "does nothing by itself",
                "set ambient-code.io/desired-phase",
            ));
            None
        }
        _ => None,
    };
    if let Some((key, other)) = contrary {
        findings.push(Finding::new(
            Code::StartAndStop,
            annotation(key),
            format!("contradicts {other}: one write cannot ask a session to start and to stop"),
            format!("set {DESIRED_PHASE} to Running or to Stopped, and leave the other out"),
        ));
    }
}
