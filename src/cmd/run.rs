//! `sojourn run`: serves the webhooks on every replica, and reconciles on the one that leads.

mod certificate;
mod observe;
mod webhooks;

#[cfg(feature = "otel")]
use crate::telemetry::trace;
use crate::{
    cmd::connect,
    control::{
        api, approval_key,
        auth::TokenAuthorizer,
        certificates::{Clock, DebugView},
        context::Context,
        controller::{ApiContext, Controllers},
        lease::Candidate,
        watch::CacheSync,
    },
    http_server::Shutdown,
    serve::{
        self,
        admin::{self, Admin},
        ready::Readiness,
    },
    settings::{Settings, flags::Flags},
    telemetry::{
        certificates::CertificateMetrics,
        ides::LogMetrics,
        log::{self, LogHandle},
        metrics::Metrics,
    },
};
use anyhow::Context as _;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::{Api, Client, api::PostParams};
use sojourn_webhooks::settings::KubernetesVersion;
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Runs until a signal asks it to end.
pub fn run(flags: Flags) -> anyhow::Result<()> {
    let mut settings = Settings::read(flags, &|name| std::env::var(name).ok())?;
    rustls::crypto::ring::default_provider().install_default().ok();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // What sends traces needs the runtime from the start.
    let _entered = runtime.enter();
    #[cfg(feature = "otel")]
    let traces = trace::Traces::start(&|name| std::env::var(name).ok())?;
    #[cfg(feature = "otel")]
    let log = log::init_with(&settings.log, traces.as_ref().map(trace::Traces::layer))?;
    #[cfg(not(feature = "otel"))]
    let log = log::init(&settings.log)?;
    let ended = runtime.block_on(async {
        let config = connect::config(settings.kubeconfig.as_deref(), None).await?;
        settings.ide.api_server.extend(connect::addresses(&config).await);
        let client = Client::try_from(config).context("no client for the API server")?;
        let stop = CancellationToken::new();
        tokio::spawn(stop_on_signal(stop.clone()));
        serve(settings, client, log, stop).await
    });
    #[cfg(feature = "otel")]
    if let Some(traces) = traces {
        traces.end();
    }
    ended
}

/// The version of the API server. What it accepts depends on it in few places, so an answer that is missing or cannot be
/// read is no reason not to start.
async fn kubernetes_version(client: &Client) -> KubernetesVersion {
    match api::within(client.apiserver_version()).await {
        Ok(info) => KubernetesVersion::parse(&info.major, &info.minor).unwrap_or_default(),
        Err(error) => {
            tracing::warn!(%error, "the version of the API server is not known; the newest that is supported counts");
            KubernetesVersion::default()
        }
    }
}

/// The user that the operator is to the API server.
async fn who_am_i(client: &Client) -> anyhow::Result<String> {
    let api: Api<SelfSubjectReview> = Api::all(client.clone());
    let review = api.create(&PostParams::default(), &SelfSubjectReview::default()).await?;
    let user = review.status.and_then(|status| status.user_info).and_then(|user| user.username);
    user.context("the API server does not say who the operator is; use --operator-user")
}

/// Cancels `stop` on SIGTERM or Ctrl-C.
pub(super) async fn stop_on_signal(stop: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        }
        Err(error) => {
            tracing::error!(%error, "SIGTERM cannot be heard; Ctrl-C still works");
            tokio::signal::ctrl_c().await.ok();
        }
    }
    stop.cancel();
}

/// Serves and reconciles with `client` until `stop`.
///
/// The order is that in which others need us: watches first, then webhooks, then writes. At the end it is
/// the other way round, and the webhooks are served on until the cluster has learned that they go.
pub async fn serve(
    settings: Settings,
    client: Client,
    log: LogHandle,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    serve_with_clock(settings, client, log, stop, Clock::default()).await
}

