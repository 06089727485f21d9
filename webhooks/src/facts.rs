//! What rules may know beyond the object they judge, and how the one question that needs the API server is asked.

use std::collections::BTreeMap;
use std::pin::Pin;

use jiff::Timestamp;
use k8s_openapi::api::authentication::v1::UserInfo;
use serde_json::Value;
use sojourn_crds::amalthea::OnDeadline;
use sojourn_crds::ambient::Limits;

use crate::object::Object;
use crate::session_kinds::{JobConstraints, SESSION_KINDS, SessionKind};

/// What rules may know. Answers come from memory at once: no call leaves the process from here.
pub trait Facts: Send + Sync {
    /// What a session that was last seen means for its Jobs. `owner` says of which kind it is.
    fn job_constraints(&self, owner: &SessionKind, namespace: &str, name: &str) -> Option<JobConstraints>;
    /// How the operator is set up.
    fn settings(&self) -> &GuardSettings;
    /// The present moment.
    fn now(&self) -> Timestamp;
    /// False as long as sessions may exist that [`Facts::job_constraints`] does not know yet.
    fn synced(&self) -> bool;
    /// What was answered to `question` before. Stores of sessions leave this alone: the router gathers the answers.
    fn may(&self, question: &AccessQuestion) -> Access {
        let _ = question;
        Access::Unknown
    }
}

/// How the operator is set up, as far as the rules depend on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardSettings {
    /// The user that the operator itself is; its requests are not judged.
    pub operator_user: String,
    /// Controllers that may do to a session's Job what nobody else may.
    pub trusted_users: Vec<String>,
    /// What happens when a batch session reaches its `maxAge`.
    pub on_deadline: OnDeadline,
    /// How long sessions of agents may live.
    pub agentic: Limits,
}

/// Service accounts of Kubernetes' own controllers that touch Jobs, and of the queueing controller that toggles
/// `suspend`. A cluster with other ones adds them to [`GuardSettings::trusted_users`].
pub const DEFAULT_TRUSTED_USERS: [&str; 7] = [
    "system:kube-controller-manager",
    "system:serviceaccount:kube-system:job-controller",
    "system:serviceaccount:kube-system:generic-garbage-collector",
    "system:serviceaccount:kube-system:ttl-after-finished-controller",
    "system:serviceaccount:kube-system:namespace-controller",
    "system:serviceaccount:kube-system:cronjob-controller",
    "system:serviceaccount:kueue-system:kueue-controller-manager",
];

impl Default for GuardSettings {
    fn default() -> Self {
        Self {
            operator_user: String::new(),
            trusted_users: DEFAULT_TRUSTED_USERS.map(str::to_owned).to_vec(),
            on_deadline: OnDeadline::default(),
            agentic: Limits::default(),
        }
    }
}

impl GuardSettings {
    /// True for the operator and the controllers that it trusts.
    pub fn trusts(&self, user: &str) -> bool {
        self.is_operator(user) || self.trusted_users.iter().any(|trusted| trusted == user)
    }

    /// True for the operator itself.
    pub fn is_operator(&self, user: &str) -> bool {
        !self.operator_user.is_empty() && self.operator_user == user
    }
}

/// May the requester do this? The fields are those of a SubjectAccessReview's resource attributes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccessQuestion {
    /// For example `delete`.
    pub verb: &'static str,
    /// API group; empty for the core group.
    pub group: &'static str,
    /// For example `secrets`.
    pub resource: &'static str,
    /// Namespace of the object.
    pub namespace: String,
    /// Name of the object.
    pub name: String,
}

/// As many questions are asked for one request. A rule that has more says so instead: each is a call of the API server,
/// and anybody can write an object that has thousands.
pub const MOST_QUESTIONS: usize = 64;

/// The answer to an [`AccessQuestion`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Access {
    /// Yes.
    Allowed,
    /// No.
    Denied,
    /// Nobody could say, for example because the API server did not answer in time.
    #[default]
    Unknown,
}

