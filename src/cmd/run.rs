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
        ide_session,
        lease::{ApiLease, Election, Gate, LEASE_NAME, elector::Timing},
        replica::Replica,
        visitors::Reviews,
        watch::Unsynced,
        worker,
    },
    serve::{
        self,
        admin::{self, Admin},
        logs::Logs,
        ready::Readiness,
        webhooks::Ending,
    },
    settings::{Scope, Settings, flags::Flags},
    telemetry::{
        certificates::CertificateMetrics,
        ides::IdeCollector,
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

/// How many `IdeSession`s are reconciled at a time, as in the original. What IDEs take their time for is not waited for.
const IDE_SESSIONS_AT_A_TIME: u16 = 6;

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

/// The reconciler of `IdeSession`s with its watches; none where it cannot work.
fn ides(
    replica: &Replica,
    settings: &Settings,
    unsynced: &Unsynced,
    tasks: &mut JoinSet<()>,
) -> Option<Arc<ide_session::Reconciler>> {
    if settings.scope != Scope::Cluster {
        tracing::info!(
            "IdeSessions belong to no namespace; an operator for some namespaces leaves them alone"
        );
        return None;
    }
    let (ides, changes) = ide_session::Reconciler::new(replica.clone(), settings);
    ide_session::watch::start(&ides, unsynced, tasks);
    ides.endpoints.watch(&replica.client, &settings.ide.namespaces, unsynced, tasks);
    tasks.spawn(ides.runs.clone().follow(changes));
    Some(ides)
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
    let replica = Replica { client: client.clone(), identity, metrics: metrics.reconcile.clone(), gate };
    let unsynced = Unsynced::default();
    let ides = ides(&replica, &settings, &unsynced, &mut background);
    let amalthea = Arc::new(amalthea::Reconciler::new(replica, settings.sessions.clone()));
    amalthea::watch::start(&amalthea, &settings.scope, &unsynced, &mut background);

    let gauges = Arc::new(observe::Gauges(amalthea.clone()));
    metrics
        .registry
        .register_collector(Box::new(SessionCollector::new(gauges, settings.metrics.per_session)));
    metrics.registry.register_collector(Box::new(observe::queues(amalthea.clone(), ides.clone())));
    if let Some(ides) = &ides {
        let (requests, ides) = (ides.runs.requests().clone(), ides.clone());
        IdeCollector::register(&mut metrics.registry, &requests, move || observe::ides(&ides));
    }
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
        debug: Arc::new(observe::debug_state(
            amalthea.clone(),
            ides.clone(),
            unsynced.clone(),
            watchers.shown.clone(),
        )),
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
                logs: ides.as_ref().map(|ides| {
                    let visitors = Arc::new(Reviews(client.clone()));
                    Logs::new(ides.clone(), ides.outputs.store().clone(), visitors, close.clone())
                }),
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
    if let Some(ides) = &ides {
        workers.spawn(ides.clone().lead());
        worker::start(ides, IDE_SESSIONS_AT_A_TIME, &mut workers);
    }

    stop.cancelled().await;
    tracing::info!("ending");
    staying.not_ready("the process ends");
    // The writers end before the Lease is handed over: whoever has it next may begin at once.
    workers.shutdown().await;
    if let Some(ides) = &ides {
        ides.retire().await;
    }
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
