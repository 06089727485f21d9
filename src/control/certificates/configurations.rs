//! The CA bundles of the two webhook configurations: watched, compared, written.

use super::super::{
    api::within,
    errors::{CallError, watch_error_message},
};
use futures::{Stream, StreamExt, stream};
use k8s_openapi::{
    ByteString,
    api::admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration},
};
use kube::{
    Api, Client, Resource,
    api::{Patch, PatchParams},
    runtime::{WatchStreamExt, watcher},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use sojourn_certs::{
    Bundle,
    bundle::{Match, PublishReason, to_publish},
};
use std::fmt::Debug;

/// One of the two webhook configurations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigurationKind {
    /// The `ValidatingWebhookConfiguration`.
    Validating,
    /// The `MutatingWebhookConfiguration`.
    Mutating,
}

/// A webhook configuration as last observed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveConfiguration {
    version: String,
    /// The bundle of each webhook, in order.
    bundles: Vec<Vec<u8>>,
}

/// Both webhook configurations, as last observed.
#[derive(Clone, Debug, Default)]
pub struct Configurations {
    /// The outer `None`: not observed yet; the inner one: it does not exist.
    validating: Option<Option<LiveConfiguration>>,
    mutating: Option<Option<LiveConfiguration>>,
}

impl LiveConfiguration {
    fn of(object: &impl Serialize) -> Self {
        let object = serde_json::to_value(object).unwrap_or_default();
        let bundle = |webhook: &Value| {
            let bundle = serde_json::from_value::<ByteString>(webhook["clientConfig"]["caBundle"].clone());
            bundle.map(|bundle| bundle.0).unwrap_or_default()
        };
        Self {
            version: object["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned(),
            bundles: object["webhooks"].as_array().into_iter().flatten().map(bundle).collect(),
        }
    }

    /// What its webhooks publish, each as far as it can be read.
    fn published(&self) -> impl Iterator<Item = Bundle> {
        self.bundles.iter().map(|pem| Bundle::parse(pem).unwrap_or_default())
    }

    /// What to write for each webhook, and why; `None` when all are good.
    fn to_publish(&self, wanted: &Bundle, matching: Match) -> Option<(PublishReason, Vec<Value>)> {
        let stale: Vec<_> = self.bundles.iter().map(|pem| to_publish(pem, wanted, matching)).collect();
        let reason = stale.iter().flatten().map(|(reason, _)| *reason).next()?;
        let writes = stale.into_iter().enumerate().filter_map(|(index, write)| {
            let bundle = ByteString(write?.1.to_pem().into_bytes());
            let path = format!("/webhooks/{index}/clientConfig/caBundle");
            Some(json!({"op": "add", "path": path, "value": bundle}))
        });
        Some((reason, writes.collect()))
    }
}

impl Configurations {
    /// Both of a name, by watches. Each item is one of them as it is now; none when it does not exist.
    pub(super) fn watch(
        client: &Client,
        name: &str,
    ) -> impl Stream<Item = (ConfigurationKind, Option<LiveConfiguration>)> + use<> {
        let validating: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
        let mutating: Api<MutatingWebhookConfiguration> = Api::all(client.clone());
        stream::select(
            watch(validating, name)
                .map(|object| (ConfigurationKind::Validating, object.as_ref().map(LiveConfiguration::of))),
            watch(mutating, name)
                .map(|object| (ConfigurationKind::Mutating, object.as_ref().map(LiveConfiguration::of))),
        )
    }

    /// Records what a watch reported.
    pub(super) fn update(&mut self, kind: ConfigurationKind, live: Option<LiveConfiguration>) {
        *self.of(kind) = Some(live);
    }

    /// Whether both watches have listed.
    pub(super) fn are_synced(&self) -> bool {
        self.validating.is_some() && self.mutating.is_some()
    }

    /// What each webhook publishes.
    pub(super) fn published(&self) -> Vec<Bundle> {
        [&self.validating, &self.mutating]
            .into_iter()
            .flatten()
            .flatten()
            .flat_map(LiveConfiguration::published)
            .collect()
    }

    /// What API servers trust us by: each bundle once. `Err` says what is missing for them to call us at all.
    pub(super) fn bundles(&self) -> Result<Vec<Bundle>, String> {
        for (kind, live) in [("validating", &self.validating), ("mutating", &self.mutating)] {
            if live.as_ref().is_none_or(|live| live.as_ref().is_none_or(|live| live.bundles.is_empty())) {
                return Err(format!("there is no {kind} webhook configuration"));
            }
        }
        let mut different: Vec<Bundle> = Vec::new();
        for bundle in self.published() {
            if bundle.is_empty() {
                return Err("the webhook configurations do not hold the bundle yet".to_owned());
            }
            if !different.iter().any(|known| known.same_as(&bundle)) {
                different.push(bundle);
            }
        }
        Ok(different)
    }

    /// A configuration in which something else is to be published.
    pub(super) fn stale(&self, wanted: &Bundle, matching: Match) -> Option<ConfigurationKind> {
        let stale = |live: &Option<Option<LiveConfiguration>>| {
            live.iter().flatten().any(|live| live.to_publish(wanted, matching).is_some())
        };
        if stale(&self.validating) {
            Some(ConfigurationKind::Validating)
        } else {
            stale(&self.mutating).then_some(ConfigurationKind::Mutating)
        }
    }

