//! What the admission rules may know of the cluster: the sessions that the watches hold, and what the API
//! server answers when asked whether somebody may do something.

use super::{
    amalthea::Reconciler, auth::review_access, job_constraints::SessionConstraints, key::Key,
    watch::CacheSync,
};
use crate::serve::auth::AccessRequest;
use jiff::Timestamp;
use k8s_openapi::api::{authentication::v1::UserInfo, authorization::v1::ResourceAttributes};
use kube::Client;
use sojourn_crds::amalthea;
use sojourn_webhooks::{
    facts::{Access, AccessQuestion, Answer, Authorizer, Facts, GuardSettings},
    session_kinds::{JobConstraints, SessionKind, amalthea_job_constraints},
};
use std::sync::Arc;

/// Facts from the operator's index.
pub struct ClusterFacts {
    /// Where the sessions are.
    pub sessions: Arc<Reconciler>,
    /// Sessions of other kinds.
    pub others: Arc<SessionConstraints>,
    /// Whether they are all there.
    pub cache_sync: CacheSync,
    /// How the operator is set up.
    pub settings: GuardSettings,
}

impl Facts for ClusterFacts {
    fn job_constraints(&self, owner: &SessionKind, namespace: &str, name: &str) -> Option<JobConstraints> {
        if !owner.is(amalthea::GROUP, amalthea::KIND) {
            return self.others.get(owner, namespace, name);
        }
        let session = self.sessions.index.read().session(&Key::new(namespace, name))?;
        Some(amalthea_job_constraints(&session, &self.settings))
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
            match review_access(&self.0, user.clone(), AccessRequest::Resource(attributes)).await {
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
