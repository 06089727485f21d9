//! What a kind with children says of itself to the machinery that all of them share.

use super::{Applied, Observed, Plan, Report, Urgency};
use crate::core::{
    event::EventRecord,
    object::{CachedObject, Kind},
};
use k8s_openapi::jiff::Timestamp;
use kube::Resource;
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;

/// A kind of session whose objects have children, and its decisions.
pub trait WorkloadKind:
    Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// Label and value by which the children of all sessions of the kind are watched.
    const SELECTOR: (&'static str, &'static str);
    /// Label of a child that holds the name of its session.
    const NAME_LABEL: &'static str;
    /// The kinds of children, in the order in which they are created: what a workload mounts comes before it.
    const CHILDREN: &'static [Kind];
    /// The kinds whose pods are those of the session. [`Kind::Pod`] stands for pods that the session owns itself.
    const WORKLOADS: &'static [Kind];
    /// The settings of the installation for this kind.
    type Settings: Clone + Send + Sync + 'static;
    /// What is measured of a session beside what the watches tell.
    type Measurements: Clone + Debug + Default + Send + Sync;
    /// What is read of all sessions at once, by metrics for example.
    type Summary: Send + Sync;
    /// A session that was read and validated.
    type Checked<'a>: Send + Sync;
    /// The status as the API has it.
    type Status: Serialize + PartialEq + Debug + Send + Sync;

    /// Reads and validates a session. Never fails: what cannot be worked with is part of the result.
    fn validate<'a>(session: &'a Self, context: &PlanContext<'_, Self::Settings>) -> Self::Checked<'a>;

    /// What to write and delete, so that the session is as its spec says.
    fn plan(
        checked: &Self::Checked<'_>,
        observed: &Observed<Self>,
        context: &PlanContext<'_, Self::Settings>,
    ) -> Plan;

    /// What to report after `plan` was applied.
    fn status(
        checked: &Self::Checked<'_>,
        observed: &Observed<Self>,
        plan: &Plan,
        applied: &Applied,
        context: &PlanContext<'_, Self::Settings>,
    ) -> Report<Self::Status>;

    /// The status that is on record.
    fn recorded(&self) -> Option<&Self::Status>;

    /// Whether a status holds the result of a session that has ended: its Job may go then.
    fn has_result(status: &Self::Status) -> bool;

    /// How soon the status `new` of the session has to be written.
    fn urgency(&self, new: &Self::Status) -> Urgency;

    /// The measurements that are about the run of `pod`, of all that were taken.
    fn current(measurements: &Self::Measurements, pod: Option<&CachedObject>) -> Self::Measurements;

    /// What is read of all sessions at once.
    fn summary(&self) -> Self::Summary;

    /// The address at which the session is reached from outside: host and path. `None` for sessions and kinds without one.
    fn route(&self) -> Option<String> {
        None
    }

    /// Names of the secrets that the session refers to. Those that another session refers to are not deleted.
    fn secrets(&self) -> Vec<String>;

    /// What to report of a secret that the session adopted and that is not deleted with it, because the secret belongs
    /// to another object; `None` when it may be deleted.
    fn keep_secret(&self, secret: &CachedObject) -> Option<EventRecord>;

    /// UID of the session; empty before it is created.
    fn uid(&self) -> &str {
        self.meta().uid.as_deref().unwrap_or_default()
    }

    /// Name of the session.
    fn name(&self) -> &str {
        self.meta().name.as_deref().unwrap_or_default()
    }

    /// Namespace of the session.
    fn namespace(&self) -> &str {
        self.meta().namespace.as_deref().unwrap_or_default()
    }
}

/// What a decision may know beside what was observed. It has no `Debug`: the entropy becomes secrets.
#[derive(Clone)]
pub struct PlanContext<'a, S> {
    /// The moment that the decision is made for.
    pub now: Timestamp,
    /// Random bytes for a secret, should one have to be made.
    pub entropy: [u8; 32],
    /// The settings of the installation.
    pub settings: &'a S,
}
