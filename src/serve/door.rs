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
pub enum Wish {
    /// To `get` a path that is no resource.
    Path(&'static str),
    /// To `get` the resource `idesessions/log` of this object.
    IdeLog(String),
}

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "get the path {path}"),
            Self::IdeLog(name) => write!(f, "get idesessions/log of {name:?}"),
        }
    }
}

/// What is said of whoever shows a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visitor {
    /// May read it.
    Welcome,
    /// Is known, and may not.
    Refused,
    /// The token is nobody's.
    Unknown,
    /// The API server does not say.
    Unanswered,
}

/// Who knows the owners of tokens.
pub trait Visitors: Send + Sync + 'static {
    /// What there is to say of whoever shows `token` and wishes to read something.
    fn ask<'a>(&'a self, token: &'a str, wish: &'a Wish) -> BoxFuture<'a, Visitor>;
}

/// Why somebody is turned away.
#[derive(Debug, thiserror::Error)]
pub enum Turned {
    /// No token, or one of nobody.
    #[error("a bearer token is needed")]
    WhoAreYou,
    /// They may not.
    #[error("you may not {0}")]
    Refused(Wish),
    /// Too many questions are open.
    #[error("too many ask at once")]
    Crowd,
    /// The API server does not answer.
    #[error("the API server does not say who you are")]
    Unanswered,
}

impl Turned {
    /// The status to answer with.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::WhoAreYou => StatusCode::UNAUTHORIZED,
            Self::Refused(_) => StatusCode::FORBIDDEN,
            Self::Crowd | Self::Unanswered => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// `response` with what goes with this beside the status.
    pub fn with_headers(&self, mut response: Response) -> Response {
        if let Self::WhoAreYou = self {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl IntoResponse for Turned {
    fn into_response(self) -> Response {
        self.with_headers((self.status(), format!("{self}\n")).into_response())
    }
}

/// Lets those in who may.
#[derive(Clone)]
pub struct Door {
    visitors: Arc<dyn Visitors>,
    questions: Arc<Semaphore>,
}

impl Door {
    /// A door at which so many questions are put to the API server at a time.
    pub fn new(visitors: Arc<dyn Visitors>, questions: usize) -> Self {
        Self { visitors, questions: Arc::new(Semaphore::new(questions)) }
    }

    /// Whether whoever sent `headers` may have their wish.
    pub async fn admit(&self, headers: &HeaderMap, wish: Wish) -> Result<(), Turned> {
        let token = token(headers).ok_or(Turned::WhoAreYou)?;
        let _question = self.questions.try_acquire().map_err(|_| Turned::Crowd)?;
        match self.visitors.ask(token, &wish).await {
            Visitor::Welcome => Ok(()),
            Visitor::Refused => Err(Turned::Refused(wish)),
            Visitor::Unknown => Err(Turned::WhoAreYou),
            Visitor::Unanswered => Err(Turned::Unanswered),
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

    impl Visitors for Guests {
        fn ask<'a>(&'a self, token: &'a str, _: &'a Wish) -> BoxFuture<'a, Visitor> {
            let said = match token {
                "prometheus" => Visitor::Welcome,
                "somebody" => Visitor::Refused,
                "silence" => Visitor::Unanswered,
                _ => Visitor::Unknown,
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
        let door = Door::new(Arc::new(Guests), 1);
        let turned = door.admit(&showing(header), Wish::Path("/metrics")).await.err();
        assert_eq!(turned.as_ref().map(|turned| turned.status().as_u16()), status);
        let challenge =
            turned.map(|turned| turned.into_response().headers().contains_key("www-authenticate"));
        assert_eq!(challenge, status.map(|status| status == 401));
    }

    #[tokio::test]
    async fn questions_are_bounded() {
        struct Never;
        impl Visitors for Never {
            fn ask<'a>(&'a self, _: &'a str, _: &'a Wish) -> BoxFuture<'a, Visitor> {
                Box::pin(std::future::pending())
            }
        }
        let door = Door::new(Arc::new(Never), 2);
        let headers = showing(Some("Bearer x"));
        let mut waiting: Vec<_> =
            (0..2).map(|_| Box::pin(door.admit(&headers, Wish::Path("/metrics")))).collect();
        for question in &mut waiting {
            assert!(futures::poll!(question).is_pending());
        }
        assert!(matches!(door.admit(&headers, Wish::Path("/metrics")).await, Err(Turned::Crowd)));
        drop(waiting);
        assert!(futures::poll!(Box::pin(door.admit(&headers, Wish::Path("/metrics")))).is_pending());
    }
}
