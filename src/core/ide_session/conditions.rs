//! The conditions of a session, and what each says. They tell a person why nothing happens, and what to do.

use super::{
    observed::{Capture, EndpointFacts, Observed, StartFacts, StopFacts},
    reasons::{ConnectedReason, EndpointReason, LogsReason, ReadyReason, StalledReason},
};
use crate::{
    core::conditions::{ConditionType, ConditionUpdate, STALLED, set, set_stalled},
    ide::ConnectionReason,
    reason::{Reason, ReasonRow},
};
use k8s_openapi::jiff::Timestamp;
use sojourn_crds::ide_session::{DesiredState, IdeSessionStatus, State};

/// True while it is known how the IDE of the session is reached.
pub const ENDPOINT_READY: &str = "EndpointReady";
/// True while that IDE is connected.
pub const IDE_CONNECTED: &str = "IDEConnected";
/// True while the IDE has the session.
pub const READY: &str = "Ready";
/// True while what the session wrote can be read.
pub const LOGS_AVAILABLE: &str = "LogsAvailable";

/// The conditions of a session.
pub fn condition_types() -> Vec<ConditionType> {
    let mut connected = ReasonRow::all::<ConnectionReason>();
    connected.extend(ReasonRow::all::<ConnectedReason>());
    vec![
        ConditionType {
            name: READY,
            meaning: "`True` while the IDE has the session.",
            reasons: ReasonRow::all::<ReadyReason>(),
            further: None,
        },
        ConditionType {
            name: ENDPOINT_READY,
            meaning: "`True` while the endpoint of the IDE is known. Absent once the session has ended, and before it is \
                      requested to run.",
            reasons: ReasonRow::all::<EndpointReason>(),
            further: None,
        },
        ConditionType {
            name: IDE_CONNECTED,
            meaning: "`True` while the IDE is connected. Absent once the session has ended, and before it starts.",
            reasons: connected,
            further: None,
        },
        ConditionType {
            name: LOGS_AVAILABLE,
            meaning: "`True` while the output of the session can be read. Absent before the session runs.",
            reasons: ReasonRow::all::<LogsReason>(),
            further: None,
        },
        ConditionType {
            name: STALLED,
            meaning: "`True` on a session that has failed. Absent otherwise.",
            reasons: ReasonRow::all::<StalledReason>(),
            further: None,
        },
    ]
}

/// Says in `status`, which has its new state, what is known beside it. What concerns nobody any more goes.
pub(super) fn say(observed: &Observed, status: &mut IdeSessionStatus, now: Timestamp) {
    let generation = observed.session.metadata.generation;
    let said = [
        (READY, Some(ready(observed, status))),
        (ENDPOINT_READY, endpoint(observed, status.state)),
        (IDE_CONNECTED, connected(observed, status.state)),
        (LOGS_AVAILABLE, logs(observed, status)),
    ];
    for (kind, say) in said {
        match say {
            Some(say) => set(&mut status.conditions, say, generation, now),
            None => status.conditions.retain(|condition| condition.kind != kind),
        }
    }
    let stalled = stalled(status);
    set_stalled(&mut status.conditions, stalled, generation, now);
}

/// A session that failed is never started again.
fn stalled(status: &IdeSessionStatus) -> Option<(&'static str, String)> {
    let message = status.message.clone().unwrap_or_default();
    (status.state == State::Failed).then_some((StalledReason::Failed.as_str(), message))
}

fn say_of<'a>(
    kind: &'a str,
    holds: bool,
    reason: impl Reason,
    message: impl Into<String>,
) -> ConditionUpdate<'a> {
    ConditionUpdate { kind, holds, reason: reason.as_str(), message: message.into() }
}