/// Serves as [`serve`] does, and judges certificates by `clock`.
pub async fn serve_with_clock(
    mut settings: Settings,
    client: Client,
    log: LogHandle,
    stop: CancellationToken,
    clock: Clock,
) -> anyhow::Result<()> {
    for note in &settings.notes {
        tracing::info!("{note}");
    }
    let mut metrics = Metrics::default();
    let readiness = Readiness::default();
    let synced = readiness.handle("watches");
    let staying = readiness.handle("not ending");
    staying.ready();
    // Servers close some time after writers do.
    let close = CancellationToken::new();
    let mut background = JoinSet::new();

    settings.sessions.kubernetes = kubernetes_version(&client).await;
    tokio::select! {
        key = approval_key::ensure(&client, &settings.namespace, &settings.approval_secret) => {
            settings.sessions.approval_key = Some(key?);
        }
        () = stop.cancelled() => return Ok(()),
    }
    if settings.operator_user.is_none() {
        settings.set_operator_user(who_am_i(&client).await?);
    }
    let election = Candidate::start(&settings.lease, &client, metrics.lease.clone())?;
    let context = Context {
        client: client.clone(),
        identity: election.identity.clone(),
        metrics: metrics.reconcile.clone(),
        leadership: election.leadership.clone(),
    };
    let cache_sync = CacheSync::default();
    background.spawn(observe::warn_of_unserved(cache_sync.clone(), readiness.handle("served kinds")));
    let controllers = Controllers::new(&context, &settings);
    controllers.watch(&cache_sync, &mut background);
    controllers.register(&mut metrics.registry, &settings.metrics);
    let webhook_metrics = Arc::new(sojourn_webhooks::metrics::Metrics::default());
    webhook_metrics.register(&mut metrics.registry);
    let log_metrics = LogMetrics::new(&mut metrics.registry);
    let watchers = certificate::Watchers {
        metrics: CertificateMetrics::new(&mut metrics.registry),
        shown: DebugView::default(),
        check: readiness.handle("webhook certificate"),
        readiness: readiness.clone(),
        clock,
    };
    let admin = Admin {
        readiness,
        registry: Arc::new(metrics.registry),
        log,
        debug: Arc::new(observe::debug_state(
            &controllers,
            &context,
            cache_sync.clone(),
            watchers.shown.clone(),
        )),
    };
    listen(admin, &settings, &client, &close, &mut background).await?;

    let api_context = ApiContext {
        authorizer: Arc::new(TokenAuthorizer(client.clone())),
        log_metrics,
        close: close.clone(),
    };
    let serving = match &settings.webhook {
        Some(webhook) => {
            let server = webhooks::Server {
                settings: &settings,
                webhook,
                client: &client,
                controllers: &controllers,
                cache_sync: &cache_sync,
                metrics: webhook_metrics,
                apis: controllers.apis(&api_context),
            };
            let ending = Shutdown { leaving: stop.clone(), stop: close.clone() };
            Some(server.start(watchers, ending, &mut background).await?)
        }
        None => {
            watchers.check.ready();
            None
        }
    };

    tokio::select! {
        () = cache_sync.wait() => synced.ready(),
        () = stop.cancelled() => {}
    }
    let workers = controllers.work();

    stop.cancelled().await;
    tracing::info!("ending");
    staying.not_ready("the process ends");
    // The writers end before the Lease is handed over: its next holder may start at once.
    controllers.stop(workers).await;
    election.hand_over().await;
    tokio::time::sleep(settings.shutdown_delay).await;
    close.cancel();
    let deregistration = match serving {
        Some(serving) => serving.ended().await?,
        None => None,
    };
    background.shutdown().await;
    if let Some(deregistration) = deregistration {
        deregistration.run().await;
    }
    Ok(())
}

/// Serves probes, debug pages and metrics until `close`.
async fn listen(
    admin: Admin,
    settings: &Settings,
    client: &Client,
    close: &CancellationToken,
    background: &mut JoinSet<()>,
) -> anyhow::Result<()> {
    let (plain, secure) = match settings.metrics.secure {
        true => (None, settings.metrics.bind.clone()),
        false => (settings.metrics.bind.clone(), None),
    };
    if let Some(address) = secure {
        let listener = admin::listener(&address, "metrics").await?;
        let scrapers = Arc::new(TokenAuthorizer(client.clone()));
        let serving = serve::metrics::serve(listener, admin.metrics_router(), scrapers, close.clone());
        background.spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(%error, "metrics are not served any more");
            }
        });
    }
    background.spawn(admin.listen(settings.health_bind.clone(), plain, close.clone()).await?);
    Ok(())
}
