//! One case of the corpus in `webhooks/cases`: a request, the facts, and the expected result. A page beside the cases
//! describes the format. The caller parses the YAML.

use std::collections::BTreeMap;

use k8s_openapi::api::authentication::v1::UserInfo;
use serde::Deserialize;
use serde_json::{Value, json};
use sojourn_crds::amalthea::OnDeadline;
use sojourn_crds::ambient::Limits;

use crate::adoption::ApprovalKey;
use crate::facts::{Access, Offline};
use crate::finding::{Finding, Severity};
use crate::object::Object;
use crate::request::{Operation, Request};
use crate::rules::operator_credentials::OwnCredentials;
use crate::rules::pod_security::Enforced;
use crate::settings::{AdmissionSettings, DEFAULT_TRUSTED_USERS, KubernetesVersion, PodSecurity};
use crate::{review, table};

/// The namespace of the requests of cases.
pub const NAMESPACE: &str = "sessions";
/// The user of cases that do not name one.
pub const USER: &str = "somebody";

/// A case.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Case {
    /// What the case shows.
    pub about: String,
    /// Name of the row whose rules are evaluated.
    pub webhook: String,
    /// The operation of the request.
    pub operation: Operation,
    /// The user who sends the request.
    #[serde(default)]
    pub user: Option<String>,
    /// True when the schema of the kind refuses the object before the webhook is called.
    #[serde(default)]
    pub schema_refuses: bool,
    /// The facts.
    #[serde(default)]
    pub facts: CaseFacts,
    /// The old object.
    #[serde(default)]
    pub old: Option<Value>,
    /// The new object.
    #[serde(default)]
    pub object: Option<Value>,
    /// The expected result.
    pub expect: Expect,
}

/// The facts of a case. The clock stands still.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CaseFacts {
    /// The current time in RFC 3339; by default noon of the first of January 2026.
    #[serde(default)]
    pub now: Option<String>,
    /// Sessions of the namespace.
    #[serde(default)]
    pub sessions: Vec<Value>,
    /// Bytes that the sessions of the namespace take in the operator's memory.
    #[serde(default)]
    pub held_bytes: usize,
    /// The labels of the namespace.
    #[serde(default)]
    pub namespace_labels: BTreeMap<String, String>,
    /// The result of access reviews, by name of the secret.
    #[serde(default)]
    pub access: BTreeMap<String, CaseAccess>,
    /// The settings of the operator.
    #[serde(default)]
    pub settings: CaseSettings,
}

/// The result of an access review.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CaseAccess {
    /// The requester has the access.
    Allowed,
    /// The requester does not have the access.
    Denied,
    /// The review has no result.
    Unknown,
}

/// The settings of the operator.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CaseSettings {
    /// The user of the operator.
    #[serde(default)]
    pub operator_user: String,
    /// `Fail` or `Hibernate`.
    #[serde(default)]
    pub on_deadline: CaseOnDeadline,
    /// Whether `timeout` ends the sessions of agents.
    #[serde(default)]
    pub enforce_timeout: bool,
    /// Whether the operator runs in the namespace of the request, with the account `sojourn` and the Secret
    /// `sojourn-webhook`.
    #[serde(default)]
    pub operator_lives_here: bool,
    /// `Warn` or `Deny`.
    #[serde(default)]
    pub ingress_conflicts: CaseConflicts,
    /// `Original` or `Restricted`.
    #[serde(default)]
    pub pod_security: PodSecurity,
    /// Minor version of Kubernetes 1; absent: the newest that is supported.
    #[serde(default)]
    pub kubernetes_minor: Option<u16>,
}

/// What becomes of a session with the address of an elder one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum CaseConflicts {
    /// It is admitted with a warning.
    #[default]
    Warn,
    /// It is refused.
    Deny,
}

/// What happens when a batch session reaches its `maxAge`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum CaseOnDeadline {
    /// It fails.
    #[default]
    Fail,
    /// It is hibernated.
    Hibernate,
}

/// The expected result of a case.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Whether the request is admitted.
    pub allowed: bool,
    /// The HTTP code of a refusal.
    #[serde(default)]
    pub code: Option<u16>,
    /// All findings, in any order.
    #[serde(default)]
    pub findings: Vec<ExpectFinding>,
    /// The operations of the patch, for rows that mutate.
    #[serde(default)]
    pub patch: Value,
}

