//! Conditions by the Kubernetes API conventions: `lastTransitionTime` moves only when `status` does.

use crate::reason::ReasonRow;
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use sojourn_crds::{condition::Condition, text::on_its_lines};

/// True on an object that failed for good: nothing changes before somebody changes the object. Absent otherwise. The
/// name is that of the kstatus convention, by which Helm and Flux stop waiting.
pub const STALLED: &str = "Stalled";

/// A type of condition of a kind, for documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionType {
    /// The type.
    pub name: &'static str,
    /// What each status means.
    pub meaning: &'static str,
    /// The reasons of the operator.
    pub reasons: Vec<ReasonRow>,
    /// The source of reasons that the operator passes on, if there is one.
    pub further: Option<&'static str>,
}

impl ConditionType {
    /// Whether the condition may have that reason.
    pub fn has(&self, reason: &str) -> bool {
        self.further.is_some() || self.reasons.iter().any(|row| row.name == reason)
    }
}

/// A condition as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionUpdate<'a> {
    /// Type of the condition.
    pub kind: &'a str,
    /// Whether it holds.
    pub holds: bool,
    /// Why, in one word.
    pub reason: &'a str,
    /// Why, for people.
    pub message: String,
}

/// The condition of that type.
pub fn find<'a>(conditions: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.kind == kind)
}

/// Whether the condition of that type is there and holds.
pub fn holds(conditions: &[Condition], kind: &str) -> bool {
    find(conditions, kind).is_some_and(|condition| condition.status == "True")
}

/// Says it, whoever wrote the message; keeps the time of the last transition unless `status` moves.
pub fn set(
    conditions: &mut Vec<Condition>,
    update: ConditionUpdate<'_>,
    generation: Option<i64>,
    now: Timestamp,
) {
    let status = if update.holds { "True" } else { "False" };
    let message = on_its_lines(&update.message).into_owned();
    let new = |since: Time| Condition {
        kind: update.kind.to_owned(),
        status: status.to_owned(),
        last_transition_time: Some(since),
        reason: Some(update.reason.to_owned()),
        message: Some(message.clone()),
        observed_generation: generation,
    };
    match conditions.iter_mut().find(|condition| condition.kind == update.kind) {
        Some(condition) => {
            let since = condition.last_transition_time.clone().filter(|_| condition.status == status);
            *condition = new(since.unwrap_or_else(|| whole_seconds(now)));
        }
        None => conditions.push(new(whole_seconds(now))),
    }
}

/// Sets [`STALLED`] to a reason and a message, or removes it.
pub fn set_stalled(
    conditions: &mut Vec<Condition>,
    stalled: Option<(&str, String)>,
    generation: Option<i64>,
    now: Timestamp,
) {
    match stalled {
        Some((reason, message)) => {
            let update = ConditionUpdate { kind: STALLED, holds: true, reason, message };
            set(conditions, update, generation, now);
        }
        None => conditions.retain(|condition| condition.kind != STALLED),
    }
}

/// A time as the API holds it: in whole seconds.
pub fn whole_seconds(at: Timestamp) -> Time {
    Time(Timestamp::from_second(at.as_second()).unwrap_or(at))
}

/// Fails unless each condition is of one of these types, with a reason that the type documents.
#[cfg(test)]
pub fn assert_documented(conditions: &[Condition], types: &[ConditionType]) {
    for condition in conditions {
        let known = types.iter().find(|known| known.name == condition.kind);
        let reason = condition.reason.as_deref().unwrap_or_default();
        assert!(
            known.is_some_and(|known| known.has(reason)),
            "{} {reason} is not documented",
            condition.kind
        );
    }
}
