//! The operator's line to the API server, on which one call or one watch event goes wrong.

use crate::watched::watched;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use kube::{
    Client, Config,
    client::{Body, ClientBuilder, retry::RetryPolicy},
};
use serde_json::json;
use std::{
    future::{Future, pending, ready},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll},
    time::Duration,
};
use tokio_util::sync::CancellationToken;
use tower::{BoxError, Layer, Service, buffer::BufferLayer, retry::RetryLayer};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The operator is killed before the call is sent.
    DieBefore,
    /// The call is done, and the operator is killed before it hears the answer.
    DieAfter,
    /// The call is answered with this code and not done.
    Refuse(u16),
    /// The call is done, and its answer is lost.
    LoseAnswer,
    /// The operator is killed before it hears of the watch event.
    DieOnEvent,
    /// In place of the event the watch says that its version is too old.
    Expire,
}

impl Trouble {
    /// Whether it befalls watch events, and not calls.
    pub(crate) fn of_events(self) -> bool {
        matches!(self, Trouble::DieOnEvent | Trouble::Expire)
    }
}

/// At which call, or at which watch event, what goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Counted from 1, from the moment that the line is armed.
    pub(crate) nth: u64,
    pub(crate) trouble: Trouble,
}

/// What was said on the line since it was armed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said {
    pub(crate) calls: Vec<String>,
    pub(crate) events: u64,
    /// The call or event at which something went wrong.
    pub(crate) struck: Option<String>,
    /// The one list of all CPU uses comes again and again; the first of them counts.
    measured: bool,
}

impl Said {
    /// How many calls or events there were that a trouble could befall.
    pub(crate) fn count(&self, trouble: Trouble) -> u64 {
        if trouble.of_events() { self.events } else { self.calls.len() as u64 }
    }
}

/// How long the events of a watch are under way, by the path of the watch.
pub(crate) type Lag = fn(&str) -> Duration;

/// One life of the operator, as its client sees it.
#[derive(Clone)]
pub(crate) struct Line {
    state: Arc<Mutex<(Option<Fault>, Said)>>,
    pub(crate) lag: Lag,
    /// Cancelled when the operator dies.
    pub(crate) death: CancellationToken,
}

impl Line {
    pub(crate) fn new(lag: Lag) -> Self {
        Self { state: Arc::default(), lag, death: CancellationToken::new() }
    }

    fn state(&self) -> MutexGuard<'_, (Option<Fault>, Said)> {
        self.state.lock().unwrap()
    }

    /// Counts anew, and lets `fault` happen. Returns what was said before.
    pub(crate) fn arm(&self, fault: Option<Fault>) -> Said {
        std::mem::replace(&mut *self.state(), (fault, Said::default())).1
    }

    /// What was said since the line was armed.
    pub(crate) fn said(&self) -> Said {
        self.state().1.clone()
    }

    /// A client that lives as long. Faults happen below its retries, as those of a real API server do.
    pub(crate) fn client(&self, mut config: Config) -> Client {
        config.default_retry = false;
        ClientBuilder::try_from(config)
            .unwrap()
            .with_layer(&LineLayer(self.clone()))
            .with_layer(&BufferLayer::new(1024))
            .with_layer(&RetryLayer::new(RetryPolicy::server_retry()))
            .build()
    }

    fn calling(&self, method: &Method, path: &str) -> Option<Trouble> {
        let (fault, said) = &mut *self.state();
        if path.contains("/metrics.k8s.io/") && std::mem::replace(&mut said.measured, true) {
            return None;
        }
        said.calls.push(format!("{method} {path}"));
        let count = said.calls.len() as u64;
        let fault = fault.filter(|fault| fault.nth == count && !fault.trouble.of_events())?;
        said.struck = said.calls.last().cloned();
        Some(fault.trouble)
    }

    /// One more event came on a watch.
    pub(crate) fn hearing(&self, path: &str) -> Option<Trouble> {
        let (fault, said) = &mut *self.state();
        said.events += 1;
        let count = said.events;
        let fault = fault.filter(|fault| fault.nth == count && fault.trouble.of_events())?;
        said.struck = Some(format!("event {path}"));
        Some(fault.trouble)
    }
}

struct LineLayer(Line);

impl<S> Layer<S> for LineLayer {
    type Service = LineService<S>;
    fn layer(&self, inner: S) -> Self::Service {
        LineService { inner, line: self.0.clone() }
    }
}

struct LineService<S> {
    inner: S,
    line: Line,
}

/// The body of any answer.
pub(crate) type AnyBody = UnsyncBoxBody<Bytes, BoxError>;

impl<S, B> Service<Request<Body>> for LineService<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = BoxError>,
    S::Future: Send + 'static,
    B: hyper::body::Body<Data = Bytes, Error = BoxError> + Send + Unpin + 'static,
{
    type Response = Response<AnyBody>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let line = self.line.clone();
        let path = request.uri().path().to_owned();
        let watches = request.uri().query().is_some_and(|query| query.contains("watch=true"));
        let trouble = line.calling(request.method(), &path);
        match trouble {
            Some(Trouble::DieBefore) => line.death.cancel(),
            Some(Trouble::Refuse(code)) => return Box::pin(ready(Ok(refusal(code)))),
            _ => {}
        }
        if line.death.is_cancelled() {
            return Box::pin(pending());
        }
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            if trouble == Some(Trouble::DieAfter) {
                line.death.cancel();
            }
            if line.death.is_cancelled() {
                return pending().await;
            }
            if trouble == Some(Trouble::LoseAnswer) {
                return Err("the connection was lost".into());
            }
            let answer = answer?;
            let watches = watches && answer.status().is_success();
            Ok(answer.map(|body| if watches { watched(body, line, path) } else { body.boxed_unsync() }))
        })
    }
}

/// What an API server says that refuses.
fn refusal(code: u16) -> Response<AnyBody> {
    let reason = match code {
        409 => "Conflict",
        429 => "TooManyRequests",
        _ => "InternalError",
    };
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "refused by the test", "reason": reason, "code": code,
    });
    let body = Full::from(status.to_string()).map_err(|never| match never {});
    let mut answer = Response::new(body.boxed_unsync());
    *answer.status_mut() = StatusCode::from_u16(code).unwrap();
    answer.headers_mut().insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
    if code == 429 {
        answer.headers_mut().insert(header::RETRY_AFTER, "1".parse().unwrap());
    }
    answer
}
