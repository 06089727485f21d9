//! Somebody who sees everything that sessions are made of, at all times, without asking again and again.

use futures::StreamExt;
use kube::{
    Api, Client,
    core::{ApiResource, DynamicObject},
    runtime::{WatchStreamExt, watcher},
};
use serde_json::{Map, Value, json};
use sojourn::{
    control::{api, context::ReconciledKind},
    core::{object, workload::WorkloadKind as _},
};
use sojourn_crds::amalthea::{AmaltheaSession, KIND};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::{Arc, Mutex},
};
use tokio::task::JoinSet;

/// What there is in a namespace, and which objects of each kind there have been.
#[derive(Default)]
struct Namespace {
    objects: BTreeMap<(&'static str, String), Value>,
    ever: BTreeMap<&'static str, BTreeSet<String>>,
    changes: u64,
}

/// Label of pods of StatefulSets.
const REVISION: &str = "controller-revision-hash";

type Namespaces = Arc<Mutex<HashMap<String, Namespace>>>;

/// Sees what is in all namespaces.
pub(crate) struct Witness {
    namespaces: Namespaces,
    _tasks: JoinSet<()>,
}

/// Everything that a session is made of.
fn resources() -> Vec<(&'static str, ApiResource)> {
    let children = AmaltheaSession::CHILDREN.iter().copied().chain([object::Kind::Pod]);
    let sessions = (KIND, AmaltheaSession::resource());
    children.map(|kind| (kind.name(), api::resource(kind))).chain([sessions]).collect()
}

impl Witness {
    pub(crate) fn new(client: &Client) -> Self {
        let namespaces = Namespaces::default();
        let mut tasks = JoinSet::new();
        for (kind, resource) in resources() {
            let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
            tasks.spawn(follow(api, kind, namespaces.clone()));
        }
        Self { namespaces, _tasks: tasks }
    }

    /// Grows with each change in a namespace.
    pub(crate) fn changes(&self, namespace: &str) -> u64 {
        self.namespaces.lock().unwrap().get(namespace).map_or(0, |namespace| namespace.changes)
    }

    /// Forgets how many objects there have been in a namespace.
    pub(crate) fn forget(&self, namespace: &str) {
        if let Some(namespace) = self.namespaces.lock().unwrap().get_mut(namespace) {
            namespace.ever.clear();
        }
    }

    /// The objects of a kind in a namespace.
    pub(crate) fn objects(&self, namespace: &str, kind: &str) -> Vec<Value> {
        let namespaces = self.namespaces.lock().unwrap();
        let objects = namespaces.get(namespace).into_iter().flat_map(|namespace| &namespace.objects);
        objects.filter(|((found, _), _)| *found == kind).map(|(_, object)| object.clone()).collect()
    }

