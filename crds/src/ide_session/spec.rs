//! The `spec` of an `IdeSession`.
//!
//! Field names and the texts of refusals are those of the original; its clients look for them.

use super::state::DesiredState;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The most characters that `launchConfigurations` may have: as many as Kubernetes allows in all annotations
/// together, since the original's other kinds carry the same text in one.
pub const LONGEST_LAUNCH_CONFIGURATIONS: usize = 262_144;

/// What is said when `launchConfigurations` was changed.
pub const LAUNCH_CONFIGURATIONS_CHANGED: &str =
    "launchConfigurations cannot be changed after the IdeSession is created.";
/// What is said when a session that was stopped is asked for anything else.
pub const DESIRED_STATE_FINAL: &str = "desiredState cannot be changed once it is set to Stopped.";
/// What is said of a desired state that is none.
pub const DESIRED_STATE_UNKNOWN: &str = "desiredState must be empty, Running, or Stopped.";

/// What a session is asked to be.
///
/// `launchConfigurations` is required, but not by the schema: its absence is the webhook's to name, in the words that
/// clients of the original look for. The rule that `Stopped` is final stands here and not on the field, since a field
/// that was removed is not judged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(description = "What a session is asked to be.", extend("x-kubernetes-validations" = [
    {
        "rule": "self.launchConfigurations == oldSelf.launchConfigurations",
        "message": LAUNCH_CONFIGURATIONS_CHANGED,
        "reason": "FieldValueForbidden",
        "fieldPath": ".launchConfigurations",
    },
    {
        "rule": "!has(oldSelf.desiredState) || oldSelf.desiredState != 'Stopped' || (has(self.desiredState) && self.desiredState == 'Stopped')",
        "message": DESIRED_STATE_FINAL,
        "messageExpression": format!("'{DESIRED_STATE_FINAL} It is Stopped; asked for is ' + (has(self.desiredState) && self.desiredState != '' ? '\"' + self.desiredState + '\"' : 'nothing') + '; only Stopped is allowed. To run it again, create another IdeSession.'"),
        "reason": "FieldValueForbidden",
        "fieldPath": ".desiredState",
    },
]))]
pub struct IdeSessionSpec {
    /// A JSON array of launch configurations, as text. The IDE gets it as it is. Required; cannot be changed.
    #[schemars(extend("maxLength" = LONGEST_LAUNCH_CONFIGURATIONS))]
    pub launch_configurations: String,
    /// What the session shall do: nothing yet (empty), `Running` or `Stopped`. `Stopped` is final.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "self == '' || self == 'Running' || self == 'Stopped'",
        "message": DESIRED_STATE_UNKNOWN,
        "messageExpression": format!("'{DESIRED_STATE_UNKNOWN} It is \"' + self + '\".'"),
    }]))]
    pub desired_state: String,
}

impl IdeSessionSpec {
    /// What the session shall do; `None` for a text that says none of it.
    pub fn desired(&self) -> Option<DesiredState> {
        DesiredState::parse(&self.desired_state)
    }
}
