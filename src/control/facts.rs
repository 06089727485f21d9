//! What the admission rules may know of the cluster: the sessions that the watches hold, and what the API
//! server answers when asked whether somebody may do something.

use super::{auth::review_access, controller::Controllers, watch::CacheSync};
use crate::serve::auth::AccessRequest;
use jiff::Timestamp;
use k8s_openapi::api::{authentication::v1::UserInfo, authorization::v1::ResourceAttributes};
use kube::Client;
use sojourn_webhooks::{
    facts::{Access, AccessQuestion, Answer, Authorizer, Facts},
    session_kinds::{JobConstraints, SessionKind},
};

/// Facts from the controllers' indexes.
pub struct ClusterFacts {
    /// What knows the sessions.
    pub controllers: Controllers,
    /// Whether the watches have listed them all.
    pub cache_sync: CacheSync,
    /// How the operator is set up.
    pub settings: GuardSettings,
}

impl Facts for ClusterFacts {
    fn job_constraints(&self, kind: &SessionKind, namespace: &str, name: &str) -> Option<JobConstraints> {
        self.controllers.job_constraints(kind, namespace, name, &self.settings)
    }

    fn settings(&self) -> &GuardSettings {
        &self.settings
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn synced(&self) -> bool {
        self.cache_sync.is_synced()
    }
}

/// Asks the API server by SubjectAccessReview.
pub struct AccessReviews(pub Client);

impl Authorizer for AccessReviews {
    fn ask<'a>(&'a self, user: &'a UserInfo, question: &'a AccessQuestion) -> Answer<'a> {
        Box::pin(async move {
            let attributes = ResourceAttributes {
                verb: Some(question.verb.into()),
                group: Some(question.group.into()),
                resource: Some(question.resource.into()),
                namespace: Some(question.namespace.clone()),
                name: Some(question.name.clone()),
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
