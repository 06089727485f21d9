//! The states of a session, those that can be asked for, and the steps between them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a session does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum State {
    /// Nothing yet.
    #[default]
    #[serde(rename = "")]
    Initial,
    /// The IDE is being asked to create the session.
    Starting,
    /// The IDE has accepted it. There need not be a process yet.
    Running,
    /// The IDE is being asked to end it.
    Stopping,
    /// It has ended.
    Stopped,
    /// It could not start, could not be stopped, or ended badly.
    Failed,
}

impl State {
    /// Every state, in the order of the schema's enum.
    pub const ALL: [State; 6] =
        [State::Initial, State::Starting, State::Running, State::Stopping, State::Stopped, State::Failed];

    /// The state as it stands in the object.
    pub const fn as_str(self) -> &'static str {
        match self {
            State::Initial => "",
            State::Starting => "Starting",
            State::Running => "Running",
            State::Stopping => "Stopping",
            State::Stopped => "Stopped",
            State::Failed => "Failed",
        }
    }

    /// The states that may come next. Each may also stay.
    pub const fn next(self) -> &'static [State] {
        match self {
            State::Initial => &[State::Starting],
            State::Starting => &[State::Running, State::Stopping, State::Stopped, State::Failed],
            State::Running => &[State::Stopping, State::Stopped, State::Failed],
            State::Stopping => &[State::Stopped, State::Failed],
            State::Stopped | State::Failed => &[],
        }
    }

    /// Whether the step is one that a session can take.
    pub fn may_become(self, next: State) -> bool {
        self == next || self.next().contains(&next)
    }

    /// Whether nothing comes after it.
    pub const fn is_terminal(self) -> bool {
        self.next().is_empty()
    }
}

/// What a user can ask of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DesiredState {
    /// Nothing: it does not start, or goes on as it is.
    #[default]
    Unset,
    /// To run.
    Running,
    /// To end, for good.
    Stopped,
}

impl DesiredState {
    /// Every desired state.
    pub const ALL: [DesiredState; 3] = [DesiredState::Unset, DesiredState::Running, DesiredState::Stopped];

    /// The desired state as it stands in the object.
    pub const fn as_str(self) -> &'static str {
        match self {
            DesiredState::Unset => "",
            DesiredState::Running => "Running",
            DesiredState::Stopped => "Stopped",
        }
    }

    /// The desired state that `text` stands for.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|desired| desired.as_str() == text)
    }

    /// Whether `next` may be asked for after this: `Stopped` is final.
    pub fn may_become(self, next: DesiredState) -> bool {
        self != DesiredState::Stopped || next == DesiredState::Stopped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// All 36 pairs: a row for each state, a column for each next one, in the order of `State::ALL`.
    #[rstest]
    #[case(State::Initial, [1, 1, 0, 0, 0, 0])]
    #[case(State::Starting, [0, 1, 1, 1, 1, 1])]
    #[case(State::Running, [0, 0, 1, 1, 1, 1])]
    #[case(State::Stopping, [0, 0, 0, 1, 1, 1])]
    #[case(State::Stopped, [0, 0, 0, 0, 1, 0])]
    #[case(State::Failed, [0, 0, 0, 0, 0, 1])]
    fn steps(#[case] from: State, #[case] allowed: [u8; 6]) {
        let steps = State::ALL.map(|to| u8::from(from.may_become(to)));
        assert_eq!(steps, allowed, "from {from:?}");
    }

    #[test]
    fn only_stopped_and_failed_are_the_end() {
        let ends: Vec<_> = State::ALL.into_iter().filter(|state| state.is_terminal()).collect();
        assert_eq!(ends, [State::Stopped, State::Failed]);
    }

    #[test]
    fn states_stand_in_objects_as_they_are_called() {
        for state in State::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
            assert_eq!(serde_json::from_value::<State>(state.as_str().into()).unwrap(), state);
        }
    }

    #[rstest]
    #[case("", Some(DesiredState::Unset))]
    #[case("Running", Some(DesiredState::Running))]
    #[case("Stopped", Some(DesiredState::Stopped))]
    #[case("Starting", None)]
    #[case("Stopping", None)]
    #[case("Failed", None)]
    #[case("running", None)]
    #[case("nonsense", None)]
    fn what_can_be_asked_for(#[case] text: &str, #[case] desired: Option<DesiredState>) {
        assert_eq!(DesiredState::parse(text), desired);
    }

    #[test]
    fn only_stopped_is_final() {
        for from in DesiredState::ALL {
            for to in DesiredState::ALL {
                let refused = from == DesiredState::Stopped && to != DesiredState::Stopped;
                assert_eq!(from.may_become(to), !refused, "{from:?} to {to:?}");
            }
        }
    }
}