    /// Publishes in the version of the configuration that was last seen, and in no other: the caller has read
    /// what is `wanted` after that version existed, so no authority that is in use can be missing.
    pub(super) async fn publish(
        &mut self,
        client: &Client,
        (kind, name): (ConfigurationKind, &str),
        wanted: &Bundle,
        matching: Match,
    ) -> Result<(), CallError> {
        let Some(Some(live)) = self.of(kind).clone() else { return Ok(()) };
        let Some((reason, writes)) = live.to_publish(wanted, matching) else { return Ok(()) };
        let test = json!({"op": "test", "path": "/metadata/resourceVersion", "value": live.version});
        let patch = Value::Array([vec![test], writes].concat());
        let written = match kind {
            ConfigurationKind::Validating => {
                write::<ValidatingWebhookConfiguration>(Api::all(client.clone()), name, patch).await
            }
            ConfigurationKind::Mutating => {
                write::<MutatingWebhookConfiguration>(Api::all(client.clone()), name, patch).await
            }
        };
        match written {
            Ok(live) => {
                tracing::info!(%reason, which = ?kind, "published the webhooks' bundle");
                self.update(kind, Some(live));
                Ok(())
            }
            // It changed meanwhile: the watch tells.
            Err(error) if error.class() == crate::core::error::ErrorClass::Invalid => {
                tracing::debug!(%error, which = ?kind, "somebody else wrote the webhook configuration first");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn of(&mut self, kind: ConfigurationKind) -> &mut Option<Option<LiveConfiguration>> {
        match kind {
            ConfigurationKind::Validating => &mut self.validating,
            ConfigurationKind::Mutating => &mut self.mutating,
        }
    }
}

async fn write<K>(api: Api<K>, name: &str, patch: Value) -> Result<LiveConfiguration, CallError>
where
    K: Clone + Debug + DeserializeOwned + Serialize,
{
    let patch: json_patch::Patch = serde_json::from_value(patch)?;
    let written = within(api.patch(name, &PatchParams::default(), &Patch::Json::<()>(patch))).await?;
    Ok(LiveConfiguration::of(&written))
}

/// One object, by a watch: as it is now, and then each time that it changes.
pub(super) fn watch<K>(api: Api<K>, name: &str) -> impl Stream<Item = Option<K>> + use<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let named = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut listed = None;
    watcher(api, named).default_backoff().filter_map(move |event| {
        let told = match event {
            Ok(watcher::Event::Init) => {
                listed = None;
                None
            }
            Ok(watcher::Event::InitApply(object)) => {
                listed = Some(object);
                None
            }
            Ok(watcher::Event::InitDone) => Some(listed.take()),
            Ok(watcher::Event::Apply(object)) => Some(Some(object)),
            Ok(watcher::Event::Delete(_)) => Some(None),
            Err(error) => {
                tracing::warn!(error = watch_error_message(&error), kind = %K::kind(&()), "a watch was interrupted");
                None
            }
        };
        std::future::ready(told)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sojourn_certs::Authority;

    fn bundle() -> Bundle {
        let authority = Authority::generate("2026-05-01T12:00:00Z".parse().unwrap()).unwrap();
        Bundle::default().with(authority.certificate())
    }

    fn live(bundles: &[&Bundle]) -> LiveConfiguration {
        let encoded = |bundle: &Bundle| json!(ByteString(bundle.to_pem().into_bytes()));
        let webhooks: Vec<_> =
            bundles.iter().map(|bundle| json!({"clientConfig": {"caBundle": encoded(bundle)}})).collect();
        LiveConfiguration::of(&json!({"metadata": {"resourceVersion": "7"}, "webhooks": webhooks}))
    }

    #[test]
    fn only_webhooks_that_lack_something_are_written() {
        let (wanted, other) = (bundle(), bundle());
        let (reason, writes) =
            live(&[&wanted, &Bundle::default(), &other]).to_publish(&wanted, Match::Exactly).unwrap();
        assert_eq!(reason, PublishReason::Blank);
        let paths: Vec<_> = writes.iter().map(|write| write["path"].as_str().unwrap()).collect();
        assert_eq!(paths, ["/webhooks/1/clientConfig/caBundle", "/webhooks/2/clientConfig/caBundle"]);
        assert!(live(&[&wanted, &wanted]).to_publish(&wanted, Match::Exactly).is_none());
    }

    #[test]
    fn what_is_missing_for_api_servers_to_call_us_is_named() {
        let mut both = Configurations::default();
        assert!(both.bundles().unwrap_err().contains("no validating"));
        both.update(ConfigurationKind::Validating, Some(live(&[&bundle(), &bundle()])));
        assert!(!both.are_synced());
        both.update(ConfigurationKind::Mutating, None);
        assert!(both.are_synced() && both.bundles().unwrap_err().contains("no mutating"));
        both.update(ConfigurationKind::Mutating, Some(live(&[&Bundle::default()])));
        assert!(both.bundles().unwrap_err().contains("do not hold"));
        both.update(ConfigurationKind::Mutating, Some(live(&[&bundle()])));
        assert_eq!(both.bundles().unwrap().len(), 3);
    }
}
