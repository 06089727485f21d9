//! A session's life in scenes, told with an operator that may be killed once.

use crate::faults::{Fault, Life};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::{
    Api, Client, Config,
    api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
    core::{ApiResource, DynamicObject},
};
use serde_json::{Value, json};
use sojourn::{
    control::{
        amalthea, api,
        lease::Gate,
        replica::{Reconciled, Replica},
        watch::Unsynced,
        worker,
    },
    core::live,
    core::settings::SessionSettings,
    settings::Scope,
    telemetry::metrics::Metrics,
};
use sojourn_cluster::{Cluster, test_namespace};
use sojourn_crds::amalthea::{AmaltheaSession, State};
use std::{sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// What kind of session the story is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Interactive,
    Batch,
}

/// How a story went.
#[derive(Debug)]
pub(crate) struct Ending {
    /// Whether the operator was killed.
    pub(crate) killed: bool,
    /// How many writes its first life had.
    pub(crate) writes: u64,
    /// What the namespace held at the end of each scene.
    pub(crate) scenes: Vec<Value>,
}

pub(crate) struct Story<'a> {
    cluster: &'a Cluster,
    kind: Kind,
    namespace: String,
    client: Client,
    resources: Vec<(&'static str, ApiResource)>,
    sessions: Api<AmaltheaSession>,
    life: Life,
    followed: bool,
    tasks: JoinSet<()>,
}

const NAME: &str = "hero";

impl<'a> Story<'a> {
    pub(crate) async fn new(cluster: &'a Cluster, kind: Kind, fault: Option<Fault>) -> Self {
        let client = cluster.client().await.unwrap();
        let namespace = test_namespace(&client, "crash").await.unwrap();
        let life = Life::new(fault);
        let tasks = start_operator(cluster, &namespace, &life).await;
        let sessions = Api::namespaced(client.clone(), &namespace);
        Self {
            cluster,
            kind,
            client,
            resources: resources(),
            sessions,
            namespace,
            life,
            followed: false,
            tasks,
        }
    }

    /// Start, hibernate, resume, delete; the operator is followed by another as soon as it dies.
    pub(crate) async fn play(mut self) -> Ending {
        let mut scenes = Vec::new();
        self.secret("adopted").await;
        self.create().await;
        scenes.push(self.after_scene(State::Running).await);
        self.patch(json!({"spec": {"hibernated": true}})).await;
        scenes.push(self.after_scene(State::Hibernated).await);
        self.patch(json!({"spec": {"hibernated": false}})).await;
        scenes.push(self.after_scene(State::Running).await);
        self.sessions.delete(NAME, &DeleteParams::default()).await.unwrap();
        self.until("everything is gone", async |story| story.holdings().await == json!({})).await;
        let ending = Ending { killed: self.life.death.is_cancelled(), writes: self.life.writes(), scenes };
        self.tasks.shutdown().await;
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        namespaces.delete(&self.namespace, &DeleteParams::default()).await.unwrap();
        ending
    }

    async fn secret(&self, name: &str) {
        let secret = Secret {
            metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
            ..Secret::default()
        };
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
        api.create(&PostParams::default(), &secret).await.unwrap();
    }

    async fn create(&self) {
        let mut spec = json!({
            "session": {"image": "debian:12"},
            "ingress": {"host": "hero.example.org", "tlsSecret": {"name": "adopted", "adopt": true}},
        });
        if self.kind == Kind::Batch {
            spec["sessionType"] = json!("NonInteractive");
            spec["culling"] = json!({"maxAge": "1h"});
        }
        let session: AmaltheaSession = serde_json::from_value(json!({
            "apiVersion": "amalthea.dev/v1alpha1", "kind": "AmaltheaSession",
            "metadata": {"name": NAME, "namespace": self.namespace}, "spec": spec,
        }))
        .unwrap();
        self.sessions.create(&PostParams::default(), &session).await.unwrap();
    }

