//! The table of webhooks. Router, webhook configurations and access rights all come from it: a rule is one function
//! and one row.

use sojourn_crds::KindDescriptor;
use sojourn_crds::amalthea::AmaltheaSession;
use sojourn_crds::ambient::{AgenticSession, ProjectSettings};
use sojourn_crds::ide_session::IdeSession;
use sojourn_crds::notebook::Notebook;

use crate::kind::{self, AdmissionRules, Read};
use crate::request::Operation;
use crate::rules::amalthea_session;
use crate::rules::job::SessionJob;
use crate::session_kinds;

/// The type of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookType {
    /// Admits or denies objects.
    Validating,
    /// Patches objects.
    Mutating,
}

impl WebhookType {
    /// The first segment of the URL path.
    const fn path_prefix(self) -> &'static str {
        match self {
            WebhookType::Validating => "validate",
            WebhookType::Mutating => "mutate",
        }
    }
}

/// What the API server does with a request when the webhook fails to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailurePolicy {
    /// The request is denied.
    Fail,
    /// The request is admitted.
    Ignore,
}

impl FailurePolicy {
    /// The policy as the API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            FailurePolicy::Fail => "Fail",
            FailurePolicy::Ignore => "Ignore",
        }
    }
}

/// A match condition of a webhook.
#[derive(Debug, Clone, Copy)]
pub struct Condition {
    /// Name of the condition, unique within the webhook.
    pub name: &'static str,
    /// The expression in CEL. The API server calls the webhook when it is true.
    pub expression: fn() -> String,
}

/// One webhook.
pub struct Row {
    /// Name in the configuration, unique and stable.
    pub name: &'static str,
    /// The kind of the objects.
    pub descriptor: &'static KindDescriptor,
    /// Whether the webhook validates or mutates.
    pub webhook_type: WebhookType,
    /// The operations that the webhook is called for.
    pub operations: &'static [Operation],
    /// What happens when the webhook fails to answer.
    pub failure_policy: FailurePolicy,
    /// After how many seconds the API server gives up.
    pub timeout_seconds: i32,
    /// Match conditions beside those that every row has.
    pub conditions: &'static [Condition],
    /// Whether the rules look up sessions, so that they cannot run before the session caches have synced.
    pub needs_sessions: bool,
    /// Whether the rules need to know what the requester may do, by a SubjectAccessReview.
    pub needs_access_review: bool,
    /// The longest spec in bytes of JSON, for kinds of which the operator keeps objects in memory.
    pub longest_spec: Option<usize>,
    /// Reads the objects of a request as the type of the kind, with its rules.
    pub read: Read,
}

impl Row {
    /// The webhook that validates objects of kind `K`, without needs or conditions of its own.
    pub const fn validating<K: AdmissionRules>(name: &'static str) -> Self {
        Self {
            name,
            descriptor: K::DESCRIPTOR,
            webhook_type: WebhookType::Validating,
            operations: &[Operation::Create, Operation::Update],
            failure_policy: FailurePolicy::Fail,
            timeout_seconds: 5,
            conditions: &[],
            needs_sessions: false,
            needs_access_review: false,
            longest_spec: Some(LONGEST_SPEC),
            read: kind::read::<K>,
        }
    }

    /// The webhook that mutates objects of kind `K`. It never blocks a request.
    pub const fn mutating<K: AdmissionRules>(name: &'static str) -> Self {
        Self {
            webhook_type: WebhookType::Mutating,
            failure_policy: FailurePolicy::Ignore,
            timeout_seconds: 3,
            ..Self::validating::<K>(name)
        }
    }

    /// Path of the URL, for example `/validate/batch/v1/jobs`.
    pub fn path(&self) -> String {
        let KindDescriptor { api_version, plural, .. } = self.descriptor;
        format!("/{}/{api_version}/{plural}", self.webhook_type.path_prefix())
    }
}

