//! Tokens of git providers, and of the account by which they are requested, kept valid.
//!
//! A token is requested when it is needed and the cached one expires soon; concurrent callers share the request. The
//! refresh token of the account is renewed before it expires, whether tokens are needed or not.

use crate::sidecar::web::{GitToken, TokenClient, TokenRequestError};
use base64::{Engine, engine::general_purpose};
use http::HeaderValue;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::sync::Mutex;

/// A provider of tokens for repositories.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct Provider {
    /// Id of the provider, by which repositories refer to it.
    pub id: String,
    /// URL that tokens are requested from.
    pub access_token_url: String,
}

/// The account of the session's user.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Account {
    /// The access token.
    pub access: String,
    /// The refresh token.
    pub refresh: String,
    /// URL that refreshes them.
    pub token_url: String,
    /// Id and secret of the OAuth client.
    pub client: Option<(String, String)>,
}

/// The sources of tokens.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct TokenSettings {
    /// The providers.
    pub providers: Vec<Provider>,
    /// The account; `None` in an anonymous session.
    pub account: Option<Account>,
    /// How often the account's tokens are checked.
    pub period: Duration,
}

/// There is no token for a provider.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FindTokenError {
    /// The provider is not configured.
    #[error("the provider is not known")]
    Provider,
    /// The session is anonymous.
    #[error("the session has no account")]
    Account,
    /// The request failed.
    #[error(transparent)]
    Ask(#[from] TokenRequestError),
}

/// The response of a token server.
#[derive(Deserialize)]
struct Answer {
    access_token: String,
    #[serde(default)]
    refresh_token: Option<String>,
}

/// The tokens, shared.
#[derive(Clone)]
pub(crate) struct Tokens(Arc<Shared>);

struct Shared {
    web: TokenClient,
    providers: Vec<Provider>,
    period: Duration,
    account: Mutex<Option<Account>>,
    known: Mutex<HashMap<String, GitToken>>,
}

impl Tokens {
    /// None yet.
    pub(crate) fn new(settings: TokenSettings) -> Self {
        Self(Arc::new(Shared {
            web: TokenClient::default(),
            providers: settings.providers,
            period: settings.period,
            account: Mutex::new(settings.account),
            known: Mutex::default(),
        }))
    }

    /// How long before its end a token is no longer good enough: several looks fit in between.
    fn margin(&self) -> SignedDuration {
        SignedDuration::try_from(self.0.period * 4).unwrap_or(SignedDuration::MAX)
    }

    /// What git shows to the hosts of `provider`.
    pub(crate) async fn authorization(&self, provider: &str) -> Result<HeaderValue, FindTokenError> {
        let mut known = self.0.known.lock().await;
        let now = Timestamp::now();
        let good = known.get(provider).filter(|token| !ends_within(expiry(token), self.margin(), now));
        let token = match good {
            Some(token) => token.clone(),
            None => {
                let token = self.ask(provider).await?;
                known.insert(provider.to_owned(), token.clone());
                token
            }
        };
        let text = general_purpose::STANDARD.encode(format!("oauth2:{}", token.access_token));
        let mut value =
            HeaderValue::from_str(&format!("Basic {text}")).map_err(|_| TokenRequestError::Read)?;
        value.set_sensitive(true);
        Ok(value)
    }

    async fn ask(&self, provider: &str) -> Result<GitToken, FindTokenError> {
        let provider = self.0.providers.iter().find(|known| known.id == provider);
        let url = &provider.ok_or(FindTokenError::Provider)?.access_token_url;
        let access = {
            let mut account = self.0.account.lock().await;
            let account = account.as_mut().ok_or(FindTokenError::Account)?;
            if ends_within(jwt_expiry(&account.access), SignedDuration::from_secs(10), Timestamp::now()) {
                self.renew(account).await?;
            }
            account.access.clone()
        };
        Ok(self.0.web.git_token(url, &access).await?)
    }

    async fn renew(&self, account: &mut Account) -> Result<(), TokenRequestError> {
        let authorization = account.client.as_ref().map(|(id, secret)| {
            let text = general_purpose::STANDARD.encode(format!("{id}:{secret}"));
            HeaderValue::from_str(&format!("Basic {text}")).map_err(|_| TokenRequestError::Read)
        });
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "refresh_token")
            .append_pair("refresh_token", &account.refresh)
            .finish();
        let answer: Answer = self.0.web.post(&account.token_url, authorization.transpose()?, &form).await?;
        account.access = answer.access_token;
        if let Some(refresh) = answer.refresh_token {
            account.refresh = refresh;
        }
        Ok(())
    }

    /// Renews the account's tokens before the refresh token ends, for ever.
    pub(crate) async fn keep_fresh(self) {
        loop {
            tokio::time::sleep(self.0.period).await;
            let mut account = self.0.account.lock().await;
            let Some(account) = account.as_mut() else { continue };
            if ends_within(jwt_expiry(&account.refresh), self.margin(), Timestamp::now())
                && let Err(error) = self.renew(account).await
            {
                tracing::warn!(%error, "the account's tokens are not renewed");
            }
        }
    }
}

/// Whether something that ends at `expiry` does so within `margin` of `now`. What has no end does not.
fn ends_within(expiry: Option<Timestamp>, margin: SignedDuration, now: Timestamp) -> bool {
    expiry.is_some_and(|expiry| expiry.duration_since(now) <= margin)
}

fn expiry(token: &GitToken) -> Option<Timestamp> {
    // Fractions of a second do not matter.
    token.expires_at.and_then(|seconds| Timestamp::from_second(seconds as i64).ok())
}

/// When a token says of itself that it ends. Who it is for checks it; here it only says when to ask for another.
fn jwt_expiry(token: &str) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Claims {
        exp: f64,
    }
    let claims = general_purpose::URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Claims = serde_json::from_slice(&claims).ok()?;
    Timestamp::from_second(claims.exp as i64).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn jwt(claims: &str) -> String {
        format!("e30.{}.sig", general_purpose::URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn the_end_of_a_token_is_read() {
        let expected = Timestamp::from_second(1_700_000_000).unwrap();
        assert_eq!(jwt_expiry(&jwt(r#"{"exp": 1700000000, "sub": "a"}"#)), Some(expected));
        for other in
            ["", "opaque", "a.b.c", &jwt("{}"), &jwt(r#"{"exp": "soon"}"#), &jwt(r#"{"exp": 1e300}"#)]
        {
            assert_eq!(jwt_expiry(other), None, "{other}");
        }
    }

    #[rstest]
    #[case(Some(3600), false)]
    #[case(Some(61), false)]
    #[case(Some(60), true)]
    #[case(Some(-5), true)]
    #[case(None, false)]
    fn tokens_end(#[case] seconds: Option<i64>, #[case] expected: bool) {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let expiry = seconds.map(|seconds| now + SignedDuration::from_secs(seconds));
        assert_eq!(ends_within(expiry, SignedDuration::from_secs(60), now), expected);
    }
}
