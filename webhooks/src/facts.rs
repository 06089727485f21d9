//! What rules may know beyond the object that they evaluate, and how the API server reviews the access of a user.

use std::collections::BTreeMap;
use std::pin::Pin;

use jiff::Timestamp;
use k8s_openapi::api::authentication::v1::UserInfo;
use serde::Deserialize;
use serde_json::Value;
use sojourn_crds::DescribedKind;
use sojourn_crds::amalthea::{AmaltheaSession, AmaltheaSessionSpec};

use crate::object::Object;
use crate::rules::amalthea_session::ingress::route;
use crate::rules::pod_security::Enforced;
use crate::session_kinds::{JobConstraints, SESSION_KINDS, SessionKind};
use crate::settings::AdmissionSettings;

/// What rules may know. All of it is in memory: these methods make no calls.
pub trait Facts: Send + Sync {
    /// What the last known state of a session means for its Jobs. `owner` is the kind of the session.
    fn job_constraints(&self, owner: &SessionKind, namespace: &str, name: &str) -> Option<JobConstraints>;
    /// The eldest session that is reached at `route` (host and path), other than `own` (namespace and name).
    fn route_holder(&self, route: &str, own: (&str, &str)) -> Option<RouteHolder> {
        let _ = (route, own);
        None
    }
    /// Bytes that the sessions of a namespace take in the operator's memory.
    fn held_bytes(&self, namespace: &str) -> usize {
        let _ = namespace;
        0
    }
    /// The Pod Security Standard that a namespace enforces. `None` where it enforces none, and where that is not known.
    fn pod_security(&self, namespace: &str) -> Option<Enforced> {
        let _ = namespace;
        None
    }
    /// The settings of the operator.
    fn settings(&self) -> &AdmissionSettings;
    /// The current time.
    fn now(&self) -> Timestamp;
    /// False while there may be sessions that [`Facts::job_constraints`] does not know yet.
    fn synced(&self) -> bool;
    /// The result of `review`. Stores of sessions keep this default: the router collects the results of a request.
    fn access(&self, review: &AccessReview) -> Access {
        let _ = review;
        Access::Unknown
    }
}

/// A session that is reached at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteHolder {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// An access that the API server is asked to review for the requester. The fields are those of a SubjectAccessReview's
/// resource attributes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccessReview {
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

/// As many accesses are reviewed for one request. A rule that needs more refuses the object: each is a call of the API
/// server, and anybody can write an object that needs thousands.
pub const MOST_REVIEWS: usize = 64;

/// The result of an [`AccessReview`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Access {
    /// The user has the access.
    Allowed,
    /// The user does not have the access.
    Denied,
    /// The review has no result, for example because the API server did not answer in time.
    #[default]
    Unknown,
}

/// A review in progress.
pub type AccessFuture<'a> = Pin<Box<dyn Future<Output = Access> + Send + 'a>>;

/// Lets the API server review an access. Implemented where there is a client; the router sets a deadline for each call.
pub trait Authorizer: Send + Sync {
    /// Whether `user` has the access. A failure is [`Access::Unknown`].
    fn review<'a>(&'a self, user: &'a UserInfo, review: &'a AccessReview) -> AccessFuture<'a>;
}

/// Facts together with the reviews of one request.
pub struct Reviewed<'a> {
    /// The other facts.
    pub facts: &'a dyn Facts,
    /// The reviews and their results.
    pub reviews: BTreeMap<AccessReview, Access>,
}

impl Facts for Reviewed<'_> {
    fn job_constraints(&self, owner: &SessionKind, namespace: &str, name: &str) -> Option<JobConstraints> {
        self.facts.job_constraints(owner, namespace, name)
    }

    fn route_holder(&self, route: &str, own: (&str, &str)) -> Option<RouteHolder> {
        self.facts.route_holder(route, own)
    }

    fn held_bytes(&self, namespace: &str) -> usize {
        self.facts.held_bytes(namespace)
    }

    fn pod_security(&self, namespace: &str) -> Option<Enforced> {
        self.facts.pod_security(namespace)
    }

    fn settings(&self) -> &AdmissionSettings {
        self.facts.settings()
    }

    fn now(&self) -> Timestamp {
        self.facts.now()
    }

    fn synced(&self) -> bool {
        self.facts.synced()
    }

    fn access(&self, review: &AccessReview) -> Access {
        self.reviews.get(review).copied().unwrap_or_else(|| self.facts.access(review))
    }
}

