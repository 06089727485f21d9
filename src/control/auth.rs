//! Asks the API server who shows a token, and whether they may read what they wish to.

use super::{api, errors::CallError};
use crate::serve::auth::{AccessRequest, AuthDecision, Authorizer};
use futures::future::BoxFuture;
use k8s_openapi::api::{
    authentication::v1::{TokenReview, TokenReviewSpec, UserInfo},
    authorization::v1::{
        NonResourceAttributes, ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
    },
};
use kube::{Api, Client, api::PostParams};
use sojourn_crds::ide_session;

/// Asks by TokenReview, and then by SubjectAccessReview.
pub struct Reviews(pub Client);

impl Authorizer for Reviews {
    fn ask<'a>(&'a self, token: &'a str, wish: &'a AccessRequest) -> BoxFuture<'a, AuthDecision> {
        Box::pin(async move {
            let user = match self.owner(token).await {
                Ok(Some(user)) => user,
                Ok(None) => return AuthDecision::Unauthenticated,
                Err(error) => return unanswered(&error),
            };
            match self.may(user, wish).await {
                Ok(true) => AuthDecision::Allowed,
                Ok(false) => AuthDecision::Denied,
                Err(error) => unanswered(&error),
            }
        })
    }
}

fn unanswered(error: &CallError) -> AuthDecision {
    tracing::warn!(%error, "the API server did not say who asks");
    AuthDecision::Unavailable
}

impl Reviews {
    /// Whose token it is, if it is anybody's.
    async fn owner(&self, token: &str) -> Result<Option<UserInfo>, CallError> {
        let spec = TokenReviewSpec { token: Some(token.to_owned()), ..TokenReviewSpec::default() };
        let reviews: Api<TokenReview> = Api::all(self.0.clone());
        let review = TokenReview { spec, ..TokenReview::default() };
        let status = api::within(reviews.create(&PostParams::default(), &review)).await?.status;
        Ok(status.filter(|status| status.authenticated == Some(true)).and_then(|status| status.user))
    }

    /// Whether `user` may have their wish.
    async fn may(&self, user: UserInfo, wish: &AccessRequest) -> Result<bool, CallError> {
        let spec = SubjectAccessReviewSpec {
            user: user.username,
            groups: user.groups,
            uid: user.uid,
            extra: user.extra,
            ..attributes(wish)
        };
        let reviews: Api<SubjectAccessReview> = Api::all(self.0.clone());
        let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
        let status = api::within(reviews.create(&PostParams::default(), &review)).await?.status;
        Ok(status.is_some_and(|status| status.allowed))
    }
}

fn attributes(wish: &AccessRequest) -> SubjectAccessReviewSpec {
    let verb = Some("get".to_owned());
    match wish {
        AccessRequest::Path(path) => SubjectAccessReviewSpec {
            non_resource_attributes: Some(NonResourceAttributes { path: Some((*path).to_owned()), verb }),
            ..SubjectAccessReviewSpec::default()
        },
        AccessRequest::IdeLog(name) => SubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                verb,
                group: Some(ide_session::GROUP.to_owned()),
                version: Some("v1".to_owned()),
                resource: Some("idesessions".to_owned()),
                subresource: Some("log".to_owned()),
                name: Some(name.clone()),
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        },
    }
}
