//! `sojourn run`: serves the webhooks on every replica, and reconciles on the one that leads.

mod certificate;
mod observe;
mod webhooks;

#[cfg(feature = "otel")]
use crate::telemetry::trace;
use crate::{
    cmd::connect,
    control::{
        amalthea,
        certificates::Shown,
        lease::{ApiLease, Election, Gate, LEASE_NAME, elector::Timing},
        replica::Replica,
        scrapers::Reviews,
        watch::Unsynced,
        worker,
    },
    core::settings::SessionSettings,
    serve::{
        self,
        admin::{self, Admin},
        ready::Readiness,
        webhooks::Ending,
    },
    settings::{Settings, flags::Flags},
    telemetry::{
        certificates::CertificateMetrics,
        log::{self, LogHandle},
        metrics::Metrics,
        sessions::SessionCollector,
    },
};
use anyhow::Context as _;
use futures::FutureExt;
use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client};
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Runs until a signal asks it to end.
pub fn run(flags: Flags) -> anyhow::Result<()> {
    let settings = Settings::read(flags, &|name| std::env::var(name).ok())?;
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

/// OpenShift is told by its API of projects. Asked once: clusters do not change what they are.
pub(super) async fn is_openshift(client: &Client) -> anyhow::Result<bool> {
    let groups = client.list_api_groups().await.context("the API server does not say what it serves")?;
    Ok(groups.groups.iter().any(|group| group.name == "project.openshift.io"))
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
    let identity = format!("{}_{:08x}", settings.lease.host, rand::random::<u32>());
    let lease_stop = CancellationToken::new();
    let mut background = JoinSet::new();
    let mut leading = JoinSet::new();
    let gate = if settings.lease.enabled {
        let api: Api<Lease> = Api::namespaced(client.clone(), &settings.lease.namespace);
        let store = ApiLease::new(api, LEASE_NAME);
        let (election, gate) =
            Election::new(store, identity.clone(), Timing::default(), metrics.lease.clone())?;
        leading.spawn(election.run(lease_stop.clone()));
        gate
    } else {
        Gate::open()
    };
    let sessions = SessionSettings { openshift: is_openshift(&client).await?, ..settings.sessions.clone() };
    let replica = Replica { client: client.clone(), identity, metrics: metrics.reconcile.clone(), gate };
    let amalthea = Arc::new(amalthea::Reconciler::new(replica, sessions));
    let unsynced = Unsynced::default();
    amalthea::watch::start(&amalthea, &settings.scope, &unsynced, &mut background);

    let gauges = Arc::new(observe::Gauges(amalthea.clone()));
    metrics
        .registry
        .register_collector(Box::new(SessionCollector::new(gauges, settings.metrics.per_session)));
    metrics.registry.register_collector(Box::new(observe::queues(amalthea.clone())));
    let webhook_metrics = Arc::new(sojourn_webhooks::metrics::Metrics::default());
    webhook_metrics.register(&mut metrics.registry);
    let watchers = certificate::Watchers {
        metrics: CertificateMetrics::new(&mut metrics.registry),
        shown: Shown::default(),
        readiness: readiness.handle("webhook certificate"),
    };
    let admin = Admin {
        readiness,
        registry: Arc::new(metrics.registry),
        log,
        debug: Arc::new(observe::debug_state(amalthea.clone(), unsynced.clone(), watchers.shown.clone())),
    };
    let stopped = {
        let close = close.clone();
        async move { close.cancelled().await }.boxed().shared()
    };
    let (plain, secure) = match settings.metrics.secure {
        true => (None, settings.metrics.bind.clone()),
        false => (settings.metrics.bind.clone(), None),
    };
    if let Some(address) = secure {
        let listener = admin::listener(&address, "metrics").await?;
        let scrapers = Arc::new(Reviews(client.clone()));
        let serving = serve::metrics::serve(listener, admin.metrics_router(), scrapers, close.clone());
        background.spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(%error, "metrics are not served any more");
            }
        });
    }
    let admin = admin.listen(settings.health_bind.clone(), plain, stopped).await?;
    background.spawn(async move {
        if let Err(error) = admin.await {
            tracing::error!(%error, "probes and metrics are not served any more");
        }
    });

    let serving = match &settings.webhook {
        Some(webhook) => {
            let server = webhooks::Server {
                settings: &settings,
                webhook,
                client: &client,
                sessions: &amalthea,
                unsynced: &unsynced,
                metrics: webhook_metrics,
            };
            let ending = Ending { leaving: stop.clone(), stop: close.clone() };
            Some(server.start(watchers, ending, &mut background).await?)
        }
        None => {
            watchers.readiness.ready();
            None
        }
    };

    tokio::select! {
        () = unsynced.wait() => synced.ready(),
        () = stop.cancelled() => {}
    }
    let mut workers = JoinSet::new();
    worker::start(&amalthea, settings.concurrency, &mut workers);
    workers.spawn(amalthea::usage::measure(amalthea.clone(), settings.scope.clone()));

    stop.cancelled().await;
    tracing::info!("ending");
    staying.not_ready("the process ends");
    // The writers end before the Lease is handed over: whoever has it next may begin at once.
    workers.shutdown().await;
    lease_stop.cancel();
    leading.join_all().await;
    tokio::time::sleep(settings.shutdown_delay).await;
    close.cancel();
    let farewell = match serving {
        Some(serving) => serving.ended().await?,
        None => None,
    };
    background.shutdown().await;
    if let Some(farewell) = farewell {
        farewell.say().await;
    }
    Ok(())
}
