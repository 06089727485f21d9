//! Authenticates tokens by TokenReview and authorizes users by SubjectAccessReview.

use super::{api, errors::CallError};
use crate::serve::auth::{AccessRequest, AuthDecision, Authorizer};
use futures::future::BoxFuture;
use k8s_openapi::api::{
    authentication::v1::{TokenReview, TokenReviewSpec, UserInfo},
    authorization::v1::{SubjectAccessReview, SubjectAccessReviewSpec},
};
use kube::{Api, Client, api::PostParams};

/// Authorizes the requests of clients that send a token.
pub(crate) struct TokenAuthorizer(pub Client);

impl Authorizer for TokenAuthorizer {
    fn ask<'a>(&'a self, token: &'a str, request: &'a AccessRequest) -> BoxFuture<'a, AuthDecision> {
        Box::pin(async move {
            let user = match self.user(token).await {
                Ok(Some(user)) => user,
                Ok(None) => return AuthDecision::Unauthenticated,
                Err(error) => return unavailable(&error),
            };
            match api::within(review_access(&self.0, user, request.clone())).await {
                Ok(Some(true)) => AuthDecision::Allowed,
                Ok(_) => AuthDecision::Denied,
                Err(error) => unavailable(&error),
            }
        })
    }
}

fn unavailable(error: &CallError) -> AuthDecision {
    tracing::warn!(%error, "the API server did not say who asks");
    AuthDecision::Unavailable
}

impl TokenAuthorizer {
    /// The user of a token, if it is valid. No audience is named, so it has to be made for the API server, as for those
    /// APIs of a cluster that are served by others.
    async fn user(&self, token: &str) -> Result<Option<UserInfo>, CallError> {
        let spec = TokenReviewSpec { token: Some(token.to_owned()), ..TokenReviewSpec::default() };
        let reviews: Api<TokenReview> = Api::all(self.0.clone());
        let review = TokenReview { spec, ..TokenReview::default() };
        let status = api::within(reviews.create(&PostParams::default(), &review)).await?.status;
        Ok(status.filter(|status| status.authenticated == Some(true)).and_then(|status| status.user))
    }
}

/// Whether `user` may do what `request` says. `None` if the API server's answer does not say.
pub(super) async fn review_access(
    client: &Client,
    user: UserInfo,
    request: AccessRequest,
) -> kube::Result<Option<bool>> {
    let (resource_attributes, non_resource_attributes) = match request {
        AccessRequest::Resource(attributes) => (Some(*attributes), None),
        AccessRequest::NonResource(attributes) => (None, Some(attributes)),
    };
    let spec = SubjectAccessReviewSpec {
        user: user.username,
        groups: user.groups,
        uid: user.uid,
        extra: user.extra,
        resource_attributes,
        non_resource_attributes,
    };
    let reviews: Api<SubjectAccessReview> = Api::all(client.clone());
    let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
    let status = reviews.create(&PostParams::default(), &review).await?.status;
    Ok(status.map(|status| status.allowed))
}
