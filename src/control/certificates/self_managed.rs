//! Mode `self`: the I/O around [`sojourn_certs::rotation`]. A reconcile takes all steps that are due, publishes the
//! bundle and dials the own port. It runs when the Secret or a configuration changes, and when a deadline has passed.

use super::{
    ActiveCertificate, CertificateServer,
    configurations::{self, ConfigurationKind, Configurations},
    deregistration::Deregistration,
    jittered_minute,
    secret::{SecretStore, Version},
};
use crate::{
    control::{errors::CallError, event},
    core::event::{CertificateEvent, EventRecord},
    telemetry::certificates::{CertificateRole, Failure, Phase},
};
use futures::StreamExt;
use jiff::SignedDuration;
use k8s_openapi::api::core::v1::{ObjectReference, Secret};
use kube::{Api, Client};
use serde_json::{Value, json};
use sojourn_certs::{
    Bundle, Fingerprint, Leaf, Names,
    authority::{AuthorityError, Reason},
    leaf::LeafError,
    propagation::BundlePropagation,
    rotation::{self, Change, Serving, Step, View},
};
use std::{collections::BTreeMap, pin::pin, time::Duration};
use tokio::time::Instant;

/// Steps in one reconcile: each is a write that succeeded, or conflicted with another replica, of which there are few.
const MAX_STEPS: usize = 16;
/// The first and the largest delay after failures.
const RETRY: Duration = Duration::from_secs(1);
const MAX_RETRY: Duration = Duration::from_secs(60);

