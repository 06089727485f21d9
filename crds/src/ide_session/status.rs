//! The `status` of an `IdeSession`: what was last seen.

use super::state::State;
use crate::condition::{Condition, DateTime};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was last seen of a session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct IdeSessionStatus {
    /// The state in one word; empty before the first start.
    pub state: State,
    /// Why the session failed, or the IDE's latest error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The IDE's name for the session.
    #[serde(rename = "sessionID", skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// The process that is debugged; absent once the session has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<i64>,
    /// When the IDE had answered the request to start.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<DateTime>")]
    pub startup_timestamp: Option<MicroTime>,
    /// When the end, or the failure to start or to stop, was first seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<DateTime>")]
    pub finish_timestamp: Option<MicroTime>,
    /// With what the process ended; absent when that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Where the operator keeps what the process wrote to its standard output. Never read back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub std_out_file: Option<String>,
    /// Where the operator keeps what the process wrote to its standard error. Never read back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub std_err_file: Option<String>,
    /// When the request to start was about to be sent. With no `sessionID`, its outcome is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<DateTime>")]
    pub start_attempt_time: Option<MicroTime>,
    /// The IDE that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Endpoint>,
    /// The generation of the spec that this was found for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// What is known beside the state, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<Condition>>", extend(
        "x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["type"],
    ))]
    pub conditions: Vec<Condition>,
}

/// An IDE, and who the operator is to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Endpoint {
    /// The UID of the Secret that says how the IDE is reached; absent for the operator's own environment.
    #[serde(rename = "secretUID", skip_serializing_if = "Option::is_none")]
    pub secret_uid: Option<String>,
    /// The identity that the operator shows to the IDE.
    #[serde(rename = "instanceID", skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn moments_have_six_digits_and_null_is_absence() {
        let seen =
            json!({"state": "", "startupTimestamp": "2026-05-27T17:03:48.1234567Z", "finishTimestamp": null});
        let status: IdeSessionStatus = serde_json::from_value(seen).unwrap();
        assert_eq!(
            serde_json::to_value(&status).unwrap(),
            json!({"state": "", "startupTimestamp": "2026-05-27T17:03:48.123456Z"})
        );
    }
}
