//! The table of webhooks. Router, webhook configurations and access rights all come from it: a rule is one function
//! and one row.

use json_patch::PatchOperation;
use sojourn_crds::amalthea;

use crate::facts::{AccessQuestion, Facts};
use crate::finding::Finding;
use crate::request::{Operation, Request};
use crate::rules::{amalthea_session, job};

/// What a row does with a request.
#[derive(Clone, Copy)]
pub enum Rule {
    /// Says what is wrong.
    Validate(fn(&Request<'_>, &dyn Facts) -> Vec<Finding>),
    /// Says what to add.
    Mutate(fn(&Request<'_>, &dyn Facts) -> Vec<PatchOperation>),
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition {
    /// Its name.
    pub name: &'static str,
    /// The expression; the webhook is called when it is true.
    pub expression: &'static str,
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
    /// What the rule does.
    pub rule: Rule,
    /// What has to be asked of the API server before.
    pub questions: Option<fn(&Request<'_>) -> Vec<AccessQuestion>>,
}

/// Jobs of nobody's session are never sent to us. Old and new object count, so that a claim cannot be taken off unseen.
const CLAIMS_A_SESSION: Condition = Condition {
    name: "claims-a-session",
    expression: "[object, oldObject].exists(o, o != null && ( \
        (has(o.metadata.ownerReferences) && o.metadata.ownerReferences.exists(r, \
            r.kind == 'AmaltheaSession' && r.apiVersion.startsWith('amalthea.dev/'))) || \
        (has(o.metadata.labels) && 'app.kubernetes.io/instance' in o.metadata.labels && \
            'app.kubernetes.io/name' in o.metadata.labels && \
            o.metadata.labels['app.kubernetes.io/name'] == 'AmaltheaSession')))",
};

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
        rule: Rule::Validate(amalthea_session::validate),
        questions: Some(amalthea_session::secrets::questions),
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
        rule: Rule::Validate(job::validate),
        questions: None,
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
        rule: Rule::Mutate(job::mutate),
        questions: None,
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
            let mutates = matches!(row.rule, Rule::Mutate(_));
            assert_eq!(mutates, row.failure_policy == FailurePolicy::Ignore, "{}", row.name);
        }
    }
}
