//! The watches behind endpoints: in each namespace in which Secrets may say how IDEs are reached, those that are
//! labelled, the Services that lead out of the cluster, and the addresses of pods.

use super::Endpoints;
use crate::control::{
    key::Key,
    watch::{CacheSync, EventHandler, follow},
};
use k8s_openapi::api::core::v1::{Pod, Secret, Service};
use kube::{
    Api, Client, Resource,
    core::{ApiResource, DynamicObject},
    runtime::watcher,
};
use serde::de::DeserializeOwned;
use sojourn_crds::ide_session::endpoint::{ENDPOINT_LABEL, ENDPOINT_LABEL_VALUE};
use std::{collections::HashSet, sync::Arc};
use tokio::task::JoinSet;

impl Endpoints {
    /// Starts all watches as tasks that run until they are aborted with the set.
    pub fn watch(
        self: &Arc<Self>,
        client: &Client,
        namespaces: &[String],
        cache_sync: &CacheSync,
        tasks: &mut JoinSet<()>,
    ) {
        let all = watcher::Config::default;
        let labelled = format!("{ENDPOINT_LABEL}={ENDPOINT_LABEL_VALUE}");
        for namespace in namespaces {
            let place = Place { endpoints: self.clone(), namespace: namespace.clone() };
            let (secrets, labelled) = (api::<Secret>(client, namespace), all().labels(&labelled));
            tasks.spawn(follow(secrets, labelled, Secrets(place.clone()), cache_sync.register()));
            let (services, external) =
                (api::<Service>(client, namespace), all().fields("spec.type=ExternalName"));
            tasks.spawn(follow(services, external, External(place.clone()), cache_sync.register()));
            let pods = api::<Pod>(client, namespace);
            tasks.spawn(follow(pods, all(), Pods(place), cache_sync.register()));
        }
    }
}

fn api<K: Resource<DynamicType = ()>>(client: &Client, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, &ApiResource::erase::<K>(&()))
}

/// Reads an object. What does not fit its type is as good as not there.
fn read<K: Resource<DynamicType = ()> + DeserializeOwned>(object: DynamicObject) -> Option<K> {
    // The error could show what stands in a Secret.
    let read = object.try_parse().ok();
    if read.is_none() {
        tracing::warn!(kind = %K::kind(&()), "an object beside IDEs cannot be read; it is left alone");
    }
    read
}

/// Where a watch puts what it sees, and of which namespace it is.
#[derive(Clone)]
struct Place {
    endpoints: Arc<Endpoints>,
    namespace: String,
}

/// Takes in the Secrets that say how IDEs are reached. Who has to look is found out by who follows the changes.
struct Secrets(Place);

impl EventHandler for Secrets {
    fn kind(&self) -> &'static str {
        "Secret"
    }

    fn apply(&self, object: DynamicObject) -> Option<Key> {
        self.0.endpoints.apply(&read(object)?);
        None
    }

    fn remove(&self, object: DynamicObject) -> Option<Key> {
        self.0.endpoints.remove(&read(object)?);
        None
    }

    fn retain(&self, listed: &HashSet<String>) -> Vec<Key> {
        self.0.endpoints.retain(&self.0.namespace, listed);
        Vec::new()
    }

    fn enqueue(&self, _: Key) {}
}

/// Takes in Services of type ExternalName. They are asked about when something is connected to.
struct External(Place);

impl EventHandler for External {
    fn kind(&self) -> &'static str {
        "Service"
    }

    fn apply(&self, object: DynamicObject) -> Option<Key> {
        self.0.endpoints.resolver.apply_external(&self.0.namespace, &read(object)?);
        None
    }

    fn remove(&self, object: DynamicObject) -> Option<Key> {
        self.0.endpoints.resolver.remove_external(&self.0.namespace, &read(object)?);
        None
    }

    fn retain(&self, listed: &HashSet<String>) -> Vec<Key> {
        self.0.endpoints.resolver.retain_external(&self.0.namespace, listed);
        Vec::new()
    }

    fn enqueue(&self, _: Key) {}
}

/// Takes in the addresses of pods. They are asked about when something is connected to.
struct Pods(Place);

impl EventHandler for Pods {
    fn kind(&self) -> &'static str {
        "Pod"
    }

    fn apply(&self, object: DynamicObject) -> Option<Key> {
        self.0.endpoints.resolver.apply_pod(&self.0.namespace, &read(object)?);
        None
    }

    fn remove(&self, object: DynamicObject) -> Option<Key> {
        self.0.endpoints.resolver.remove_pod(&self.0.namespace, &read(object)?);
        None
    }

    fn retain(&self, listed: &HashSet<String>) -> Vec<Key> {
        self.0.endpoints.resolver.retain_pods(&self.0.namespace, listed);
        Vec::new()
    }

    fn enqueue(&self, _: Key) {}
}
