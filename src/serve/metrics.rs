//! Metrics by TLS, for clients whose token may `get` the path `/metrics`.
//!
//! The certificate is signed by an authority that lives as long as the process, as the original's is. Scrapers do not
//! verify it.

use super::{
    auth::{AccessRequest, AuthGate, Authorizer},
    webhooks::{ServeWebhooksError, serve_router},
};
use crate::http_server::Limits;
use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use sojourn_certs::{Authority, CertResolver, Leaf, Names, authority::AuthorityError, leaf::LeafError};
use std::{sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The path that the authorization is for.
pub(crate) const PATH: &str = "/metrics";
/// Authorizations pending at a time.
const DECISIONS: usize = 4;
/// How often the age of the certificate is checked, by wall clock.
const TICK: Duration = Duration::from_secs(600);

/// A certificate for the metrics could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MakeCertificateError {
    /// The authority cannot be generated.
    #[error("the authority of the metrics' certificate: {0}")]
    Authority(#[from] AuthorityError),
    /// The certificate cannot be issued.
    #[error("the metrics' certificate: {0}")]
    Leaf(#[from] LeafError),
}

/// Serves `routes` to authorized scrapers until `stop`.
pub(crate) async fn serve(
    listener: TcpListener,
    routes: Router,
    authorizer: Arc<dyn Authorizer>,
    stop: CancellationToken,
) -> Result<(), ServeWebhooksError> {
    let resolver = Arc::new(CertResolver::default());
    let renewal = renew(resolver.clone());
    tokio::select! {
        served = serve_router(listener, resolver, authorized(routes, authorizer), Limits::default(), stop) => served,
        // It never returns.
        () = renewal => Ok(()),
    }
}

/// Keeps the certificate valid. Does not return.
async fn renew(resolver: Arc<CertResolver>) {
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

fn certificate(now: Timestamp) -> Result<(Arc<rustls::sign::CertifiedKey>, Timestamp), MakeCertificateError> {
    let leaf = Leaf::issue(&Authority::generate(now)?, &Names::loopback(), now)?;
    Ok((leaf.certified_key()?, leaf.renew_at()))
}

/// `routes` behind authorization.
fn authorized(routes: Router, authorizer: Arc<dyn Authorizer>) -> Router {
    routes.layer(middleware::from_fn_with_state(AuthGate::new(authorizer, DECISIONS), admit))
}

async fn admit(State(gate): State<AuthGate>, request: Request, next: Next) -> Response {
    match gate.admit(request.headers(), AccessRequest::get_path(PATH)).await {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::auth::AuthDecision;
    use axum::{body::Body, routing::get};
    use futures::future::BoxFuture;
    use rstest::rstest;
    use tower::ServiceExt;

    /// Allows one token, for the metrics only.
    struct Users;

    impl Authorizer for Users {
        fn ask<'a>(&'a self, token: &'a str, request: &'a AccessRequest) -> BoxFuture<'a, AuthDecision> {
            let allowed = token == "prometheus" && *request == AccessRequest::get_path("/metrics");
            Box::pin(async move { if allowed { AuthDecision::Allowed } else { AuthDecision::Denied } })
        }
    }

    #[rstest]
    #[case::allowed("Bearer prometheus", 200)]
    #[case::denied("Bearer mallory", 403)]
    #[case::no_token("", 401)]
    #[tokio::test]
    async fn only_authorized_scrapers_read(#[case] header: &str, #[case] status: u16) {
        let routes = authorized(Router::new().route(PATH, get(async || "figures")), Arc::new(Users));
        let request = axum::http::Request::get(PATH).header("authorization", header);
        let response = routes.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status().as_u16(), status);
        let body = axum::body::to_bytes(response.into_body(), 1 << 10).await.unwrap();
        assert_eq!(&body[..] == b"figures", status == 200);
    }

    #[test]
    fn the_certificate_is_renewed_before_it_ends() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let (_, renew_at) = certificate(now).unwrap();
        assert!(renew_at > now && renew_at < now + jiff::SignedDuration::from_hours(30 * 24));
    }
}
