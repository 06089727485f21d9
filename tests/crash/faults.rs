//! A way to the API server that ends with the operator's life at a chosen write.

use http::{Method, Request, Response};
use kube::{
    Client, Config,
    client::{Body, ClientBuilder},
};
use std::{
    future::{Future, pending},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};
use tokio_util::sync::CancellationToken;
use tower::{Layer, Service};

/// When the operator is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// The write is never sent.
    Before,
    /// The write is done, but its answer is never heard.
    After,
}

/// At which of its writes the operator is killed, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Number of the write, from 1.
    pub(crate) call: u64,
    pub(crate) when: When,
}

/// One life of the operator, as its client sees it.
#[derive(Clone, Default)]
pub(crate) struct Life {
    fault: Option<Fault>,
    writes: Arc<AtomicU64>,
    /// Cancelled when the operator dies.
    pub(crate) death: CancellationToken,
}

impl Life {
    pub(crate) fn new(fault: Option<Fault>) -> Self {
        Self { fault, ..Self::default() }
    }

    /// How many writes there were.
    pub(crate) fn writes(&self) -> u64 {
        self.writes.load(Ordering::SeqCst)
    }

    /// A client that lives as long.
    pub(crate) fn client(&self, config: Config) -> Client {
        ClientBuilder::try_from(config).unwrap().with_layer(&FaultLayer(self.clone())).build()
    }
}

struct FaultLayer(Life);

impl<S> Layer<S> for FaultLayer {
    type Service = FaultService<S>;
    fn layer(&self, inner: S) -> Self::Service {
        FaultService { inner, life: self.0.clone() }
    }
}

struct FaultService<S> {
    inner: S,
    life: Life,
}

impl<S, B> Service<Request<Body>> for FaultService<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let life = self.life.clone();
        let number = match *request.method() {
            Method::GET => 0,
            _ => life.writes.fetch_add(1, Ordering::SeqCst) + 1,
        };
        let fault = life.fault.filter(|fault| fault.call == number);
        if fault.is_some_and(|fault| fault.when == When::Before) {
            life.death.cancel();
        }
        if life.death.is_cancelled() {
            return Box::pin(pending());
        }
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            if fault.is_some() {
                life.death.cancel();
            }
            if life.death.is_cancelled() {
                return pending().await;
            }
            answer
        })
    }
}