/// The API server does not call the webhook for Jobs that claim no session.
const CLAIMS_A_SESSION: Condition =
    Condition { name: "claims-a-session", expression: session_kinds::claim_in_cel };

/// The API server calls the mutating webhook only for sessions that adopt a secret, so that the others cost no call.
const ADOPTS_A_SECRET: Condition =
    Condition { name: "adopts-a-secret", expression: amalthea_session::secrets::adoption_in_cel };

/// Name of the webhook that validates `AmaltheaSession`s.
pub const VALIDATE_SESSION: &str = "amaltheasession.validate.sojourn.dev";
/// Name of the webhook that records which adoptions of an `AmaltheaSession` are approved.
pub const MUTATE_SESSION: &str = "amaltheasession.mutate.sojourn.dev";
/// Name of the webhook that validates `IdeSession`s.
pub const VALIDATE_IDE_SESSION: &str = "idesession.validate.sojourn.dev";
/// Name of the webhook that validates `AgenticSession`s.
pub const VALIDATE_AGENTIC_SESSION: &str = "agenticsession.validate.sojourn.dev";
/// Name of the webhook that validates `ProjectSettings`.
pub const VALIDATE_PROJECT_SETTINGS: &str = "projectsettings.validate.sojourn.dev";
/// Name of the webhook that validates the Jobs of sessions.
pub const VALIDATE_JOB: &str = "job.validate.sojourn.dev";
/// Name of the webhook that fills in fields of the Jobs of sessions.
pub const MUTATE_JOB: &str = "job.mutate.sojourn.dev";
/// Name of the webhook that validates `Notebook`s.
pub const VALIDATE_NOTEBOOK: &str = "notebook.validate.sojourn.dev";

/// The longest spec of a session in bytes of JSON. Sessions of real installations have up to about 11 KB. The operator
/// keeps each session and its workload in memory, packed; what cannot be packed takes twice this: 128 MiB for 2,000
/// sessions of the largest size, within the 256 MiB of the chart.
pub const LONGEST_SPEC: usize = 32 << 10;

/// Bytes that the packed sessions of one namespace may take before no more are admitted there: 20,000 sessions as they
/// are in practice, or 1,000 of the largest size. Beyond that one namespace would use up the memory of all.
pub const NAMESPACE_BUDGET: usize = 32 << 20;

/// The table. Its order is that of the generated configurations.
pub static TABLE: [Row; 8] = [
    Row { needs_access_review: true, ..Row::validating::<AmaltheaSession>(VALIDATE_SESSION) },
    // What is not recorded is not deleted with the session.
    Row {
        conditions: &[ADOPTS_A_SECRET],
        needs_access_review: true,
        ..Row::mutating::<AmaltheaSession>(MUTATE_SESSION)
    },
    Row { needs_access_review: true, ..Row::validating::<IdeSession>(VALIDATE_IDE_SESSION) },
    Row::validating::<AgenticSession>(VALIDATE_AGENTIC_SESSION),
    Row::validating::<ProjectSettings>(VALIDATE_PROJECT_SETTINGS),
    Row {
        conditions: &[CLAIMS_A_SESSION],
        needs_sessions: true,
        longest_spec: None,
        ..Row::validating::<SessionJob>(VALIDATE_JOB)
    },
    // The reconciler fills in the fields of a Job that was admitted without this webhook.
    Row { conditions: &[CLAIMS_A_SESSION], needs_sessions: true, ..Row::mutating::<SessionJob>(MUTATE_JOB) },
    Row::validating::<Notebook>(VALIDATE_NOTEBOOK),
];

/// The row with that name.
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
        let paths: BTreeSet<_> = TABLE.iter().map(Row::path).collect();
        assert_eq!((names.len(), paths.len()), (TABLE.len(), TABLE.len()));
        for row in &TABLE {
            let mutates = row.webhook_type == WebhookType::Mutating;
            assert_eq!(mutates, row.failure_policy == FailurePolicy::Ignore, "{}", row.name);
        }
    }
}
