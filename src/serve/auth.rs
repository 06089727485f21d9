//! Authentication and authorization of clients, for what is served and not every client may read.
//!
//! A client sends a bearer token. The API server says whose token it is, and whether that user may do what the request
//! is for. A request without a token costs no call, and the number of calls at a time is bounded.

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::future::BoxFuture;
use k8s_openapi::api::authorization::v1::{NonResourceAttributes, ResourceAttributes};
use std::{fmt, sync::Arc};
use tokio::sync::Semaphore;

/// What a client asks to do, in the terms by which the API server authorizes it.
#[derive(Clone, Debug, PartialEq)]
pub enum AccessRequest {
    /// A verb on a resource or an object.
    Resource(Box<ResourceAttributes>),
    /// A verb on a path that is no resource.
    NonResource(NonResourceAttributes),
}

impl AccessRequest {
    /// To `get` a path that is no resource.
    pub fn get_path(path: &str) -> Self {
        Self::NonResource(NonResourceAttributes { path: Some(path.to_owned()), verb: Some("get".to_owned()) })
    }
}

impl fmt::Display for AccessRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NonResource(NonResourceAttributes { path, verb }) => {
                write!(f, "{} the path {}", text(verb), text(path))
            }
            Self::Resource(attributes) => {
                write!(f, "{} {}", text(&attributes.verb), text(&attributes.resource))?;
                if let Some(subresource) = &attributes.subresource {
                    write!(f, "/{subresource}")?;
                }
                if let Some(name) = &attributes.name {
                    write!(f, " of {name:?}")?;
                }
                if let Some(namespace) = &attributes.namespace {
                    write!(f, " in the namespace {namespace}")?;
                }
                Ok(())
            }
        }
    }
}

fn text(field: &Option<String>) -> &str {
    field.as_deref().unwrap_or_default()
}

/// What the API server says of a token and a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthDecision {
    /// The user of the token may do it.
    Allowed,
    /// The user of the token may not do it.
    Denied,
    /// The token is not valid.
    Unauthenticated,
    /// The API server does not answer.
    Unavailable,
}

/// Authenticates tokens and authorizes their users.
pub trait Authorizer: Send + Sync + 'static {
    /// Whether the user of `token` may do what `request` says.
    fn ask<'a>(&'a self, token: &'a str, request: &'a AccessRequest) -> BoxFuture<'a, AuthDecision>;
}

/// A request is not admitted.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// It has no token, or one that is not valid.
    #[error("a bearer token is needed")]
    Unauthenticated,
    /// The user may not do it.
    #[error("you may not {0}")]
    Denied(AccessRequest),
    /// Too many decisions are pending.
    #[error("too many ask at once")]
    TooManyRequests,
    /// The API server does not answer.
    #[error("the API server does not say who you are")]
    Unavailable,
}

