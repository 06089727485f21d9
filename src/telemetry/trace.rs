//! Traces by OTLP: a span for each reconcile with its steps as children, and one for each admission request, which
//! continues the trace that the API server is in (W3C `traceparent`).
//!
//! Spans only: what is logged is not sent along. Where to is said by OpenTelemetry's own variables, such as
//! `OTEL_EXPORTER_OTLP_ENDPOINT` and `OTEL_SERVICE_NAME`; without the first there are no traces.

use super::log::Extra;
use axum::{Router, extract::Request, http::HeaderMap, middleware, middleware::Next, response::Response};
use opentelemetry::{
    propagation::{Extractor, TextMapPropagator},
    trace::TracerProvider,
};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter};
use opentelemetry_sdk::{Resource, propagation::TraceContextPropagator, trace::SdkTracerProvider};
use std::time::Duration;
use tracing::Instrument;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{Layer, filter::filter_fn};

/// Variables that say where traces go.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
/// How long the last spans may take to be sent.
const FLUSH: Duration = Duration::from_secs(3);

/// Traces cannot be sent.
#[derive(Debug, thiserror::Error)]
#[error("traces cannot be sent: {0}")]
pub struct StartTracesError(#[from] ExporterBuildError);

/// Traces under way.
#[derive(Debug)]
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Traces to where the environment says; `None` when it says nothing. Must be called in a runtime.
    pub fn start(env: &dyn Fn(&str) -> Option<String>) -> Result<Option<Self>, StartTracesError> {
        if !ENDPOINTS.iter().any(|name| env(name).is_some_and(|value| !value.is_empty())) {
            return Ok(None);
        }
        let exporter = SpanExporter::builder().with_tonic().build()?;
        let mut resource = Resource::builder();
        if env("OTEL_SERVICE_NAME").is_none() {
            resource = resource.with_service_name("sojourn");
        }
        let provider = SdkTracerProvider::builder()
            .with_resource(resource.build())
            .with_batch_exporter(exporter)
            .build();
        Ok(Some(Self(provider)))
    }

    /// What takes our spans in, whatever the filter of the log is.
    pub fn layer(&self) -> Extra {
        let ours = filter_fn(|metadata| metadata.is_span() && metadata.target().starts_with("sojourn"));
        tracing_opentelemetry::layer().with_tracer(self.0.tracer("sojourn")).with_filter(ours).boxed()
    }

    /// Sends what is left.
    pub fn end(self) {
        if let Err(error) = self.0.shutdown_with_timeout(FLUSH) {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}

/// `routes` with a span for each request, in the trace of its client.
pub fn continued(routes: Router) -> Router {
    routes.layer(middleware::from_fn(span))
}

async fn span(request: Request, next: Next) -> Response {
    let span = tracing::debug_span!("admission", otel.kind = "server", path = request.uri().path());
    let context = TraceContextPropagator::new().extract(&Headers(request.headers()));
    // It fails where no collector is configured, and then there is no trace to continue.
    span.set_parent(context).ok();
    next.run(request).instrument(span).await
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(|key| key.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::LogSettings;
    use axum::{body::Body, routing::post};
    use opentelemetry_sdk::{error::OTelSdkResult, trace::SpanData};
    use std::sync::{Arc, Mutex};
    use tower::ServiceExt;

    #[derive(Clone, Debug, Default)]
    struct Kept(Arc<Mutex<Vec<SpanData>>>);

    impl opentelemetry_sdk::trace::SpanExporter for Kept {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            self.0.lock().unwrap().extend(batch);
            Ok(())
        }
    }

    fn traced(act: impl FnOnce()) -> Vec<SpanData> {
        let kept = Kept::default();
        let traces = Traces(SdkTracerProvider::builder().with_batch_exporter(kept.clone()).build());
        let settings = LogSettings { filter: "error".into(), json: None };
        let subscriber =
            super::super::log::subscriber(&settings, true, std::io::sink, Some(traces.layer())).unwrap().0;
        tracing::subscriber::with_default(subscriber, act);
        traces.end();
        kept.0.lock().unwrap().clone()
    }

    #[test]
    fn an_admission_continues_the_trace_of_the_api_server() {
        let spans = traced(|| {
            let routes = continued(Router::new().route("/validate", post(async || "{}")));
            let request = axum::http::Request::post("/validate")
                .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
            let answer = routes.oneshot(request.body(Body::from("planted body")).unwrap());
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            assert!(runtime.block_on(answer).unwrap().status().is_success());
        });
        let [span] = &spans[..] else { panic!("{spans:?}") };
        assert_eq!(span.name, "admission");
        assert_eq!(span.span_context.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(span.parent_span_id.to_string(), "00f067aa0ba902b7");
        assert!(!format!("{span:?}").contains("planted body"));
    }

    #[test]
    fn spans_are_sent_at_the_end_and_messages_are_not() {
        let spans = traced(|| {
            let pass = tracing::debug_span!("reconcile", session = "team/notebook");
            let _pass = pass.enter();
            tracing::error!("planted message");
            tracing::debug_span!("plan").in_scope(|| {});
        });
        let names: Vec<_> = spans.iter().map(|span| span.name.as_ref()).collect();
        assert_eq!(names, ["plan", "reconcile"]);
        assert_eq!(spans[0].parent_span_id, spans[1].span_context.span_id());
        assert!(!format!("{spans:?}").contains("planted message"));
    }

    #[test]
    fn traces_are_off_without_an_endpoint() {
        assert!(Traces::start(&|_| None).unwrap().is_none());
    }
}
