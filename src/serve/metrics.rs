//! Metrics by TLS, for those only whose token may `get` the path `/metrics`.
//!
//! The certificate is signed by an authority that ends with the process, as the original's is: scrapers do not verify
//! it, and the token is theirs to give.

use super::{
    auth::{AccessRequest, AuthGate, Authorizer},
    webhooks::{Limits, ServeWebhooksError, serve_router},
};
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

/// The path that a right is about.
pub const PATH: &str = "/metrics";
/// How many questions are put to the API server at a time.
const AT_A_TIME: usize = 4;
/// How often the age of the certificate is looked at, by wall clock.
const TICK: Duration = Duration::from_secs(600);

/// A certificate for the metrics could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MakeCertificateError {
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
    scrapers: Arc<dyn Authorizer>,
    stop: CancellationToken,
) -> Result<(), ServeWebhooksError> {
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

fn certificate(now: Timestamp) -> Result<(Arc<rustls::sign::CertifiedKey>, Timestamp), MakeCertificateError> {
    let leaf = Leaf::issue(&Authority::generate(now)?, &Names::loopback(), now)?;
    Ok((leaf.certified_key()?, leaf.renew_at()))
}

/// `routes` behind the question who asks.
fn guarded(routes: Router, scrapers: Arc<dyn Authorizer>) -> Router {
    routes.layer(middleware::from_fn_with_state(AuthGate::new(scrapers, AT_A_TIME), admit))
}

async fn admit(State(door): State<AuthGate>, request: Request, next: Next) -> Response {
    match door.admit(request.headers(), AccessRequest::Path(PATH)).await {
        Ok(()) => next.run(request).await,
        Err(turned) => turned.into_response(),
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

    /// Lets in who shows the word, if it is for the metrics.
    struct Guests;

    impl Authorizer for Guests {
        fn ask<'a>(&'a self, token: &'a str, wish: &'a AccessRequest) -> BoxFuture<'a, AuthDecision> {
            let welcome = token == "prometheus" && *wish == AccessRequest::Path("/metrics");
            Box::pin(async move { if welcome { AuthDecision::Allowed } else { AuthDecision::Denied } })
        }
    }

    #[rstest]
    #[case::welcome("Bearer prometheus", 200)]
    #[case::refused("Bearer somebody", 403)]
    #[case::nobody("", 401)]
    #[tokio::test]
    async fn only_the_welcome_read(#[case] header: &str, #[case] status: u16) {
        let routes = guarded(Router::new().route(PATH, get(async || "figures")), Arc::new(Guests));
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
