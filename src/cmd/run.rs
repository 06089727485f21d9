//! `sojourn run`: serves the webhooks on every replica, and reconciles on the one that leads.

use crate::{
    control::{
        Operator,
        certificates::Certificates,
        facts::{AccessReviews, ClusterFacts},
        lease::{ApiLease, Election, Gate, LEASE_NAME, elector::Timing},
        usage, watch,
    },
    serve,
    settings::{Scope, Settings, WebhookSettings, WebhookTarget, flags::Flags},
    telemetry::metrics::Metrics,
};
use anyhow::Context as _;
use jiff::Timestamp;
use k8s_openapi::api::{
    admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration},
    authentication::v1::SelfSubjectReview,
    coordination::v1::Lease,
};
use kube::{
    Api, Client, Config,
    api::{Patch, PatchParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use sojourn_certs::{names::Names, server::CertResolver};
use sojourn_webhooks::{
    config::{self, ConfigSettings, Endpoint},
    facts::GuardSettings,
    http::Guard,
};
use std::sync::Arc;
use tokio::{sync::watch as channel, task::JoinSet};
use tokio_util::sync::CancellationToken;

/// Runs until a signal asks it to end.
pub fn run(flags: Flags) -> anyhow::Result<()> {
    let settings = Settings::read(flags, &|name| std::env::var(name).ok())?;
    rustls::crypto::ring::default_provider().install_default().ok();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = client(&settings).await?;
        let stop = CancellationToken::new();
        tokio::spawn(stop_on_signal(stop.clone()));
        serve(settings, client, stop).await
    })
}

async fn client(settings: &Settings) -> anyhow::Result<Client> {
    let config = match &settings.kubeconfig {
        Some(path) => {
            let kubeconfig = Kubeconfig::read_from(path).context("the kubeconfig cannot be read")?;
            Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?
        }
        None => Config::infer().await.context("no cluster: neither a kubeconfig nor a service account")?,
    };
    Client::try_from(config).context("no client for the API server")
}

async fn stop_on_signal(stop: CancellationToken) {
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
/// The order is that in which others need us: watches first, then webhooks, then writes.
pub async fn serve(settings: Settings, client: Client, stop: CancellationToken) -> anyhow::Result<()> {
    for note in &settings.notes {
        tracing::info!("{note}");
    }
    let metrics = Metrics::default();
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
    let operator = Arc::new(Operator::new(
        client.clone(),
        settings.sessions.clone(),
        identity,
        metrics.reconcile.clone(),
        gate,
    ));
    let unsynced = watch::Unsynced::default();
    watch::start(&operator, &settings.scope, &unsynced, &mut background);

    let serving = match &settings.webhook {
        Some(webhook) => Some(
            start_webhooks(&settings, webhook, &client, &operator, &unsynced, &stop, &mut background).await?,
        ),
        None => None,
    };

    let mut workers = JoinSet::new();
    unsynced.wait().await;
    for _ in 0..settings.concurrency {
        let operator = operator.clone();
        workers.spawn(async move { operator.work().await });
    }
    {
        let operator = operator.clone();
        workers.spawn(async move { operator.look_at_all_when_leading().await });
    }
    workers.spawn(usage::measure(operator.clone(), settings.scope.clone()));

    stop.cancelled().await;
    tracing::info!("ending");
    // The writers end before the Lease is handed over: whoever has it next may begin at once.
    workers.shutdown().await;
    lease_stop.cancel();
    leading.join_all().await;
    if let Some(serving) = serving {
        serving.await??;
    }
    background.shutdown().await;
    Ok(())
}

type Serving = tokio::task::JoinHandle<Result<(), serve::webhooks::ServeWebhooks>>;

async fn start_webhooks(
    settings: &Settings,
    webhook: &WebhookSettings,
    client: &Client,
    operator: &Arc<Operator>,
    unsynced: &watch::Unsynced,
    stop: &CancellationToken,
    background: &mut JoinSet<()>,
) -> anyhow::Result<Serving> {
    let operator_user = match &settings.operator_user {
        Some(user) => user.clone(),
        None => who_am_i(client).await?,
    };
    let listener = webhook.bind.bind().await.with_context(|| format!("cannot listen on {}", webhook.bind))?;
    let resolver = Arc::new(CertResolver::default());
    let certificates = Arc::new(Certificates {
        client: client.clone(),
        namespace: settings.namespace.clone(),
        secret: webhook.secret.clone(),
        configuration: webhook.configuration.clone(),
        names: names(&webhook.target, &settings.cluster_domain),
        resolver: resolver.clone(),
    });
    let (bundle, renew_at) = certificates.obtain(Timestamp::now()).await?;
    let facts = ClusterFacts {
        operator: operator.clone(),
        unsynced: unsynced.clone(),
        settings: GuardSettings {
            operator_user: operator_user.clone(),
            trusted_users: [GuardSettings::default().trusted_users, webhook.trusted_users.clone()].concat(),
            on_deadline: settings.sessions.on_deadline,
        },
    };
    let guard = Guard {
        facts: Arc::new(facts),
        authorizer: Arc::new(AccessReviews(client.clone())),
        metrics: Arc::default(),
    };
    let serving = tokio::spawn(serve::webhooks::serve(listener, resolver, guard, stop.clone()));
    if webhook.install {
        unsynced.wait().await;
        let configuration = ConfigSettings {
            name: webhook.configuration.clone(),
            endpoint: endpoint(&webhook.target),
            ca_bundle: bundle.to_pem().into_bytes(),
            operator_user,
            scope: guarded(&settings.scope),
        };
        install(client, &configuration).await?;
    }
    let (published, _) = channel::channel(false);
    background.spawn(certificates.keep(bundle, renew_at, published));
    Ok(serving)
}

/// Creates or updates both webhook configurations.
async fn install(client: &Client, settings: &ConfigSettings) -> anyhow::Result<()> {
    let params = PatchParams::apply(crate::core::manifest::MANAGER).force();
    let validating: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
    validating.patch(&settings.name, &params, &Patch::Apply(config::validating(settings))).await?;
    let mutating: Api<MutatingWebhookConfiguration> = Api::all(client.clone());
    mutating.patch(&settings.name, &params, &Patch::Apply(config::mutating(settings))).await?;
    Ok(())
}

async fn who_am_i(client: &Client) -> anyhow::Result<String> {
    let api: Api<SelfSubjectReview> = Api::all(client.clone());
    let review = api.create(&PostParams::default(), &SelfSubjectReview::default()).await?;
    let user = review.status.and_then(|status| status.user_info).and_then(|user| user.username);
    user.context("the API server does not say who the operator is; use --operator-user")
}

fn names(target: &WebhookTarget, cluster_domain: &str) -> Names {
    match target {
        WebhookTarget::Url(_) => Names::loopback(),
        WebhookTarget::Service { namespace, name } => Names::service(name, namespace, cluster_domain),
    }
}

fn endpoint(target: &WebhookTarget) -> Endpoint {
    match target {
        WebhookTarget::Url(url) => Endpoint::Url(url.clone()),
        WebhookTarget::Service { namespace, name } => {
            Endpoint::Service { name: name.clone(), namespace: namespace.clone(), port: 443 }
        }
    }
}

fn guarded(scope: &Scope) -> config::Scope {
    match scope {
        Scope::Cluster => config::Scope::Cluster,
        Scope::Namespaces(names) => config::Scope::Namespaces(names.clone()),
    }
}
