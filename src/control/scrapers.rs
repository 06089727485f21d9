//! Asks the API server who shows a token to the metrics, and whether they may read them.

use super::api;
use crate::serve::metrics::{PATH, Scraper, Scrapers};
use futures::future::BoxFuture;
use k8s_openapi::api::{
    authentication::v1::{TokenReview, TokenReviewSpec, UserInfo},
    authorization::v1::{NonResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec},
};
use kube::{Api, Client, api::PostParams};

/// Asks by TokenReview, and then by SubjectAccessReview.
pub struct Reviews(pub Client);

impl Scrapers for Reviews {
    fn ask<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Scraper> {
        Box::pin(async move {
            let user = match self.owner(token).await {
                Ok(Some(user)) => user,
                Ok(None) => return Scraper::Unknown,
                Err(error) => return unanswered(&error),
            };
            match self.may_read(user).await {
                Ok(true) => Scraper::Welcome,
                Ok(false) => Scraper::Refused,
                Err(error) => unanswered(&error),
            }
        })
    }
}

fn unanswered(error: &super::errors::CallError) -> Scraper {
    tracing::warn!(%error, "the API server did not say who asks for metrics");
    Scraper::Unanswered
}

impl Reviews {
    /// Whose token it is, if it is anybody's.
    async fn owner(&self, token: &str) -> Result<Option<UserInfo>, super::errors::CallError> {
        let spec = TokenReviewSpec { token: Some(token.to_owned()), ..TokenReviewSpec::default() };
        let reviews: Api<TokenReview> = Api::all(self.0.clone());
        let review = TokenReview { spec, ..TokenReview::default() };
        let status = api::within(reviews.create(&PostParams::default(), &review)).await?.status;
        Ok(status.filter(|status| status.authenticated == Some(true)).and_then(|status| status.user))
    }

    async fn may_read(&self, user: UserInfo) -> Result<bool, super::errors::CallError> {
        let path = NonResourceAttributes { path: Some(PATH.to_owned()), verb: Some("get".to_owned()) };
        let spec = SubjectAccessReviewSpec {
            user: user.username,
            groups: user.groups,
            uid: user.uid,
            extra: user.extra,
            non_resource_attributes: Some(path),
            ..SubjectAccessReviewSpec::default()
        };
        let reviews: Api<SubjectAccessReview> = Api::all(self.0.clone());
        let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
        let status = api::within(reviews.create(&PostParams::default(), &review)).await?.status;
        Ok(status.is_some_and(|status| status.allowed))
    }
}