fn ready<'a>(observed: &Observed, status: &IdeSessionStatus) -> ConditionUpdate<'a> {
    let not_yet = |reason, message: &str| say_of(READY, false, reason, message);
    match status.state {
        State::Initial => unstarted(observed),
        State::Starting if waits_for_ide(observed) => not_yet(
            ReadyReason::WaitingForIDE,
            "The session starts when its IDE is connected; see the condition IDEConnected",
        ),
        State::Starting => not_yet(ReadyReason::Starting, "The IDE is being asked to create the session"),
        State::Running => say_of(READY, true, ReadyReason::Running, "The IDE has accepted the session"),
        State::Stopping => match observed.run.as_ref().map(|run| &run.stop) {
            Some(StopFacts::Failed { message, .. }) => say_of(
                READY,
                false,
                ReadyReason::StopFailed,
                format!("The IDE did not end the session and is asked again: {message}"),
            ),
            _ => not_yet(ReadyReason::Stopping, "The IDE is being asked to end the session"),
        },
        State::Stopped => {
            let code = status.exit_code.map(|code| format!(" with exit code {code}")).unwrap_or_default();
            say_of(READY, false, ReadyReason::Stopped, format!("The session has ended{code}"))
        }
        State::Failed => {
            say_of(READY, false, ReadyReason::Failed, status.message.clone().unwrap_or_default())
        }
    }
}

/// Why a session has not begun.
fn unstarted<'a>(observed: &Observed) -> ConditionUpdate<'a> {
    let (reason, message) = match observed.session.spec.desired().unwrap_or_default() {
        DesiredState::Unset => (
            ReadyReason::NotRequested,
            "The session has not been asked to run; set spec.desiredState to Running to start it",
        ),
        DesiredState::Running => (
            ReadyReason::WaitingForEndpoint,
            "The session starts when it is known how its IDE is reached; see the condition EndpointReady",
        ),
        DesiredState::Stopped => (
            ReadyReason::NeverStarted,
            "The session was stopped before it had begun, and cannot run any more; create another IdeSession",
        ),
    };
    say_of(READY, false, reason, message)
}

fn waits_for_ide(observed: &Observed) -> bool {
    let unsent = observed
        .run
        .as_ref()
        .is_none_or(|run| matches!(run.start, StartFacts::NotAsked | StartFacts::Waiting));
    unsent && !matches!(observed.endpoint, EndpointFacts::Known { connected: true, .. })
}

/// Whether a session in that state has to do with its IDE.
fn needs_ide(observed: &Observed, state: State) -> bool {
    match state {
        State::Initial => observed.wants_start(),
        State::Starting | State::Running | State::Stopping => true,
        State::Stopped | State::Failed => false,
    }
}

fn endpoint<'a>(observed: &Observed, state: State) -> Option<ConditionUpdate<'a>> {
    needs_ide(observed, state).then(|| match &observed.endpoint {
        EndpointFacts::Missing { reason, message } => say_of(ENDPOINT_READY, false, *reason, message),
        EndpointFacts::Known { secret_uid, .. } => {
            let from = match secret_uid {
                Some(_) => "The Secret of the IDE says how it is reached",
                None => "The operator's environment says how the IDE is reached",
            };
            say_of(ENDPOINT_READY, true, EndpointReason::EndpointKnown, from)
        }
    })
}

fn connected<'a>(observed: &Observed, state: State) -> Option<ConditionUpdate<'a>> {
    // Before it has begun, nobody waits for the IDE.
    let concerned = needs_ide(observed, state) && state != State::Initial;
    concerned.then(|| match &observed.endpoint {
        EndpointFacts::Missing { .. } => {
            let message = "It is not known how the IDE is reached; see the condition EndpointReady";
            say_of(IDE_CONNECTED, false, ConnectedReason::EndpointNotReady, message)
        }
        EndpointFacts::Known { connected, reason, message, .. } => {
            ConditionUpdate { kind: IDE_CONNECTED, holds: *connected, reason, message: message.clone() }
        }
    })
}

fn logs<'a>(observed: &Observed, status: &IdeSessionStatus) -> Option<ConditionUpdate<'a>> {
    if matches!(status.state, State::Initial | State::Starting) {
        return None;
    }
    match &observed.capture {
        Capture::Kept(_) => {
            Some(say_of(LOGS_AVAILABLE, true, LogsReason::Captured, "What the session writes can be read"))
        }
        Capture::Unavailable { reason, message } => Some(say_of(LOGS_AVAILABLE, false, *reason, message)),
        Capture::None if status.std_out_file.is_some() => {
            let message = "What the session wrote is not where this operator keeps it; it was lost when the \
                           operator moved, or is with another replica";
            Some(say_of(LOGS_AVAILABLE, false, LogsReason::NotHere, message))
        }
        Capture::None => None,
    }
}
