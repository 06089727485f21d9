//! What the admission rules may know of the cluster: the sessions that the watches hold, and what the API
//! server answers when asked whether somebody may do something.

use super::{controller::Controllers, watch::CacheSync};
use jiff::Timestamp;
use k8s_openapi::api::{
    authentication::v1::UserInfo,
    authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec},
};
use kube::{Api, Client, api::PostParams};
use sojourn_webhooks::{
    facts::{Access, AccessQuestion, Answer, Authorizer, Facts, GuardSettings},
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
            let review = SubjectAccessReview {
                spec: SubjectAccessReviewSpec {
                    user: user.username.clone(),
                    groups: user.groups.clone(),
                    uid: user.uid.clone(),
                    extra: user.extra.clone(),
                    resource_attributes: Some(ResourceAttributes {
                        verb: Some(question.verb.into()),
                        group: Some(question.group.into()),
                        resource: Some(question.resource.into()),
                        namespace: Some(question.namespace.clone()),
                        name: Some(question.name.clone()),
                        ..ResourceAttributes::default()
                    }),
                    ..SubjectAccessReviewSpec::default()
                },
                ..SubjectAccessReview::default()
            };
            let api: Api<SubjectAccessReview> = Api::all(self.0.clone());
            match api.create(&PostParams::default(), &review).await {
                Ok(answer) if answer.status.as_ref().is_some_and(|status| status.allowed) => Access::Allowed,
                Ok(answer) if answer.status.is_some() => Access::Denied,
                Ok(_) => Access::Unknown,
                Err(error) => {
                    tracing::warn!(%error, "the API server did not say whether a requester may act");
                    Access::Unknown
                }
            }
        })
    }
}