    async fn patch(&self, patch: Value) {
        self.sessions.patch(NAME, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    /// Waits until the session is in `state`, its pods fit, and a moment later nothing has changed.
    async fn after_scene(&mut self, state: State) -> Value {
        self.until(&format!("{state:?}"), async |story| {
            let pods = story.list(&api::resource(live::Kind::Pod)).await.len();
            let session = story.sessions.get(NAME).await.unwrap();
            session.status.is_some_and(|status| status.state == state)
                && pods == usize::from(state == State::Running)
        })
        .await;
        // A life that dies in the last write of a scene shows it only then.
        tokio::time::sleep(Duration::from_millis(300)).await;
        self.until("settled", async |story| {
            let before = story.holdings().await;
            tokio::time::sleep(Duration::from_millis(300)).await;
            before == story.holdings().await
        })
        .await;
        self.holdings().await
    }

    async fn until(&mut self, what: &str, holds: impl AsyncFn(&Self) -> bool) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        loop {
            if self.life.death.is_cancelled() && !self.followed {
                self.follow().await;
            }
            if holds(self).await {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "{what}: {:#}", self.holdings().await);
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    /// Another operator takes over from the dead one.
    async fn follow(&mut self) {
        self.followed = true;
        self.tasks.shutdown().await;
        self.tasks = start_operator(self.cluster, &self.namespace, &Life::default()).await;
    }

    async fn list(&self, resource: &ApiResource) -> Vec<Value> {
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.namespace, resource);
        let listed = api.list(&ListParams::default()).await.unwrap();
        listed.items.into_iter().map(|object| serde_json::to_value(object).unwrap()).collect()
    }

    /// What the namespace holds of the session, without what differs from run to run.
    async fn holdings(&self) -> Value {
        let mut held = serde_json::Map::new();
        for (kind, resource) in &self.resources {
            for object in self.list(resource).await {
                let name = if *kind == "Pod" { "pod" } else { object["metadata"]["name"].as_str().unwrap() };
                held.insert(format!("{kind} {name}"), lasting(kind, &object));
            }
        }
        Value::Object(held)
    }
}

/// Everything that a session is made of.
fn resources() -> Vec<(&'static str, ApiResource)> {
    let children = live::Kind::CHILDREN.into_iter().chain([live::Kind::Pod]);
    let sessions = (sojourn_crds::amalthea::KIND, AmaltheaSession::resource());
    children.map(|kind| (kind.name(), api::resource(kind))).chain([sessions]).collect()
}

/// The reconciler of one namespace, without webhooks: they have no part in what is tested here.
async fn start_operator(cluster: &Cluster, namespace: &str, life: &Life) -> JoinSet<()> {
    let kubeconfig = Kubeconfig::read_from(cluster.kubeconfig()).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let replica = Replica {
        client: life.client(config),
        identity: "crash-test".into(),
        metrics: Metrics::default().reconcile,
        gate: Gate::open(),
    };
    let reconciler = Arc::new(amalthea::Reconciler::new(replica, settings()));
    let mut tasks = JoinSet::new();
    let unsynced = Unsynced::default();
    amalthea::watch::start(
        &reconciler,
        &Scope::Namespaces(vec![namespace.to_owned()]),
        &unsynced,
        &mut tasks,
    );
    unsynced.wait().await;
    worker::start(&reconciler, 2, &mut tasks);
    tasks
}

fn settings() -> SessionSettings {
    SessionSettings {
        rclone_storage_class: "csi-rclone".into(),
        sidecars_image: "renku/sidecars:latest".into(),
        oauth2_proxy_image: "oauth2-proxy:7".into(),
        pull_secrets: Vec::new(),
        none_same_site_cookie: false,
        https_ingress: false,
        image_rewrite: None,
        on_deadline: Default::default(),
        // The pods that kwok plays have addresses that nobody has.
        ask_proxies: false,
        idle_check_interval: Duration::from_secs(30),
    }
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
    match kind {
        "Pod" => json!({"phase": status["phase"]}),
        "AmaltheaSession" => json!({
            "spec": spec,
            "finalizers": metadata["finalizers"],
            "state": status["state"],
            "error": status["error"],
            "url": status["url"],
            "counts": status["containerCounts"],
            "hasRun": status["runID"].is_string(),
            "hibernated": status["hibernatedSince"].is_string(),
            "failing": status["failingSince"],
            "conditions": status["conditions"].as_array().into_iter().flatten().map(|condition| {
                json!([condition["type"], condition["status"], condition["reason"], condition["message"]])
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