/// A future that answers one question.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Access> + Send + 'a>>;

/// Asks the API server. Implemented where there is a client; the router puts a deadline around each call.
pub trait Authorizer: Send + Sync {
    /// May `user` do what `question` says? Failures are [`Access::Unknown`].
    fn ask<'a>(&'a self, user: &'a UserInfo, question: &'a AccessQuestion) -> Answer<'a>;
}

/// Facts together with the answers that were gathered for one request.
pub struct Answered<'a> {
    /// Everything else.
    pub facts: &'a dyn Facts,
    /// The answers.
    pub answers: BTreeMap<AccessQuestion, Access>,
}

impl Facts for Answered<'_> {
    fn job_constraints(&self, owner: &SessionKind, namespace: &str, name: &str) -> Option<JobConstraints> {
        self.facts.job_constraints(owner, namespace, name)
    }

    fn settings(&self) -> &GuardSettings {
        self.facts.settings()
    }

    fn now(&self) -> Timestamp {
        self.facts.now()
    }

    fn synced(&self) -> bool {
        self.facts.synced()
    }

    fn may(&self, question: &AccessQuestion) -> Access {
        self.answers.get(question).copied().unwrap_or_else(|| self.facts.may(question))
    }
}

/// What is known without a cluster: the sessions that somebody names, at one moment.
#[derive(Debug, Clone, Default)]
pub struct Offline {
    now: Timestamp,
    settings: GuardSettings,
    job_constraints: BTreeMap<(&'static str, String, String), JobConstraints>,
    access: BTreeMap<String, Access>,
    otherwise: Access,
}

impl Offline {
    /// Nothing is known but the moment and how the operator is set up.
    pub fn new(now: Timestamp, settings: GuardSettings) -> Self {
        Self { now, settings, ..Self::default() }
    }

    /// Takes in an object of `namespace`, if it is a session that can have Jobs. Later ones of a name win.
    pub fn know(&mut self, namespace: &str, object: &Value) {
        let text = |field: &str| object[field].as_str().unwrap_or_default();
        let group = text("apiVersion").split_once('/').map_or("", |(group, _)| group);
        let owner = SESSION_KINDS.iter().find(|owner| owner.descriptor.is(group, text("kind")));
        let name = object["metadata"]["name"].as_str();
        if let (Some(owner), Some(name)) = (owner, name)
            && let Ok(terms) = (owner.job_constraints)(Object::Value(object), &self.settings)
        {
            self.job_constraints
                .insert((owner.descriptor.kind, namespace.to_owned(), name.to_owned()), terms);
        }
    }

    /// Says what is answered when it is asked whether somebody may do something, unless [`Offline::answer`] says
    /// something else. Until then nobody can say.
    pub fn answer_always(&mut self, access: Access) {
        self.otherwise = access;
    }

    /// Says what is answered when it is asked whether somebody may do something to the object `name`.
    pub fn answer(&mut self, name: &str, access: Access) {
        self.access.insert(name.to_owned(), access);
    }
}

impl Facts for Offline {
    fn job_constraints(&self, owner: &SessionKind, namespace: &str, name: &str) -> Option<JobConstraints> {
        self.job_constraints.get(&(owner.descriptor.kind, namespace.to_owned(), name.to_owned())).cloned()
    }

    fn settings(&self) -> &GuardSettings {
        &self.settings
    }

    fn now(&self) -> Timestamp {
        self.now
    }

    fn synced(&self) -> bool {
        true
    }

    fn may(&self, question: &AccessQuestion) -> Access {
        self.access.get(&question.name).copied().unwrap_or(self.otherwise)
    }
}

impl Authorizer for Offline {
    fn ask<'a>(&'a self, _user: &'a UserInfo, question: &'a AccessQuestion) -> Answer<'a> {
        Box::pin(async { self.may(question) })
    }
}