impl AuthError {
    /// The status code of the response, with its reason in the words of API servers.
    pub fn status(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Unauthenticated => (StatusCode::UNAUTHORIZED, "Unauthorized"),
            Self::Denied(_) => (StatusCode::FORBIDDEN, "Forbidden"),
            Self::TooManyRequests | Self::Unavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable")
            }
        }
    }

    /// `response` with the headers that HTTP demands for this error.
    pub fn with_headers(&self, mut response: Response) -> Response {
        if let Self::Unauthenticated = self {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl IntoResponse for AuthError {
    fn into_response(self) -> Response {
        self.with_headers((self.status().0, format!("{self}\n")).into_response())
    }
}

/// Admits the requests that the API server authorizes. One gate serves any number of APIs.
#[derive(Clone)]
pub struct AuthGate {
    authorizer: Arc<dyn Authorizer>,
    decisions: Arc<Semaphore>,
}

impl AuthGate {
    /// A gate with at most `decisions` pending at a time.
    pub fn new(authorizer: Arc<dyn Authorizer>, decisions: usize) -> Self {
        Self { authorizer, decisions: Arc::new(Semaphore::new(decisions)) }
    }

    /// Admits the client that sent `headers` to do what `request` says, or not.
    pub async fn admit(&self, headers: &HeaderMap, request: AccessRequest) -> Result<(), AuthError> {
        let token = bearer_token(headers).ok_or(AuthError::Unauthenticated)?;
        let _permit = self.decisions.try_acquire().map_err(|_| AuthError::TooManyRequests)?;
        match self.authorizer.ask(token, &request).await {
            AuthDecision::Allowed => Ok(()),
            AuthDecision::Denied => Err(AuthError::Denied(request)),
            AuthDecision::Unauthenticated => Err(AuthError::Unauthenticated),
            AuthDecision::Unavailable => Err(AuthError::Unavailable),
        }
    }
}

fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let header = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = header.split_once(' ')?;
    Some(token.trim()).filter(|token| scheme.eq_ignore_ascii_case("bearer") && !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    struct Users;

    impl Authorizer for Users {
        fn ask<'a>(&'a self, token: &'a str, _: &'a AccessRequest) -> BoxFuture<'a, AuthDecision> {
            let decision = match token {
                "prometheus" => AuthDecision::Allowed,
                "mallory" => AuthDecision::Denied,
                "timeout" => AuthDecision::Unavailable,
                _ => AuthDecision::Unauthenticated,
            };
            Box::pin(async move { decision })
        }
    }

    fn with_authorization(header: Option<&str>) -> HeaderMap {
        header.map(|header| (header::AUTHORIZATION, header.parse().unwrap())).into_iter().collect()
    }

    #[rstest]
    #[case::none(None, Some(401))]
    #[case::allowed(Some("Bearer prometheus"), None)]
    #[case::any_case(Some("bearer  prometheus"), None)]
    #[case::denied(Some("Bearer mallory"), Some(403))]
    #[case::unknown(Some("Bearer unknown"), Some(401))]
    #[case::unanswered(Some("Bearer timeout"), Some(503))]
    #[case::basic(Some("Basic prometheus"), Some(401))]
    #[case::empty(Some("Bearer "), Some(401))]
    #[tokio::test]
    async fn only_authorized_requests_are_admitted(
        #[case] header: Option<&str>,
        #[case] status: Option<u16>,
    ) {
        let gate = AuthGate::new(Arc::new(Users), 1);
        let error = gate.admit(&with_authorization(header), AccessRequest::get_path("/metrics")).await.err();
        assert_eq!(error.as_ref().map(|error| error.status().0.as_u16()), status);
        let challenge = error.map(|error| error.into_response().headers().contains_key("www-authenticate"));
        assert_eq!(challenge, status.map(|status| status == 401));
    }

    #[tokio::test]
    async fn pending_decisions_are_bounded() {
        struct Never;
        impl Authorizer for Never {
            fn ask<'a>(&'a self, _: &'a str, _: &'a AccessRequest) -> BoxFuture<'a, AuthDecision> {
                Box::pin(std::future::pending())
            }
        }
        let gate = AuthGate::new(Arc::new(Never), 2);
        let headers = with_authorization(Some("Bearer x"));
        let mut waiting: Vec<_> =
            (0..2).map(|_| Box::pin(gate.admit(&headers, AccessRequest::get_path("/metrics")))).collect();
        for decision in &mut waiting {
            assert!(futures::poll!(decision).is_pending());
        }
        assert!(matches!(
            gate.admit(&headers, AccessRequest::get_path("/metrics")).await,
            Err(AuthError::TooManyRequests)
        ));
        drop(waiting);
        assert!(
            futures::poll!(Box::pin(gate.admit(&headers, AccessRequest::get_path("/metrics")))).is_pending()
        );
    }

    #[test]
    fn a_denial_names_what_was_asked_for() {
        let attributes = ResourceAttributes {
            verb: Some("delete".into()),
            resource: Some("notebooks".into()),
            namespace: Some("ns".into()),
            name: Some("x".into()),
            ..ResourceAttributes::default()
        };
        let denied = AuthError::Denied(AccessRequest::Resource(Box::new(attributes)));
        assert_eq!(denied.to_string(), "you may not delete notebooks of \"x\" in the namespace ns");
        let denied = AuthError::Denied(AccessRequest::get_path("/metrics"));
        assert_eq!(denied.to_string(), "you may not get the path /metrics");
    }
}