/// Facts without a cluster: given sessions at one moment.
#[derive(Debug, Clone, Default)]
pub struct Offline {
    now: Timestamp,
    settings: AdmissionSettings,
    job_constraints: BTreeMap<(&'static str, String, String), JobConstraints>,
    access: BTreeMap<String, Access>,
    default_access: Access,
    routes: BTreeMap<String, RouteHolder>,
    held: usize,
    pod_security: BTreeMap<String, Enforced>,
}

impl Offline {
    /// Facts without any session.
    pub fn new(now: Timestamp, settings: AdmissionSettings) -> Self {
        Self { now, settings, ..Self::default() }
    }

    /// Adds an object of `namespace`, if it is a session that can have Jobs, or a Namespace. A later object of the same
    /// name wins.
    pub fn know(&mut self, namespace: &str, object: &Value) {
        let text = |field: &str| object[field].as_str().unwrap_or_default();
        let group = text("apiVersion").split_once('/').map_or("", |(group, _)| group);
        let owner = SESSION_KINDS.iter().find(|owner| owner.descriptor.is(group, text("kind")));
        let name = object["metadata"]["name"].as_str();
        if let Some(name) = name.filter(|_| group.is_empty() && text("kind") == "Namespace") {
            let label = |key: &str| object["metadata"]["labels"][key].as_str();
            self.enforce(name, Enforced::of(label, self.settings.kubernetes));
        }
        let spec = || AmaltheaSessionSpec::deserialize(&object["spec"]).ok();
        if let Some(name) = name.filter(|_| AmaltheaSession::DESCRIPTOR.is(group, text("kind")))
            && let Some(route) = spec().as_ref().and_then(route)
        {
            let holder = RouteHolder { namespace: namespace.to_owned(), name: name.to_owned() };
            self.routes.entry(route).or_insert(holder);
        }
        if let (Some(owner), Some(name)) = (owner, name)
            && let Ok(terms) = (owner.job_constraints)(Object::Value(object), &self.settings)
        {
            self.job_constraints
                .insert((owner.descriptor.kind, namespace.to_owned(), name.to_owned()), terms);
        }
    }

    /// Says which Pod Security Standard a namespace enforces.
    pub fn enforce(&mut self, namespace: &str, enforced: Option<Enforced>) {
        match enforced {
            Some(enforced) => self.pod_security.insert(namespace.to_owned(), enforced),
            None => self.pod_security.remove(namespace),
        };
    }

    /// Says how many bytes the sessions of every namespace take.
    pub fn hold(&mut self, bytes: usize) {
        self.held = bytes;
    }

    /// Sets the result of every review that [`Offline::set_access`] sets none for. It is unknown by default.
    pub fn set_default_access(&mut self, access: Access) {
        self.default_access = access;
    }

    /// Sets the result of every review that concerns the object `name`.
    pub fn set_access(&mut self, name: &str, access: Access) {
        self.access.insert(name.to_owned(), access);
    }
}

impl Facts for Offline {
    fn job_constraints(&self, owner: &SessionKind, namespace: &str, name: &str) -> Option<JobConstraints> {
        self.job_constraints.get(&(owner.descriptor.kind, namespace.to_owned(), name.to_owned())).cloned()
    }

    fn route_holder(&self, route: &str, own: (&str, &str)) -> Option<RouteHolder> {
        let holder = self.routes.get(route)?;
        (own != (holder.namespace.as_str(), holder.name.as_str())).then(|| holder.clone())
    }

    fn held_bytes(&self, _: &str) -> usize {
        self.held
    }

    fn pod_security(&self, namespace: &str) -> Option<Enforced> {
        self.pod_security.get(namespace).copied()
    }

    fn settings(&self) -> &AdmissionSettings {
        &self.settings
    }

    fn now(&self) -> Timestamp {
        self.now
    }

    fn synced(&self) -> bool {
        true
    }

    fn access(&self, review: &AccessReview) -> Access {
        self.access.get(&review.name).copied().unwrap_or(self.default_access)
    }
}

impl Authorizer for Offline {
    fn review<'a>(&'a self, _user: &'a UserInfo, review: &'a AccessReview) -> AccessFuture<'a> {
        Box::pin(async { self.access(review) })
    }
}
