//! The webhook server of a running operator: certificate, listener, configurations.

use super::certificate::{self, Watchers};
use crate::{
    control::{
        certificates::deregistration::Deregistration,
        controller::Controllers,
        facts::{ClusterFacts, SubjectAccessReviews},
        pod_security::PodSecurityLevels,
        watch::CacheSync,
    },
    http_server::Shutdown,
    serve::webhooks::serve as serve_webhooks,
    settings::{Scope, Settings, WebhookSettings, WebhookTarget},
};
use anyhow::Context as _;
use axum::Router;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use sojourn_webhooks::{
    AdmissionSettings,
    config::{self, ConfigSettings, Endpoint},
    http::WebhookState,
    metrics::Metrics,
};
use std::sync::Arc;
use tokio::task::JoinSet;

/// The server at work.
pub(super) struct Serving {
    task: tokio::task::JoinHandle<()>,
    deregistration: Option<Deregistration>,
}

impl Serving {
    /// Waits until it has ended. What is returned is to be said when nobody keeps its certificate any more.
    pub(super) async fn ended(self) -> anyhow::Result<Option<Deregistration>> {
        self.task.await?;
        Ok(self.deregistration)
    }
}

/// What the webhook server is made of.
pub(super) struct Server<'a> {
    pub(super) settings: &'a Settings,
    pub(super) webhook: &'a WebhookSettings,
    pub(super) client: &'a Client,
    pub(super) controllers: &'a Controllers,
    pub(super) cache_sync: &'a CacheSync,
    pub(super) metrics: Arc<Metrics>,
    pub(super) apis: Vec<Router>,
}

impl Server<'_> {
    /// Starts to serve, and keeps the certificate and the configurations as they should be.
    pub(super) async fn start(
        self,
        watchers: Watchers,
        ending: Shutdown,
        background: &mut JoinSet<()>,
    ) -> anyhow::Result<Serving> {
        let Self { settings, webhook, client, controllers, cache_sync, metrics, apis } = self;
        let operator_user = settings.operator_user.clone().unwrap_or_default();
        let listener =
            webhook.bind.bind().await.with_context(|| format!("cannot listen on {}", webhook.bind))?;
        let tls = certificate::port_tls(webhook, &watchers, background)?;
        let resolver = tls.resolver().clone();
        let address = listener.local_addr()?;
        let admission = AdmissionSettings { operator_user: operator_user.clone(), ..settings.admission() };
        let pod_security = PodSecurityLevels::new(admission.kubernetes);
        if settings.scope == Scope::Cluster {
            pod_security.watch(client, background);
        }
        let facts = ClusterFacts {
            controllers: controllers.clone(),
            pod_security,
            cache_sync: cache_sync.clone(),
            settings: admission,
        };
        let state = WebhookState {
            facts: Arc::new(facts),
            authorizer: Arc::new(SubjectAccessReviews(client.clone())),
            metrics,
        };
        let task = tokio::spawn(serve_webhooks(listener, tls, state, apis, ending));
        let deregistration =
            certificate::start(client, (settings, webhook), (address, resolver), watchers, background);
        if webhook.install {
            cache_sync.wait().await;
            let configuration = ConfigSettings {
                name: webhook.configuration.clone(),
                endpoint: endpoint(&webhook.target),
                // Written by the source of the certificate.
                ca_bundle: Vec::new(),
                operator_user,
                scope: guarded(&settings.scope),
            };
            install(client, &configuration).await?;
        }
        Ok(Serving { task, deregistration })
    }
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
