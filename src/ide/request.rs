//! Requests to an IDE, one connection each. Every request has both headers of the protocol, a deadline and a size
//! limit for the response; redirects are not followed. Only method, path, status, duration and size are logged, at
//! debug level.

use super::{
    MAX_BYTES,
    dial::{DialError, Dialer, Stream},
    endpoint::Endpoint,
    instance::InstanceId,
    problem,
    text::line,
};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    body::{Bytes, Incoming},
    client::conn::http1,
    ext::ReasonPhrase,
    upgrade::Upgraded,
};
use hyper_util::rt::TokioIo;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::handshake::{client::generate_key, derive_accept_key};

/// The header with the operator's instance id.
const INSTANCE: &str = "microsoft-developer-dcp-instance-id";
/// The largest head of a response, in bytes.
const MAX_HEAD: usize = 64 << 10;

/// A request has no response.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The connection cannot be established.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The connection failed during the request.
    #[error("the IDE ended the exchange: {0}")]
    Exchange(#[from] hyper::Error),
    /// The request is not valid HTTP.
    #[error("the request cannot be written: {0}")]
    Write(#[from] http::Error),
    /// The response is too large.
    #[error("the answer of the IDE is larger than 4 MiB")]
    TooLarge,
    /// There was no response in time.
    #[error("the IDE did not answer within {0:?}")]
    Timeout(Duration),
}

/// The parts of a response that are used.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) location: Option<HeaderValue>,
    pub(super) body: Bytes,
    reason: String,
}

impl Answer {
    /// Status line and the text of the body, for messages.
    pub(super) fn said(&self) -> String {
        let text = format!("{} {} {}", self.status.as_str(), self.reason, problem::of_body(&self.body));
        text.trim_end().to_owned()
    }
}

/// The response to the WebSocket handshake.
pub(super) enum Subscription {
    Open(TokioIo<Upgraded>),
    Refused(Answer),
}

/// The HTTP client for one IDE.
pub(super) struct Client {
    endpoint: Arc<Endpoint>,
    instance: InstanceId,
    dialer: Dialer,
    within: Duration,
}

impl Client {
    pub(super) fn new(
        endpoint: Arc<Endpoint>,
        instance: InstanceId,
        dialer: Dialer,
        within: Duration,
    ) -> Self {
        Self { endpoint, instance, dialer, within }
    }

    /// Sends a request and reads the response, whatever its status.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<Answer, RequestError> {
        let began = Instant::now();
        let has_body = body.is_some();
        let mut request = self.request(method.clone(), path, body)?;
        if has_body {
            request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        let exchange = async {
            let mut connection = Exchange::open(self.dialer.dial().await?).await?;
            read(connection.send(request).await?).await
        };
        let answer = self.in_time(exchange).await;
        let (status, size) =
            answer.as_ref().map_or((0, 0), |answer| (answer.status.as_u16(), answer.body.len()));
        tracing::debug!(%method, path, status, size, took = ?began.elapsed(), "asked the IDE");
        answer
    }

    /// Opens the WebSocket of notifications.
    pub(super) async fn subscribe(&self, path: &str) -> Result<Subscription, RequestError> {
        let key = generate_key();
        let expected = derive_accept_key(key.as_bytes());
        let mut request = self.request(Method::GET, path, None)?;
        let headers = request.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        headers.insert(header::SEC_WEBSOCKET_KEY, HeaderValue::from_str(&key).map_err(http::Error::from)?);
        let exchange = async {
            let mut connection = Exchange::open(self.dialer.dial().await?).await?;
            let response = connection.send(request).await?;
            let accepted = response.headers().get(header::SEC_WEBSOCKET_ACCEPT);
            let accepted = accepted.is_some_and(|accepted| *accepted == expected);
            if response.status() != StatusCode::SWITCHING_PROTOCOLS || !accepted {
                return read(response).await.map(Subscription::Refused);
            }
            Ok(Subscription::Open(TokioIo::new(hyper::upgrade::on(response).await?)))
        };
        self.in_time(exchange).await
    }

    async fn in_time<T>(
        &self,
        exchange: impl Future<Output = Result<T, RequestError>>,
    ) -> Result<T, RequestError> {
        match tokio::time::timeout(self.within, exchange).await {
            Ok(result) => result,
            Err(_) => Err(RequestError::Timeout(self.within)),
        }
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<Request<Full<Bytes>>, http::Error> {
        Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.endpoint.authority())
            .header(header::AUTHORIZATION, self.endpoint.token.header())
            .header(INSTANCE, self.instance.header())
            .body(Full::new(body.unwrap_or_default().into()))
    }
}

/// One connection for one request. Dropping it ends both, unless the connection was upgraded.
struct Exchange {
    sender: http1::SendRequest<Full<Bytes>>,
    _driver: JoinSet<Result<(), hyper::Error>>,
}

impl Exchange {
    async fn open(stream: Stream) -> Result<Self, hyper::Error> {
        let (sender, connection) =
            http1::Builder::new().max_buf_size(MAX_HEAD).handshake(TokioIo::new(stream)).await?;
        let mut driver = JoinSet::new();
        driver.spawn(connection.with_upgrades());
        Ok(Self { sender, _driver: driver })
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, hyper::Error> {
        self.sender.send_request(request).await
    }
}

async fn read(response: Response<Incoming>) -> Result<Answer, RequestError> {
    let status = response.status();
    let reason = match response.extensions().get::<ReasonPhrase>() {
        Some(reason) => line(&String::from_utf8_lossy(reason.as_bytes())),
        None => status.canonical_reason().unwrap_or_default().to_owned(),
    };
    let location = response.headers().get(header::LOCATION).cloned();
    let body = Limited::new(response.into_body(), MAX_BYTES).collect().await;
    let body = body.map_err(|error| match error.downcast::<hyper::Error>() {
        Ok(error) => RequestError::Exchange(*error),
        // The limit is all else that ends such a body.
        Err(_) => RequestError::TooLarge,
    })?;
    Ok(Answer { status, location, body: body.to_bytes(), reason })
}
