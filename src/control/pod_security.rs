//! Which Pod Security Standards namespaces enforce, from their labels.
//!
//! Nothing waits for this watch, and nothing depends on it but warnings: where the operator may not follow namespaces,
//! because it serves some of them only, none is known to enforce anything.

use super::{
    key::Key,
    watch::{CacheSync, EventHandler, follow_metadata},
};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client,
    core::{ApiResource, DynamicObject},
    runtime::watcher,
};
use parking_lot::RwLock;
use sojourn_webhooks::{
    rules::pod_security::{ENFORCE_LABEL, Enforced},
    settings::KubernetesVersion,
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};
use tokio::task::JoinSet;

/// A namespace's UID, and what it enforces.
type Entry = (String, Enforced);

/// What is known of namespaces that enforce a standard.
#[derive(Clone, Default)]
pub struct PodSecurityLevels {
    /// The version of the cluster.
    kubernetes: KubernetesVersion,
    known: Arc<RwLock<HashMap<String, Entry>>>,
}

impl PodSecurityLevels {
    /// Nothing is known yet, in a cluster of that version.
    pub fn new(kubernetes: KubernetesVersion) -> Self {
        Self { kubernetes, known: Arc::default() }
    }

    /// Follows the namespaces that have the label, by their metadata, until the task is aborted with the set.
    pub fn watch(&self, client: &Client, tasks: &mut JoinSet<()>) {
        let namespaces = Api::all_with(client.clone(), &ApiResource::erase::<Namespace>(&()));
        let labelled = watcher::Config::default().labels(ENFORCE_LABEL);
        tasks.spawn(follow_metadata(namespaces, labelled, self.clone(), CacheSync::default().register()));
    }

    /// What a namespace enforces, as far as it is known.
    pub fn of(&self, namespace: &str) -> Option<Enforced> {
        self.known.read().get(namespace).map(|(_, enforced)| *enforced)
    }
}

impl EventHandler for PodSecurityLevels {
    fn kind(&self) -> &'static str {
        "Namespace"
    }

    fn apply(&self, object: DynamicObject) -> Option<Key> {
        let metadata = object.metadata;
        let (name, uid) = (metadata.name?, metadata.uid?);
        let labels = metadata.labels.unwrap_or_default();
        let enforced = Enforced::of(|key| labels.get(key).map(String::as_str), self.kubernetes);
        let mut known = self.known.write();
        match enforced {
            Some(enforced) => known.insert(name, (uid, enforced)),
            None => known.remove(&name),
        };
        None
    }

    fn remove(&self, object: DynamicObject) -> Option<Key> {
        self.known.write().remove(&object.metadata.name?);
        None
    }

    fn retain(&self, listed: &HashSet<String>) -> Vec<Key> {
        self.known.write().retain(|_, (uid, _)| listed.contains(uid));
        Vec::new()
    }

    fn enqueue(&self, _: Key) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use sojourn_webhooks::rules::pod_security::Level;

    fn namespace(name: &str, uid: &str, level: &str) -> DynamicObject {
        serde_json::from_value(
            json!({"metadata": {"name": name, "uid": uid, "labels": {ENFORCE_LABEL: level}}}),
        )
        .unwrap()
    }

    #[test]
    fn labels_come_and_go() {
        let levels = PodSecurityLevels::default();
        let level = |name: &str| levels.of(name).map(|enforced| enforced.level);
        levels.apply(namespace("a", "1", "restricted"));
        levels.apply(namespace("b", "2", "baseline"));
        assert_eq!((level("a"), level("b")), (Some(Level::Restricted), Some(Level::Baseline)));
        levels.apply(namespace("b", "2", "privileged"));
        assert_eq!(level("b"), None);
        // Without the label it is no longer selected.
        levels.remove(namespace("a", "1", "restricted"));
        assert_eq!(level("a"), None);
        // Gone while nobody watched.
        levels.apply(namespace("c", "3", "restricted"));
        levels.retain(&HashSet::from(["4".to_owned()]));
        assert_eq!(level("c"), None);
    }
}
