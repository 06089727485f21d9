//! The table of webhooks. Router, webhook configurations and access rights all come from it: a rule is one function
//! and one row.

use sojourn_crds::amalthea::{self, AmaltheaSession};

use crate::kind::{self, Read};
use crate::owners;
use crate::request::Operation;
use crate::rules::job::SessionJob;

/// What a row does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Says what is wrong.
    Validate,
    /// Says what to add.
    Mutate,
}

/// What happens to a request when the webhook cannot answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailurePolicy {
    /// It is refused.
    Fail,
    /// It goes on without us.
    Ignore,
}

impl FailurePolicy {
    /// As the API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            FailurePolicy::Fail => "Fail",
            FailurePolicy::Ignore => "Ignore",
        }
    }
}

/// A condition in CEL that keeps requests away from a webhook.
#[derive(Debug, Clone, Copy)]
pub struct Condition {
    /// Its name.
    pub name: &'static str,
    /// The expression; the webhook is called when it is true.
    pub expression: fn() -> String,
}

/// One webhook.
pub struct Row {
    /// Name in the configuration, unique and stable.
    pub name: &'static str,
    /// Path of the URL.
    pub path: &'static str,
    /// API group of the resource; empty for the core group.
    pub group: &'static str,
    /// API version of the resource.
    pub version: &'static str,
    /// The resource.
    pub resource: &'static str,
    /// The kind of the resource.
    pub kind: &'static str,
    /// The operations that are judged.
    pub operations: &'static [Operation],
    /// `Namespaced` or `Cluster`.
    pub scope: &'static str,
    /// What happens when the webhook cannot answer.
    pub failure_policy: FailurePolicy,
    /// After how many seconds the API server gives up.
    pub timeout_seconds: i32,
    /// Conditions beside those that every row has.
    pub conditions: &'static [Condition],
    /// True when the rule looks up sessions, so that it cannot judge before they are known.
    pub needs_sessions: bool,
    /// True when the rules ask the API server what the requester may do.
    pub asks: bool,
    /// What the row does.
    pub rule: Rule,
    /// How the objects are read, and with it what their rules are.
    pub read: Read,
}

/// Jobs of nobody's session are never sent to us.
const CLAIMS_A_SESSION: Condition = Condition { name: "claims-a-session", expression: owners::claim_in_cel };

/// Name of the row that validates sessions.
pub const VALIDATE_SESSION: &str = "amaltheasession.validate.sojourn.dev";
/// Name of the row that validates the Jobs of sessions.
pub const VALIDATE_JOB: &str = "job.validate.sojourn.dev";
/// Name of the row that completes the Jobs of sessions.
pub const MUTATE_JOB: &str = "job.mutate.sojourn.dev";

/// The table.
pub static TABLE: [Row; 3] = [
    Row {
        name: VALIDATE_SESSION,
        path: "/validate/amalthea.dev/v1alpha1/amaltheasessions",
        group: amalthea::GROUP,
        version: "v1alpha1",
        resource: "amaltheasessions",
        kind: amalthea::KIND,
        operations: &[Operation::Create, Operation::Update],
        scope: "Namespaced",
        failure_policy: FailurePolicy::Fail,
        timeout_seconds: 5,
        conditions: &[],
        needs_sessions: false,
        asks: true,
        rule: Rule::Validate,
        read: kind::read::<AmaltheaSession>,
    },
    Row {
        name: VALIDATE_JOB,
        path: "/validate/batch/v1/jobs",
        group: "batch",
        version: "v1",
        resource: "jobs",
        kind: "Job",
        operations: &[Operation::Create, Operation::Update],
        scope: "Namespaced",
        failure_policy: FailurePolicy::Fail,
        timeout_seconds: 5,
        conditions: &[CLAIMS_A_SESSION],
        needs_sessions: true,
        asks: false,
        rule: Rule::Validate,
        read: kind::read::<SessionJob>,
    },
    Row {
        name: MUTATE_JOB,
        path: "/mutate/batch/v1/jobs",
        group: "batch",
        version: "v1",
        resource: "jobs",
        kind: "Job",
        operations: &[Operation::Create, Operation::Update],
        scope: "Namespaced",
        // A Job that was not completed is completed by the reconciler.
        failure_policy: FailurePolicy::Ignore,
        timeout_seconds: 3,
        conditions: &[CLAIMS_A_SESSION],
        needs_sessions: true,
        asks: false,
        rule: Rule::Mutate,
        read: kind::read::<SessionJob>,
    },
];

/// The row of that name.
pub fn row(name: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_and_paths_are_distinct_and_mutation_never_blocks() {
        let names: BTreeSet<_> = TABLE.iter().map(|row| row.name).collect();
        let paths: BTreeSet<_> = TABLE.iter().map(|row| row.path).collect();
        assert_eq!((names.len(), paths.len()), (TABLE.len(), TABLE.len()));
        for row in &TABLE {
            let mutates = row.rule == Rule::Mutate;
            assert_eq!(mutates, row.failure_policy == FailurePolicy::Ignore, "{}", row.name);
        }
    }
}
