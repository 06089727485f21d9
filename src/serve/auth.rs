//! The question who asks, before something is served that not everybody may read.
//!
//! Whoever asks shows a token, and the API server says whose it is and whether they may. Nothing is asked for those who
//! show no token, and little at a time for the rest.

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::future::BoxFuture;
use std::{fmt, sync::Arc};
use tokio::sync::Semaphore;

/// What somebody wants to read; the right to it is one of the API server's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessRequest {
    /// To `get` a path that is no resource.
    Path(&'static str),
    /// To `get` the resource `idesessions/log` of this object.
    IdeLog(String),
}

impl fmt::Display for AccessRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "get the path {path}"),
            Self::IdeLog(name) => write!(f, "get idesessions/log of {name:?}"),
        }
    }
}

/// What is said of whoever shows a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthDecision {
    /// May read it.
    Allowed,
    /// Is known, and may not.
    Denied,
    /// The token is nobody's.
    Unauthenticated,
    /// The API server does not say.
    Unavailable,
}

/// Who knows the owners of tokens.
pub trait Authorizer: Send + Sync + 'static {
    /// What there is to say of whoever shows `token` and wishes to read something.
    fn ask<'a>(&'a self, token: &'a str, request: &'a AccessRequest) -> BoxFuture<'a, AuthDecision>;
}

/// Why somebody is turned away.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// No token, or one of nobody.
    #[error("a bearer token is needed")]
    Unauthenticated,
    /// They may not.
    #[error("you may not {0}")]
    Denied(AccessRequest),
    /// Too many questions are open.
    #[error("too many ask at once")]
    TooManyRequests,
    /// The API server does not answer.
    #[error("the API server does not say who you are")]
    Unavailable,
}

impl AuthError {
    /// The status to answer with.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Denied(_) => StatusCode::FORBIDDEN,
            Self::TooManyRequests | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// `response` with what goes with this beside the status.
    pub fn with_headers(&self, mut response: Response) -> Response {
        if let Self::Unauthenticated = self {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl IntoResponse for AuthError {
    fn into_response(self) -> Response {
        self.with_headers((self.status(), format!("{self}\n")).into_response())
    }
}

/// Lets those in who may.
#[derive(Clone)]
pub struct AuthGate {
    authorizer: Arc<dyn Authorizer>,
    questions: Arc<Semaphore>,
}

impl AuthGate {
    /// A gate at which so many questions are put to the API server at a time.
    pub fn new(authorizer: Arc<dyn Authorizer>, questions: usize) -> Self {
        Self { authorizer, questions: Arc::new(Semaphore::new(questions)) }
    }

    /// Whether whoever sent `headers` may have their request.
    pub async fn admit(&self, headers: &HeaderMap, request: AccessRequest) -> Result<(), AuthError> {
        let token = token(headers).ok_or(AuthError::Unauthenticated)?;
        let _question = self.questions.try_acquire().map_err(|_| AuthError::TooManyRequests)?;
        match self.authorizer.ask(token, &request).await {
            AuthDecision::Allowed => Ok(()),
            AuthDecision::Denied => Err(AuthError::Denied(request)),
            AuthDecision::Unauthenticated => Err(AuthError::Unauthenticated),
            AuthDecision::Unavailable => Err(AuthError::Unavailable),
        }
    }
}

fn token(headers: &HeaderMap) -> Option<&str> {
    let header = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = header.split_once(' ')?;
    Some(token.trim()).filter(|token| scheme.eq_ignore_ascii_case("bearer") && !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    struct Guests;

    impl Authorizer for Guests {
        fn ask<'a>(&'a self, token: &'a str, _: &'a AccessRequest) -> BoxFuture<'a, AuthDecision> {
            let said = match token {
                "prometheus" => AuthDecision::Allowed,
                "somebody" => AuthDecision::Denied,
                "silence" => AuthDecision::Unavailable,
                _ => AuthDecision::Unauthenticated,
            };
            Box::pin(async move { said })
        }
    }

    fn showing(header: Option<&str>) -> HeaderMap {
        header.map(|header| (header::AUTHORIZATION, header.parse().unwrap())).into_iter().collect()
    }

    #[rstest]
    #[case::none(None, Some(401))]
    #[case::welcome(Some("Bearer prometheus"), None)]
    #[case::any_case(Some("bearer  prometheus"), None)]
    #[case::refused(Some("Bearer somebody"), Some(403))]
    #[case::unknown(Some("Bearer nobody"), Some(401))]
    #[case::unanswered(Some("Bearer silence"), Some(503))]
    #[case::basic(Some("Basic prometheus"), Some(401))]
    #[case::empty(Some("Bearer "), Some(401))]
    #[tokio::test]
    async fn only_the_welcome_come_in(#[case] header: Option<&str>, #[case] status: Option<u16>) {
        let gate = AuthGate::new(Arc::new(Guests), 1);
        let turned = gate.admit(&showing(header), AccessRequest::Path("/metrics")).await.err();
        assert_eq!(turned.as_ref().map(|turned| turned.status().as_u16()), status);
        let challenge =
            turned.map(|turned| turned.into_response().headers().contains_key("www-authenticate"));
        assert_eq!(challenge, status.map(|status| status == 401));
    }

    #[tokio::test]
    async fn questions_are_bounded() {
        struct Never;
        impl Authorizer for Never {
            fn ask<'a>(&'a self, _: &'a str, _: &'a AccessRequest) -> BoxFuture<'a, AuthDecision> {
                Box::pin(std::future::pending())
            }
        }
        let gate = AuthGate::new(Arc::new(Never), 2);
        let headers = showing(Some("Bearer x"));
        let mut waiting: Vec<_> =
            (0..2).map(|_| Box::pin(gate.admit(&headers, AccessRequest::Path("/metrics")))).collect();
        for question in &mut waiting {
            assert!(futures::poll!(question).is_pending());
        }
        assert!(matches!(
            gate.admit(&headers, AccessRequest::Path("/metrics")).await,
            Err(AuthError::TooManyRequests)
        ));
        drop(waiting);
        assert!(futures::poll!(Box::pin(gate.admit(&headers, AccessRequest::Path("/metrics")))).is_pending());
    }
}