/// An expected finding.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectFinding {
    /// The identifier of its code.
    pub code: String,
    /// Its path.
    pub path: String,
    /// `Deny` or `Warn`.
    pub severity: String,
    /// A part of its message.
    #[serde(default)]
    pub says: String,
}

impl ExpectFinding {
    /// True when `finding` is the expected one.
    pub fn is(&self, finding: &Finding) -> bool {
        let severity = match finding.severity {
            Severity::Deny => "Deny",
            Severity::Warn => "Warn",
        };
        self.code == finding.code.id()
            && self.path == finding.path.as_str()
            && self.severity == severity
            && finding.text().contains(&self.says)
    }
}

impl Case {
    /// The name of the user who sends the request.
    pub fn user(&self) -> &str {
        self.user.as_deref().unwrap_or(USER)
    }

    /// The user who sends the request.
    pub fn user_info(&self) -> UserInfo {
        UserInfo { username: Some(self.user().to_owned()), ..UserInfo::default() }
    }

    /// The request, as [`crate::evaluate()`] takes it.
    pub fn request<'a>(&'a self, user: &'a UserInfo) -> Request<'a> {
        Request {
            operation: self.operation,
            subresource: None,
            namespace: self.namespace(),
            name: self.name(),
            user,
            old: self.old.as_ref().map(Object::Value),
            new: self.object.as_ref().map(Object::Value),
            dry_run: false,
        }
    }

    /// The request, as the API server sends it.
    pub fn review(&self, uid: &str) -> Value {
        json!({
            "apiVersion": review::API_VERSION,
            "kind": review::KIND,
            "request": {
                "uid": uid,
                "operation": self.operation.as_str(),
                "namespace": self.namespace(),
                "name": self.name(),
                "userInfo": {"username": self.user()},
                "object": self.object,
                "oldObject": self.old,
                "dryRun": false,
            },
        })
    }

    /// The namespace of the request; empty for a cluster-scoped kind.
    fn namespace(&self) -> &'static str {
        let in_none = table::row(&self.webhook).is_some_and(|row| !row.descriptor.is_namespaced());
        if in_none { "" } else { NAMESPACE }
    }

    fn name(&self) -> &str {
        let object = self.object.as_ref().or(self.old.as_ref());
        object.and_then(|object| object["metadata"]["name"].as_str()).unwrap_or_default()
    }
}

impl CaseFacts {
    /// The facts for the rules, with the sessions in `namespace`.
    pub fn known(&self, namespace: &str) -> Result<Offline, jiff::Error> {
        let settings = AdmissionSettings {
            operator_user: self.settings.operator_user.clone(),
            trusted_users: DEFAULT_TRUSTED_USERS.map(str::to_owned).to_vec(),
            on_deadline: match self.settings.on_deadline {
                CaseOnDeadline::Fail => OnDeadline::Fail,
                CaseOnDeadline::Hibernate => OnDeadline::Hibernate,
            },
            agentic: Limits { enforce_timeout: self.settings.enforce_timeout, ..Limits::default() },
            kubernetes: self
                .settings
                .kubernetes_minor
                .map_or_else(KubernetesVersion::default, |minor| KubernetesVersion { major: 1, minor }),
            ingress_conflicts: match self.settings.ingress_conflicts {
                CaseConflicts::Warn => Severity::Warn,
                CaseConflicts::Deny => Severity::Deny,
            },
            pod_security: self.settings.pod_security,
            own: match self.settings.operator_lives_here {
                true => OwnCredentials {
                    namespace: namespace.to_owned(),
                    secrets: vec!["sojourn-webhook".to_owned()],
                    service_account: Some((namespace.to_owned(), "sojourn".to_owned())),
                },
                false => OwnCredentials::default(),
            },
            approval_key: Some(ApprovalKey::new([0; ApprovalKey::LENGTH])),
        };
        let now = self.now.as_deref().unwrap_or("2026-01-01T12:00:00Z").parse()?;
        let label = |key: &str| self.namespace_labels.get(key).map(String::as_str);
        let enforced = Enforced::of(label, settings.kubernetes);
        let mut known = Offline::new(now, settings);
        known.enforce(namespace, enforced);
        known.hold(self.held_bytes);
        for session in &self.sessions {
            known.know(namespace, session);
        }
        for (name, result) in &self.access {
            let access = match result {
                CaseAccess::Allowed => Access::Allowed,
                CaseAccess::Denied => Access::Denied,
                CaseAccess::Unknown => Access::Unknown,
            };
            known.set_access(name, access);
        }
        Ok(known)
    }
}
