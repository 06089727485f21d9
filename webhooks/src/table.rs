//! The table of webhooks. Router, webhook configurations and access rights all come from it: a rule is one function
//! and one row.

use sojourn_crds::amalthea::{self, AmaltheaSession};
use sojourn_crds::ambient::{self, AgenticSession, ProjectSettings, agentic_session, project_settings};
use sojourn_crds::ide_session::{self, IdeSession};
use sojourn_crds::notebook::{self, Notebook};

use crate::kind::{self, Read};
use crate::request::Operation;
use crate::rules::job::SessionJob;
use crate::session_kinds;

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
    pub needs_access_review: bool,
    /// What the row does.
    pub rule: Rule,
    /// How the objects are read, and with it what their rules are.
    pub read: Read,
}

/// Jobs of nobody's session are never sent to us.
const CLAIMS_A_SESSION: Condition =
    Condition { name: "claims-a-session", expression: session_kinds::claim_in_cel };

impl Row {
    /// Whether objects of the resource are in namespaces.
    pub fn is_namespaced(&self) -> bool {
        self.scope == "Namespaced"
    }
}

/// Name of the row that validates sessions.
pub const VALIDATE_SESSION: &str = "amaltheasession.validate.sojourn.dev";
/// Name of the row that validates sessions in an IDE.
pub const VALIDATE_IDE_SESSION: &str = "idesession.validate.sojourn.dev";
/// Name of the row that validates sessions of agents.
pub const VALIDATE_AGENTIC_SESSION: &str = "agenticsession.validate.sojourn.dev";
/// Name of the row that validates the settings of projects.
pub const VALIDATE_PROJECT_SETTINGS: &str = "projectsettings.validate.sojourn.dev";
/// Name of the row that validates the Jobs of sessions.
pub const VALIDATE_JOB: &str = "job.validate.sojourn.dev";
/// Name of the row that completes the Jobs of sessions.
pub const MUTATE_JOB: &str = "job.mutate.sojourn.dev";

/// Name of the row that validates notebooks.
pub const VALIDATE_NOTEBOOK: &str = "notebook.validate.sojourn.dev";

/// The table.
pub static TABLE: [Row; 7] = [
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
        needs_access_review: true,
        rule: Rule::Validate,
        read: kind::read::<AmaltheaSession>,
    },
    Row {
        name: VALIDATE_IDE_SESSION,
        path: "/validate/usvc-dev.developer.microsoft.com/v1/idesessions",
        group: ide_session::GROUP,
        version: "v1",
        resource: "idesessions",
        kind: ide_session::KIND,
        operations: &[Operation::Create, Operation::Update],
        scope: "Cluster",
        failure_policy: FailurePolicy::Fail,
        timeout_seconds: 5,
        conditions: &[],
        needs_sessions: false,
        needs_access_review: true,
        rule: Rule::Validate,
        read: kind::read::<IdeSession>,
    },
    Row {
        name: VALIDATE_AGENTIC_SESSION,
        path: "/validate/vteam.ambient-code/v1alpha1/agenticsessions",
        group: ambient::GROUP,
        version: ambient::VERSION,
        resource: agentic_session::PLURAL,
        kind: agentic_session::KIND,
        operations: &[Operation::Create, Operation::Update],
        scope: "Namespaced",
        failure_policy: FailurePolicy::Fail,
        timeout_seconds: 5,
        conditions: &[],
        needs_sessions: false,
        needs_access_review: false,
        rule: Rule::Validate,
        read: kind::read::<AgenticSession>,
    },
    Row {
        name: VALIDATE_PROJECT_SETTINGS,
        path: "/validate/vteam.ambient-code/v1alpha1/projectsettings",
        group: ambient::GROUP,
        version: ambient::VERSION,
        resource: project_settings::PLURAL,
        kind: project_settings::KIND,
        operations: &[Operation::Create, Operation::Update],
        scope: "Namespaced",
        failure_policy: FailurePolicy::Fail,
        timeout_seconds: 5,
        conditions: &[],
        needs_sessions: false,
        needs_access_review: false,
        rule: Rule::Validate,
        read: kind::read::<ProjectSettings>,
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
        needs_access_review: false,
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
        needs_access_review: false,
        rule: Rule::Mutate,
        read: kind::read::<SessionJob>,
    },
    Row {
        name: VALIDATE_NOTEBOOK,
        path: "/validate/sojourn.dev/v1alpha1/notebooks",
        group: notebook::GROUP,
        version: "v1alpha1",
        resource: "notebooks",
        kind: notebook::KIND,
        operations: &[Operation::Create, Operation::Update],
        scope: "Namespaced",
        failure_policy: FailurePolicy::Fail,
        timeout_seconds: 5,
        conditions: &[],
        needs_sessions: false,
        needs_access_review: false,
        rule: Rule::Validate,
        read: kind::read::<Notebook>,
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