    /// What a namespace holds, without what differs from run to run. Empty when there is nothing.
    pub(crate) fn holdings(&self, namespace: &str) -> Value {
        let namespaces = self.namespaces.lock().unwrap();
        let Some(namespace) = namespaces.get(namespace) else { return json!({}) };
        let mut held = Map::new();
        for ((kind, name), object) in &namespace.objects {
            // Pods of Jobs have names by chance.
            let name = if *kind == "Pod" { held.len().to_string() } else { name.clone() };
            held.insert(format!("{kind} {name}"), lasting(kind, object));
        }
        if !held.is_empty() {
            held.insert(
                "ever".into(),
                namespace.ever.iter().map(|(kind, uids)| json!([kind, uids.len()])).collect(),
            );
        }
        Value::Object(held)
    }
}

async fn follow(api: Api<DynamicObject>, kind: &'static str, namespaces: Namespaces) {
    let mut events = std::pin::pin!(watcher(api, watcher::Config::default()).default_backoff());
    let mut listed = HashSet::new();
    while let Some(event) = events.next().await {
        let mut namespaces = namespaces.lock().unwrap();
        match event {
            Ok(watcher::Event::Init) => listed.clear(),
            Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object)) => {
                let (namespace, name, uid) = address(&object);
                listed.insert(uid.clone());
                let namespace = namespaces.entry(namespace).or_default();
                // kwok sometimes deletes the next pod of a StatefulSet together with the one before. What counts is
                // how many different pods were asked for.
                let revision = object.metadata.labels.as_ref().and_then(|labels| labels.get(REVISION));
                namespace.ever.entry(kind).or_default().insert(revision.cloned().unwrap_or(uid));
                namespace.objects.insert((kind, name), serde_json::to_value(object).unwrap());
                namespace.changes += 1;
            }
            Ok(watcher::Event::Delete(object)) => {
                let (namespace, name, _) = address(&object);
                let namespace = namespaces.entry(namespace).or_default();
                namespace.objects.remove(&(kind, name));
                namespace.changes += 1;
            }
            Ok(watcher::Event::InitDone) => {
                for namespace in namespaces.values_mut() {
                    let before = namespace.objects.len();
                    namespace.objects.retain(|(found, _), object| {
                        *found != kind
                            || object["metadata"]["uid"].as_str().is_some_and(|uid| listed.contains(uid))
                    });
                    namespace.changes += (before - namespace.objects.len()) as u64;
                }
                listed.clear();
            }
            Err(_) => {}
        }
    }
}

fn address(object: &DynamicObject) -> (String, String, String) {
    let metadata = object.metadata.clone();
    (metadata.namespace.unwrap_or_default(), metadata.name.unwrap(), metadata.uid.unwrap())
}

/// A text without the names that pods of Jobs have by chance.
fn without_chance(text: &Value) -> Option<String> {
    let words = text.as_str()?.split(' ');
    let words = words.map(|word| if word.starts_with("hero-") { "hero-*" } else { word });
    Some(words.collect::<Vec<_>>().join(" "))
}

/// What of an object must be the same in every run.
fn lasting(kind: &str, object: &Value) -> Value {
    let metadata = &object["metadata"];
    let mut spec = object["spec"].clone();
    // Names of volumes, addresses and UIDs are given by the cluster, run IDs by the clock.
    for pointer in [
        "/volumeName",
        "/clusterIP",
        "/clusterIPs",
        "/selector/matchLabels/batch.kubernetes.io~1controller-uid",
        "/template/metadata",
    ] {
        if let Some((parent, key)) = pointer.rsplit_once('/')
            && let Some(Value::Object(parent)) = spec.pointer_mut(parent)
        {
            parent.remove(&key.replace("~1", "/"));
        }
    }
    let status = &object["status"];
    let conditions = || status["conditions"].as_array().into_iter().flatten();
    match kind {
        "Pod" => json!({"phase": status["phase"], "going": metadata["deletionTimestamp"].is_string()}),
        // Counts of containers are not here: a change of nothing else may wait for half a minute.
        "AmaltheaSession" => json!({
            "spec": spec,
            "finalizers": metadata["finalizers"],
            "state": status["state"],
            "error": without_chance(&status["error"]),
            "url": status["url"],
            "hasRun": status["runID"].is_string(),
            "hibernated": status["hibernatedSince"].is_string(),
            "failing": status["failingSince"].is_string(),
            "idle": status["idle"],
            "observed": conditions().any(|condition| {
                condition["type"] == "Reconciled"
                    && condition["observedGeneration"] == metadata["generation"]
            }),
            "conditions": conditions().map(|condition| {
                let message = without_chance(&condition["message"]);
                json!([condition["type"], condition["status"], condition["reason"], message])
            }).collect::<Value>(),
        }),
        _ => json!({
            "spec": spec,
            "finalizers": metadata["finalizers"],
            "labels": metadata["labels"],
            "owners": metadata["ownerReferences"].as_array().map_or(0, Vec::len),
        }),
    }
}
