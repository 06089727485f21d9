//! The HTTP client by which sidecars request tokens.
//!
//! Each request has a deadline, each response a size limit, and a token is sent only to the host that it is for.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::{Deserialize, de::DeserializeOwned};
use std::{fmt, time::Duration};

/// The time for a response, redirects included.
const DEADLINE: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(10);
const MAX_ANSWER: usize = 1 << 20;
const MAX_REDIRECTS: usize = 5;

/// No token was received.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenRequestError {
    /// The URL is not valid.
    #[error("the address for tokens is no address like https://example.org/token")]
    Address,
    /// There was no response, or not in time.
    #[error("no token could be asked for: {0}")]
    Ask(String),
    /// The response has an error status.
    #[error("the question for a token was answered with {0}")]
    Status(StatusCode),
    /// The response is not a token.
    #[error("the answer to the question for a token cannot be read")]
    Read,
}

/// A token for a git provider.
#[derive(Clone, Deserialize)]
pub(crate) struct GitToken {
    /// The token.
    pub access_token: String,
    /// When it expires, in seconds since 1970.
    #[serde(default)]
    pub expires_at: Option<f64>,
}

impl fmt::Debug for GitToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitToken").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// Requests tokens by HTTP and HTTPS.
#[derive(Clone)]
pub(crate) struct TokenClient(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl Default for TokenClient {
    fn default() -> Self {
        Self(Client::builder(TokioExecutor::new()).build(connector()))
    }
}

/// Connects by HTTP and HTTPS, trusting the public authorities of the image, or those that `SSL_CERT_FILE` names.
pub(super) fn connector() -> HttpsConnector<HttpConnector> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let mut http = HttpConnector::new();
    http.set_connect_timeout(Some(CONNECT));
    http.set_nodelay(true);
    http.enforce_http(false);
    // An image without authorities can still speak plain HTTP.
    let builder = HttpsConnectorBuilder::new().with_native_roots().unwrap_or_else(|error| {
        tracing::warn!(%error, "this image has no public authorities: no server can be trusted by HTTPS");
        let none = rustls::ClientConfig::builder()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        HttpsConnectorBuilder::new().with_tls_config(none)
    });
    builder.https_or_http().enable_http1().wrap_connector(http)
}

impl TokenClient {
    /// A token for a provider, from `url`, for the user of the token `bearer`.
    pub(crate) async fn git_token(&self, url: &str, bearer: &str) -> Result<GitToken, TokenRequestError> {
        let authorization =
            HeaderValue::from_str(&format!("Bearer {bearer}")).map_err(|_| TokenRequestError::Read)?;
        self.ask(Method::GET, url, Some(authorization), "").await
    }

    /// Posts a form to `url`, and parses the response as JSON.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        url: &str,
        authorization: Option<HeaderValue>,
        form: &str,
    ) -> Result<T, TokenRequestError> {
        self.ask(Method::POST, url, authorization, form).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        url: &str,
        authorization: Option<HeaderValue>,
        form: &str,
    ) -> Result<T, TokenRequestError> {
        let url: Uri = url.parse().map_err(|_| TokenRequestError::Address)?;
        let asking = self.follow(method, url, authorization, form);
        tokio::time::timeout(DEADLINE, asking)
            .await
            .unwrap_or_else(|_| Err(TokenRequestError::Ask("no answer in time".into())))
    }

    async fn follow<T: DeserializeOwned>(
        &self,
        method: Method,
        mut url: Uri,
        mut authorization: Option<HeaderValue>,
        form: &str,
    ) -> Result<T, TokenRequestError> {
        for _ in 0..=MAX_REDIRECTS {
            let mut request = Request::builder().method(method.clone()).uri(url.clone());
            if let Some(authorization) = &authorization {
                request = request.header(header::AUTHORIZATION, authorization);
            }
            if method == Method::POST {
                request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
            }
            let request = request
                .body(Full::new(Bytes::from(form.to_owned())))
                .map_err(|_| TokenRequestError::Address)?;
            let response =
                self.0.request(request).await.map_err(|error| TokenRequestError::Ask(error_chain(&error)))?;
            if response.status().is_redirection() && method == Method::GET {
                let next =
                    response.headers().get(header::LOCATION).and_then(|to| next(&url, to.to_str().ok()?));
                let next = next.ok_or(TokenRequestError::Status(response.status()))?;
                if !is_same_server(&url, &next) {
                    authorization = None;
                }
                url = next;
                continue;
            }
            if !response.status().is_success() {
                return Err(TokenRequestError::Status(response.status()));
            }
            let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
            let body = body.map_err(|error| TokenRequestError::Ask(error.to_string()))?.to_bytes();
            return serde_json::from_slice(&body).map_err(|_| TokenRequestError::Read);
        }
        Err(TokenRequestError::Ask("it leads from one address to the next".to_owned()))
    }
}

/// Where a redirect from `from` leads. Never from HTTPS to plain HTTP.
fn next(from: &Uri, to: &str) -> Option<Uri> {
    let next = url::Url::parse(&from.to_string()).ok()?.join(to).ok()?;
    let weaker = from.scheme_str() == Some("https") && next.scheme() != "https";
    next.as_str().parse().ok().filter(|_| !weaker)
}

/// Whether `to` is the server of `from`: another port may be somebody else's. Plain HTTP may become HTTPS, as
/// [`next`] allows no other change.
fn is_same_server(from: &Uri, to: &Uri) -> bool {
    let port =
        |uri: &Uri| uri.port_u16().or(if uri.scheme_str() == Some("https") { Some(443) } else { Some(80) });
    let upgraded = from.scheme_str() == Some("http") && to.scheme_str() == Some("https");
    let same_host = from.host().zip(to.host()).is_some_and(|(from, to)| from.eq_ignore_ascii_case(to));
    let same_port = port(from) == port(to) && from.scheme_str() == to.scheme_str();
    same_host && (same_port || (upgraded && port(from) == Some(80) && port(to) == Some(443)))
}

/// An error with all that led to it, on one line.
pub(super) fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::same("https://a.example/x", "/y", true)]
    #[case::named_port("https://a.example/x", "https://A.example:443/y", true)]
    #[case::upgraded("http://a.example/x", "https://a.example/x", true)]
    #[case::other_host("https://a.example/x", "https://b.example/x", false)]
    #[case::other_host_without_scheme("https://a.example/x", "//b.example/x", false)]
    #[case::www("https://example.org/x", "https://www.example.org/x", false)]
    #[case::suffix("https://example.org/x", "https://example.org.evil/x", false)]
    #[case::user("https://example.org/x", "https://example.org@evil.example/x", false)]
    #[case::other_port("https://a.example/x", "https://a.example:8443/x", false)]
    #[case::other_port_in_clear("http://a.example:3000/x", "http://a.example:3001/x", false)]
    #[case::upgraded_to_another_port("http://a.example/x", "https://a.example:8443/x", false)]
    fn a_redirect_takes_the_token_to_the_same_server_only(
        #[case] from: &str,
        #[case] to: &str,
        #[case] same: bool,
    ) {
        let from: Uri = from.parse().unwrap();
        assert_eq!(is_same_server(&from, &next(&from, to).unwrap()), same);
    }

    #[test]
    fn a_redirect_never_leads_to_plain_http() {
        assert_eq!(next(&"https://a.example/x".parse().unwrap(), "http://a.example/x"), None);
    }
}
