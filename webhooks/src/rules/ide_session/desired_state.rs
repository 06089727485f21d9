//! The desired state is one of those that a user can request, and `Stopped` is final.
//!
//! Transitions without an effect are allowed, as in the original, but with a warning.

use sojourn_crds::ide_session::{
    DESIRED_STATE_FINAL, DESIRED_STATE_UNKNOWN, DesiredState, IdeSession, State,
};

use super::spec;
use crate::finding::{Code, Finding, seen};
use crate::kind::Change;

/// Reports what is wrong with the desired state, and with the transition to it.
pub(crate) fn check(change: &Change<'_, IdeSession>, findings: &mut Vec<Finding>) {
    let session = change.object;
    let asked = session.spec.desired_state.as_str();
    let before = change.old.and_then(|old| old.spec.desired());
    let mut found = |code, message: &str, hint: String| {
        findings.push(Finding::new(code, spec("desiredState"), message, hint));
    };
    if before == Some(DesiredState::Stopped) && asked != DesiredState::Stopped.as_str() {
        let asked = if asked.is_empty() { "nothing".to_owned() } else { seen(asked) };
        let hint = format!(
            "It is Stopped; asked for is {asked}; only Stopped is allowed. To run it again, create another IdeSession."
        );
        found(Code::DesiredStateFinal, DESIRED_STATE_FINAL, hint);
    }
    match session.spec.desired() {
        None => {
            let hint = format!("It is {}.", seen(asked));
            found(Code::DesiredStateUnknown, DESIRED_STATE_UNKNOWN, hint);
        }
        Some(DesiredState::Stopped) if session.state() == State::Initial => found(
            Code::StoppedBeforeStart,
            "Stopped before it ever ran, so it can never start",
            "leave it out, or set Running".to_owned(),
        ),
        Some(DesiredState::Unset)
            if before == Some(DesiredState::Running)
                && matches!(session.state(), State::Starting | State::Running) =>
        {
            found(
                Code::DesiredStateIgnored,
                "taking Running back does nothing, the session goes on",
                "set Stopped to end it".to_owned(),
            );
        }
        Some(_) => {}
    }
}