/// A reconcile failed. What is served is served meanwhile.
#[derive(Debug, thiserror::Error)]
enum KeepCertificateError {
    #[error("the certificate's Secret cannot be read: {0}")]
    Read(#[source] CallError),
    #[error("the certificate's Secret cannot be written: {0}")]
    Write(#[source] CallError),
    #[error("the webhooks' bundle cannot be published: {0}")]
    Publish(#[source] CallError),
    #[error("no authority can be made: {0}")]
    Authority(#[from] AuthorityError),
    #[error("no certificate can be made: {0}")]
    Leaf(#[from] LeafError),
    #[error("the Secret {0} is not the operator's and does not serve ({1}): remove it, or name another one")]
    Foreign(String, Reason),
}

impl KeepCertificateError {
    fn failure(&self) -> Failure {
        match self {
            Self::Read(_) | Self::Foreign(..) => Failure::Load,
            Self::Write(_) => Failure::Store,
            Self::Publish(_) => Failure::Publish,
            Self::Authority(_) | Self::Leaf(_) => Failure::Issue,
        }
    }
}

/// The configuration of self-managed certificates.
pub struct SelfManagedConfig {
    /// Client for the API server.
    pub client: Client,
    /// Namespace of the Secret.
    pub namespace: String,
    /// Name of the Secret.
    pub secret: String,
    /// Name of both webhook configurations.
    pub configuration: String,
    /// Names that the certificate is for.
    pub names: Names,
    /// Name of this replica, unique among those that run.
    pub replica: String,
    /// How long API servers may take to observe a change of a configuration.
    pub propagation: Duration,
}

/// Issues and renews the certificate of this replica, and rotates the authority of all.
pub struct SelfManaged {
    config: SelfManagedConfig,
    server: CertificateServer,
    store: SecretStore,
    /// The outer `None`: not observed yet; the inner one: it does not exist.
    secret: Option<Option<Version>>,
    configurations: Configurations,
    held: BundlePropagation,
    serving: Option<Serving>,
    active: Option<ActiveCertificate>,
    authority: Option<Fingerprint>,
    /// Message of the last Event.
    last_event: Option<String>,
    failures: u32,
}

impl SelfManaged {
    /// Does nothing until [`Self::run`].
    pub fn new(config: SelfManagedConfig, server: CertificateServer) -> Self {
        let api = Api::namespaced(config.client.clone(), &config.namespace);
        let store = SecretStore { api, name: config.secret.clone() };
        Self {
            config,
            server,
            store,
            secret: None,
            configurations: Configurations::default(),
            held: BundlePropagation::default(),
            serving: None,
            active: None,
            authority: None,
            last_event: None,
            failures: 0,
        }
    }

    /// What to run when the server has ended.
    pub fn deregistration(&self) -> Deregistration {
        Deregistration { store: self.store.clone(), replica: self.config.replica.clone() }
    }

    /// Keeps the certificate and the published bundle valid. Does not return.
    pub async fn run(mut self) {
        let mut secrets = pin!(configurations::watch::<Secret>(self.store.api.clone(), &self.config.secret));
        let mut live = pin!(Configurations::watch(&self.config.client, &self.config.configuration));
        let mut wake = Instant::now();
        loop {
            tokio::select! {
                Some(object) = secrets.next() => self.secret = Some(object.map(Version::of)),
                Some((kind, live)) = live.next() => self.configurations.update(kind, live),
                () = tokio::time::sleep_until(wake) => {}
            }
            wake = Instant::now()
                + match self.secret.is_some() && self.configurations.are_synced() {
                    true => self.reconcile().await,
                    false => jittered_minute(),
                };
        }
    }

    /// Takes the steps that are due. Returns the delay until the next reconcile.
    async fn reconcile(&mut self) -> Duration {
        let mut requeue_after = jittered_minute();
        let (done, next_step_at) = match self.steps().await {
            Ok(next_step_at) => (self.publish().await, next_step_at),
            Err(error) => (Err(error), None),
        };
        match &done {
            Ok(_) => {
                self.failures = 0;
                self.last_event = None;
            }
            Err(error) => {
                self.server.metrics.failed(error.failure());
                tracing::error!(%error, "the webhooks' certificate; what is served goes on being served");
                self.publish_event(CertificateEvent::CertificateNotKept, error.to_string()).await;
                requeue_after = RETRY.saturating_mul(1 << self.failures.min(6)).min(MAX_RETRY);
                self.failures += 1;
            }
        }
        let concern = done.as_ref().err().map(ToString::to_string);
        self.show(matches!(done, Err(KeepCertificateError::Foreign(..))));
        if !self.server.verify(&self.configurations, concern.as_deref()).await {
            requeue_after = requeue_after.min(RETRY);
        }
        match done {
            // Something was written: what follows from it is to be done at once.
            Ok(true) => Duration::ZERO,
            _ => next_step_at.map_or(requeue_after, |next_step_at| {
                requeue_after.min(next_step_at.saturating_duration_since(Instant::now()))
            }),
        }
    }

    /// Takes steps until none is due. Returns when the next is, if nothing changes before.
    async fn steps(&mut self) -> Result<Option<Instant>, KeepCertificateError> {
        use KeepCertificateError::{Foreign, Read, Write};
        for _ in 0..MAX_STEPS {
            let published = self.configurations.published();
            let wanted = self.secret.iter().flatten().next().map(|version| &version.stored.bundle);
            self.held.see(wanted, &published, Instant::now().into_std());
            let published = published.iter().fold(Bundle::default(), Bundle::merge);
            match self.view(&published, rotation::decide) {
                Step::Create => {
                    let made = self.view(&published, rotation::create)?;
                    self.secret = Some(match self.store.create(&made).await.map_err(Write)? {
                        Some(version) => Some(version),
                        None => self.store.get().await.map_err(Read)?,
                    });
                }
                Step::Write(change) => {
                    let Some(Some(version)) = &self.secret else { return Ok(None) };
                    let made =
                        self.view(&published, |view| rotation::change(view, &version.data, &change))?;
                    let written = self.store.replace(version, &made).await.map_err(Write)?;
                    let mine = written.is_some();
                    self.secret = Some(match written {
                        Some(version) => Some(version),
                        None => self.store.get().await.map_err(Read)?,
                    });
                    if mine {
                        self.report_change(&change).await;
                    }
                }
                Step::Serve(renew) => {
                    tracing::debug!(%renew, "a new certificate is needed");
                    self.serve()?;
                }
                Step::Foreign(reason) => return Err(Foreign(self.config.secret.clone(), reason)),
                Step::Wait(_) => {
                    let wake = self.view(&published, rotation::wake);
                    return Ok(wake.map(|left| Instant::now() + left));
                }
            }
        }
        Ok(Some(Instant::now()))
    }

    fn view<T>(&self, published: &Bundle, look: impl FnOnce(&View<'_>) -> T) -> T {
        look(&View {
            me: &self.config.replica,
            stored: self.secret.iter().flatten().next().map(|version| &version.stored),
            published,
            held_for: self.held.held_for(Instant::now().into_std()),
            propagation: self.config.propagation,
            serving: self.serving.as_ref(),
            now: self.server.clock.now(),
        })
    }

    /// Issues a leaf under the authority that signs, and serves with it from now on.
    fn serve(&mut self) -> Result<(), KeepCertificateError> {
        let now = self.server.clock.now();
        let Some(Some(version)) = &self.secret else { return Ok(()) };
        let Ok(authority) = version.stored.signer(now) else { return Ok(()) };
        let leaf = Leaf::issue(authority, &self.config.names, now)?;
        self.server.resolver.set(leaf.certified_key()?);
        // Replicas that started together renew apart.
        let early = SignedDuration::from_secs(rand::random_range(0..24 * 3600));
        self.serving = Some(Serving {
            authority: authority.certificate().to_vec(),
            fingerprint: authority.fingerprint(),
            renew_at: leaf.renew_at().saturating_sub(early).unwrap_or(now),
            until: leaf.not_after(),
        });
        let active = ActiveCertificate {
            fingerprint: Some(Fingerprint::of(leaf.certificate())),
            until: leaf.not_after(),
        };
        self.server.rotated(&active);
        self.active = Some(active);
        let until = authority.not_after();
        let authority = Some(authority.fingerprint());
        if self.authority != authority {
            self.server.metrics.rotated(CertificateRole::Authority, until);
            self.authority = authority;
        }
        Ok(())
    }

    /// Publishes the bundle where it is stale. Returns whether it was. The Secret is read again first, after the
    /// configuration was observed: a bundle from an older Secret could lack an authority that another replica uses.
    async fn publish(&mut self) -> Result<bool, KeepCertificateError> {
        let mut wrote = false;
        for _ in [ConfigurationKind::Validating, ConfigurationKind::Mutating] {
            let Some(Some(version)) = &self.secret else { return Ok(wrote) };
            let stored = &version.stored;
            let Some(kind) = self.configurations.stale(&stored.bundle, stored.matching()) else { break };
            let fresh = self.store.get().await.map_err(KeepCertificateError::Read)?;
            if let Some(Version { stored, .. }) = &fresh {
                let name = (kind, self.config.configuration.as_str());
                self.configurations
                    .publish(&self.config.client, name, &stored.bundle, stored.matching())
                    .await
                    .map_err(KeepCertificateError::Publish)?;
            }
            self.secret = Some(fresh);
            wrote = true;
        }
        // A write of another replica is reported by the watch; there is no need to poll for it.
        Ok(wrote
            && self.secret.iter().flatten().next().is_none_or(|it| {
                self.configurations.stale(&it.stored.bundle, it.stored.matching()).is_none()
            }))
    }

    /// Logs a change of the authority, and publishes an Event about it.
    async fn report_change(&mut self, change: &Change) {
        match change {
            Change::Begin(why) => {
                tracing::info!(%why, "a new authority of the webhooks' certificates is published");
                self.publish_event(
                    CertificateEvent::RotationBegan,
                    format!("Publishing a new authority: {why}"),
                )
                .await;
            }
            Change::Promote => {
                tracing::info!("the new authority of the webhooks' certificates signs");
                self.publish_event(CertificateEvent::RotationDone, "The new authority signs".to_owned())
                    .await;
            }
            Change::Retire => tracing::info!("the old authority of the webhooks' certificates is dropped"),
            Change::RepublishOwnCa => {
                tracing::warn!("the certificate's Secret lacked the authority that is served under; added");
            }
            Change::Report(_) | Change::Prune => {}
        }
    }

    /// Publishes an Event about the Secret, unless the last one has the same message. One that cannot be published is
    /// lost; it repeats logs, metrics and the readiness page.
    async fn publish_event(&mut self, reason: CertificateEvent, message: String) {
        let Some(Some(version)) = &self.secret else { return };
        if self.last_event.as_ref() == Some(&message) {
            return;
        }
        let about = ObjectReference {
            api_version: Some("v1".into()),
            kind: Some("Secret".into()),
            name: Some(self.config.secret.clone()),
            namespace: Some(self.config.namespace.clone()),
            uid: version.object.metadata.uid.clone(),
            ..ObjectReference::default()
        };
        let note = EventRecord::new(reason, message.clone());
        event::publish(&self.config.client, about, &self.config.replica, "KeepCertificate", &note).await;
        self.last_event = Some(message);
    }

    fn show(&self, foreign: bool) {
        let stored = self.secret.iter().flatten().next().map(|version| &version.stored);
        let phase = match stored.map(|stored| stored.phase()) {
            _ if foreign => Phase::Foreign,
            None => Phase::Starting,
            Some(rotation::Phase::Settled) => Phase::Settled,
            Some(rotation::Phase::Publishing) => Phase::Publishing,
            Some(rotation::Phase::Retiring) => Phase::Retiring,
            Some(rotation::Phase::Borrowed) => Phase::Borrowed,
        };
        let signer = stored.and_then(|stored| stored.signer.as_ref().ok());
        if let Some(signer) = signer {
            self.server.metrics.expires(CertificateRole::Authority, signer.not_after());
        }
        let replicas: BTreeMap<_, _> = stored
            .iter()
            .flat_map(|stored| &stored.reports)
            .map(|(name, report)| (name.clone(), Value::from(report.authority.to_string())))
            .collect();
        let more = json!({
            "authority": signer.map(|signer| signer.fingerprint().to_string()),
            "authorityNotAfter": signer.map(|signer| signer.not_after()),
            "published": stored.map(|stored| stored.bundle.fingerprints().map(ToString::to_string).collect::<Vec<_>>()),
            "replicas": replicas,
        });
        self.server.show("self", phase, self.active.as_ref(), more);
    }
}
