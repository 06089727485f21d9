//! The webhooks' certificate: one authority in a Secret that all replicas share, one leaf in the memory of
//! each, and the authority's bundle in the webhook configurations.
//!
//! Every step is a decision of [`sojourn_certs`] on what is there now, so it does not matter which replica
//! does it, how often, or where the last one was stopped.

use super::{api::within, errors::CallError};
use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::{
    ByteString,
    api::{
        admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration},
        core::v1::Secret,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api, Client, Resource,
    api::{Patch, PatchParams, PostParams},
    runtime::{WatchStreamExt, watcher},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sojourn_certs::{
    authority::{Authority, AuthorityError, Reason},
    bundle::{Bundle, needs_publishing},
    leaf::{Leaf, LeafError},
    names::Names,
    server::CertResolver,
    store::{self, SecretData, Step},
};
use std::{fmt::Debug, sync::Arc, time::Duration};
use tokio::sync::watch;

/// Why there is no certificate to serve with.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The Secret could not be read or written.
    #[error("the certificate's Secret: {0}")]
    Secret(#[from] CallError),
    /// Somebody else's Secret has the name.
    #[error("the Secret {name} is not ours and does not serve ({reason}); remove it, or name another one")]
    Foreign {
        /// Name of the Secret.
        name: String,
        /// What is wrong with it.
        reason: Reason,
    },
    /// The authority could not be made.
    #[error("the authority: {0}")]
    Authority(#[from] AuthorityError),
    /// The leaf could not be made.
    #[error("the certificate: {0}")]
    Leaf(#[from] LeafError),
    /// Other replicas kept changing the Secret.
    #[error("the Secret {0} changed each time it was about to be written")]
    Contended(String),
}

/// The certificate of this replica.
pub struct Certificates {
    /// The API server.
    pub client: Client,
    /// Namespace of the Secret.
    pub namespace: String,
    /// Name of the Secret.
    pub secret: String,
    /// Name of both webhook configurations.
    pub configuration: String,
    /// Names that the API server calls us by.
    pub names: Names,
    /// Where the server takes its certificate from.
    pub resolver: Arc<CertResolver>,
}

impl Certificates {
    /// Reads or makes the authority, issues a leaf, and serves with it from now on. Returns the bundle to
    /// publish, and until when all that is good.
    pub async fn obtain(&self, now: Timestamp) -> Result<(Bundle, Timestamp), CertificateError> {
        let (authority, bundle) = self.authority(now).await?;
        let leaf = Leaf::issue(&authority, &self.names, now)?;
        self.resolver.set(leaf.certified_key()?);
        tracing::info!(until = %leaf.not_after(), "serving with a new certificate");
        Ok((bundle, leaf.renew_at().min(authority.renew_at())))
    }

    async fn authority(&self, now: Timestamp) -> Result<(Authority, Bundle), CertificateError> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
        // Each round that is lost to another replica is won by it: a few are enough for any number of them.
        for _ in 0..5 {
            let secret = within(api.get_opt(&self.secret)).await?;
            let data = secret.as_ref().map(secret_data);
            match store::decide(data.as_ref(), now) {
                Step::Use(authority, bundle) => return Ok((*authority, bundle)),
                Step::Foreign(reason) => {
                    return Err(CertificateError::Foreign { name: self.secret.clone(), reason });
                }
                Step::Create => {
                    let object = self.secret_object(&Authority::generate(now)?, None);
                    match within(api.create(&PostParams::default(), &object)).await {
                        Err(error) if !error.is_already_exists() => return Err(error.into()),
                        _ => {}
                    }
                }
                Step::Replace(reason) => {
                    tracing::info!(%reason, "replacing the webhook authority");
                    let version = secret.and_then(|secret| secret.metadata.resource_version);
                    let object = self.secret_object(&Authority::generate(now)?, version);
                    match within(api.replace(&self.secret, &PostParams::default(), &object)).await {
                        Err(error) if error.class() != crate::core::amalthea::ErrorClass::Conflict => {
                            return Err(error.into());
                        }
                        _ => {}
                    }
                }
            }
        }
        Err(CertificateError::Contended(self.secret.clone()))
    }

    fn secret_object(&self, authority: &Authority, resource_version: Option<String>) -> Secret {
        let content = SecretData::of(authority);
        Secret {
            metadata: ObjectMeta {
                name: Some(self.secret.clone()),
                namespace: Some(self.namespace.clone()),
                labels: Some(content.labels),
                resource_version,
                ..ObjectMeta::default()
            },
            type_: Some(store::SECRET_TYPE.into()),
            data: Some(content.data.into_iter().map(|(key, value)| (key, ByteString(value))).collect()),
            ..Secret::default()
        }
    }

    /// Keeps the certificate and the published bundle good until the task is aborted. `published` is true
    /// while both configurations hold the bundle.
    pub async fn keep(
        self: Arc<Self>,
        mut bundle: Bundle,
        mut renew_at: Timestamp,
        published: watch::Sender<bool>,
    ) {
        let named = watcher::Config::default().fields(&format!("metadata.name={}", self.configuration));
        let validating: Api<ValidatingWebhookConfiguration> = Api::all(self.client.clone());
        let mutating: Api<MutatingWebhookConfiguration> = Api::all(self.client.clone());
        let mut validating_changes =
            watcher(validating.clone(), named.clone()).default_backoff().applied_objects().boxed();
        let mut mutating_changes =
            watcher(mutating.clone(), named).default_backoff().applied_objects().boxed();
        // By wall clock, each minute: a timer alone would sleep through a suspended machine.
        let mut minute = tokio::time::interval(Duration::from_secs(60));
        // What the configurations last looked like, for when the bundle itself changes.
        let (mut seen_validating, mut seen_mutating) = (None, None);
        let mut done = (false, false);
        loop {
            tokio::select! {
                Some(change) = validating_changes.next() => if let Ok(live) = change {
                    done.0 = self.publish(&validating, &live, &bundle).await;
                    seen_validating = Some(live);
                },
                Some(change) = mutating_changes.next() => if let Ok(live) = change {
                    done.1 = self.publish(&mutating, &live, &bundle).await;
                    seen_mutating = Some(live);
                },
                _ = minute.tick() => {
                    if Timestamp::now() < renew_at {
                        continue;
                    }
                    match self.obtain(Timestamp::now()).await {
                        Ok(next) => (bundle, renew_at) = next,
                        Err(error) => tracing::error!(%error, "the certificate cannot be renewed; serving on with the old one"),
                    }
                    if let Some(live) = &seen_validating {
                        done.0 = self.publish(&validating, live, &bundle).await;
                    }
                    if let Some(live) = &seen_mutating {
                        done.1 = self.publish(&mutating, live, &bundle).await;
                    }
                },
            }
            published.send_if_modified(|published| {
                std::mem::replace(published, done.0 && done.1) != (done.0 && done.1)
            });
        }
    }

    /// Writes the bundle into a configuration in which it is not. Returns whether it is there now.
    async fn publish<K>(&self, api: &Api<K>, live: &K, bundle: &Bundle) -> bool
    where
        K: Resource + serde::Serialize + DeserializeOwned + Clone + Debug,
    {
        let webhooks = serde_json::to_value(live).map(|live| live["webhooks"].clone()).unwrap_or_default();
        let stale =
            |webhook: &Value| needs_publishing(&decoded(&webhook["clientConfig"]["caBundle"]), bundle);
        let webhooks = webhooks.as_array().cloned().unwrap_or_default();
        let Some(reason) = webhooks.iter().find_map(stale) else { return !webhooks.is_empty() };
        let encoded = json!(ByteString(bundle.to_pem().into_bytes()));
        // By position and name: a configuration that was changed meanwhile is seen again, and not touched.
        let patch: Vec<Value> = webhooks
            .iter()
            .enumerate()
            .flat_map(|(index, webhook)| {
                [
                    json!({"op": "test", "path": format!("/webhooks/{index}/name"), "value": webhook["name"]}),
                    json!({"op": "add", "path": format!("/webhooks/{index}/clientConfig/caBundle"), "value": encoded}),
                ]
            })
            .collect();
        let patch = match serde_json::from_value::<json_patch::Patch>(Value::Array(patch)) {
            Ok(patch) => Patch::Json::<()>(patch),
            Err(error) => {
                tracing::error!(%error, "the patch of a webhook configuration cannot be written");
                return false;
            }
        };
        match within(api.patch(&self.configuration, &PatchParams::default(), &patch)).await {
            Ok(_) => {
                tracing::info!(%reason, "published the webhooks' bundle");
                true
            }
            Err(error) => {
                tracing::warn!(%error, "the webhooks' bundle cannot be published");
                false
            }
        }
    }
}

fn secret_data(secret: &Secret) -> SecretData {
    SecretData {
        labels: secret.metadata.labels.clone().unwrap_or_default(),
        data: secret.data.iter().flatten().map(|(key, value)| (key.clone(), value.0.clone())).collect(),
    }
}

fn decoded(bundle: &Value) -> Vec<u8> {
    serde_json::from_value::<ByteString>(bundle.clone()).map(|bytes| bytes.0).unwrap_or_default()
}
