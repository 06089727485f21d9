//! What the admission rules may know of the cluster: the sessions that the watches hold, and the
//! access of users, which the API server reviews.

use super::{
    auth::review_access, controller::Controllers, key::Key, pod_security::PodSecurityLevels, watch::CacheSync,
};
use crate::serve::auth::AccessRequest;
use jiff::Timestamp;
use k8s_openapi::api::{authentication::v1::UserInfo, authorization::v1::ResourceAttributes};
use kube::Client;
use sojourn_webhooks::{
    AdmissionSettings,
    facts::{Access, AccessFuture, AccessReview, Authorizer, Facts, RouteHolder},
    rules::pod_security::Enforced,
    session_kinds::{JobConstraints, SessionKind},
};

/// Facts from the controllers' indexes.
pub struct ClusterFacts {
    /// What knows the sessions.
    pub controllers: Controllers,
    /// What namespaces enforce.
    pub pod_security: PodSecurityLevels,
    /// Whether the watches have listed them all.
    pub cache_sync: CacheSync,
    /// How the operator is set up.
    pub settings: AdmissionSettings,
}

impl Facts for ClusterFacts {
    fn job_constraints(&self, kind: &SessionKind, namespace: &str, name: &str) -> Option<JobConstraints> {
        self.controllers.job_constraints(kind, namespace, name, &self.settings)
    }

    fn route_holder(&self, route: &str, own: (&str, &str)) -> Option<RouteHolder> {
        self.controllers.route_holder(route, &Key::new(own.0, own.1))
    }

    fn held_bytes(&self, namespace: &str) -> usize {
        self.controllers.held_bytes(namespace)
    }

    fn pod_security(&self, namespace: &str) -> Option<Enforced> {
        self.pod_security.of(namespace)
    }

    fn settings(&self) -> &AdmissionSettings {
        &self.settings
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn synced(&self) -> bool {
        self.cache_sync.is_synced()
    }
}

/// Lets the API server review an access by a SubjectAccessReview.
pub struct SubjectAccessReviews(pub Client);

impl Authorizer for SubjectAccessReviews {
    fn review<'a>(&'a self, user: &'a UserInfo, review: &'a AccessReview) -> AccessFuture<'a> {
        Box::pin(async move {
            let attributes = ResourceAttributes {
                verb: Some(review.verb.into()),
                group: Some(review.group.into()),
                resource: Some(review.resource.into()),
                namespace: Some(review.namespace.clone()),
                name: Some(review.name.clone()),
                ..ResourceAttributes::default()
            };
            match review_access(&self.0, user.clone(), AccessRequest::Resource(Box::new(attributes))).await {
                Ok(Some(true)) => Access::Allowed,
                Ok(Some(false)) => Access::Denied,
                Ok(None) => Access::Unknown,
                Err(error) => {
                    tracing::warn!(%error, "the API server did not say whether a requester may act");
                    Access::Unknown
                }
            }
        })
    }
}
