//! Metrics by TLS, for those only who may read them: whoever asks shows a token, and the API server says whose it is
//! and whether they may `get` the path `/metrics`.
//!
//! The certificate is signed by an authority that ends with the process, as the original's is: scrapers do not verify
//! it, and the token is theirs to give. Nothing is asked for those who show no token, and little at a time for the rest.

use super::webhooks::{Limits, ServeWebhooks, serve_router};
use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use futures::future::BoxFuture;
use jiff::Timestamp;
use sojourn_certs::{Authority, CertResolver, Leaf, Names, authority::AuthorityError, leaf::LeafError};
use std::{sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;

/// The path that a right is about.
pub const PATH: &str = "/metrics";
/// How many questions are put to the API server at a time.
const AT_A_TIME: usize = 4;
/// How often the age of the certificate is looked at, by wall clock.
const TICK: Duration = Duration::from_secs(600);

/// What is said of whoever shows a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scraper {
    /// May read metrics.
    Welcome,
    /// Is known, and may not.
    Refused,
    /// The token is nobody's.
    Unknown,
    /// The API server does not say.
    Unanswered,
}

/// Who knows the owners of tokens.
pub trait Scrapers: Send + Sync + 'static {
    /// What there is to say of whoever shows `token`.
    fn ask<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Scraper>;
}

/// A certificate for the metrics could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MakeCertificate {
    /// Its authority.
    #[error("the authority of the metrics' certificate: {0}")]
    Authority(#[from] AuthorityError),
    /// Itself.
    #[error("the metrics' certificate: {0}")]
    Leaf(#[from] LeafError),
}

/// Serves `routes` to welcome scrapers until `stop`.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    scrapers: Arc<dyn Scrapers>,
    stop: CancellationToken,
) -> Result<(), ServeWebhooks> {
    let resolver = Arc::new(CertResolver::default());
    let keeping = keep(resolver.clone());
    tokio::select! {
        served = serve_router(listener, resolver, guarded(routes, scrapers), Limits::default(), stop) => served,
        // It ends with the server only.
        () = keeping => Ok(()),
    }
}

/// Keeps a certificate that is good for as long as the process lives.
async fn keep(resolver: Arc<CertResolver>) {
    let mut renew_at = Timestamp::MIN;
    let mut ticks = tokio::time::interval(TICK);
    loop {
        ticks.tick().await;
        let now = Timestamp::now();
        if now < renew_at {
            continue;
        }
        match certificate(now) {
            Ok((key, at)) => {
                resolver.set(key);
                renew_at = at;
            }
            Err(error) => tracing::error!(%error, "metrics go on with the old certificate, if there is one"),
        }
    }
}

fn certificate(now: Timestamp) -> Result<(Arc<rustls::sign::CertifiedKey>, Timestamp), MakeCertificate> {
    let leaf = Leaf::issue(&Authority::generate(now)?, &Names::loopback(), now)?;
    Ok((leaf.certified_key()?, leaf.renew_at()))
}

/// `routes` behind the question who asks.
fn guarded(routes: Router, scrapers: Arc<dyn Scrapers>) -> Router {
    let door = Door { scrapers, questions: Arc::new(Semaphore::new(AT_A_TIME)) };
    routes.layer(middleware::from_fn_with_state(door, admit))
}

#[derive(Clone)]
struct Door {
    scrapers: Arc<dyn Scrapers>,
    questions: Arc<Semaphore>,
}

async fn admit(State(door): State<Door>, request: Request, next: Next) -> Response {
    let Some(token) = token(&request) else { return who_are_you() };
    let Ok(_question) = door.questions.try_acquire() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many ask at once\n").into_response();
    };
    match door.scrapers.ask(token).await {
        Scraper::Welcome => next.run(request).await,
        Scraper::Refused => (StatusCode::FORBIDDEN, "you may not get the path /metrics\n").into_response(),
        Scraper::Unknown => who_are_you(),
        Scraper::Unanswered => {
            (StatusCode::SERVICE_UNAVAILABLE, "the API server does not say who you are\n").into_response()
        }
    }
}

fn token(request: &Request) -> Option<&str> {
    let header = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = header.split_once(' ')?;
    Some(token.trim()).filter(|token| scheme.eq_ignore_ascii_case("bearer") && !token.is_empty())
}

fn who_are_you() -> Response {
    let mut response = (StatusCode::UNAUTHORIZED, "a bearer token is needed\n").into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{body::Body, routing::get};
    use rstest::rstest;
    use tower::ServiceExt;

    struct Guests;

    impl Scrapers for Guests {
        fn ask<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Scraper> {
            let said = match token {
                "prometheus" => Scraper::Welcome,
                "somebody" => Scraper::Refused,
                "silence" => Scraper::Unanswered,
                _ => Scraper::Unknown,
            };
            Box::pin(async move { said })
        }
    }

    #[rstest]
    #[case::none(None, 401)]
    #[case::welcome(Some("Bearer prometheus"), 200)]
    #[case::any_case(Some("bearer  prometheus"), 200)]
    #[case::refused(Some("Bearer somebody"), 403)]
    #[case::unknown(Some("Bearer nobody"), 401)]
    #[case::unanswered(Some("Bearer silence"), 503)]
    #[case::basic(Some("Basic prometheus"), 401)]
    #[case::empty(Some("Bearer "), 401)]
    #[tokio::test]
    async fn only_the_welcome_read(#[case] header: Option<&str>, #[case] status: u16) {
        let routes = guarded(Router::new().route(PATH, get(async || "figures")), Arc::new(Guests));
        let mut request = axum::http::Request::get(PATH);
        if let Some(header) = header {
            request = request.header("authorization", header);
        }
        let response = routes.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status().as_u16(), status);
        let body = axum::body::to_bytes(response.into_body(), 1 << 10).await.unwrap();
        assert_eq!(&body[..] == b"figures", status == 200);
    }

    #[tokio::test]
    async fn questions_are_bounded() {
        struct Never(Arc<Semaphore>);
        impl Scrapers for Never {
            fn ask<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Scraper> {
                self.0.add_permits(1);
                Box::pin(std::future::pending())
            }
        }
        let asked = Arc::new(Semaphore::new(0));
        let never = Arc::new(Never(asked.clone()));
        let routes = guarded(Router::new().route(PATH, get(async || "figures")), never);
        let ask = || {
            let request = axum::http::Request::get(PATH).header("authorization", "Bearer x");
            routes.clone().oneshot(request.body(Body::empty()).unwrap())
        };
        let waiting: Vec<_> = (0..AT_A_TIME).map(|_| tokio::spawn(ask())).collect();
        asked.acquire_many(u32::try_from(AT_A_TIME).unwrap()).await.unwrap().forget();
        assert_eq!(ask().await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
        waiting.iter().for_each(tokio::task::JoinHandle::abort);
    }

    #[test]
    fn the_certificate_is_renewed_before_it_ends() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let (_, renew_at) = certificate(now).unwrap();
        assert!(renew_at > now && renew_at < now + jiff::SignedDuration::from_hours(30 * 24));
    }
}
