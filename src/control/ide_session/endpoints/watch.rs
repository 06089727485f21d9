//! The watches behind endpoints: in each namespace in which Secrets may say how IDEs are reached, those that are
//! labelled, the Services that lead out of the cluster, and the addresses of pods.

use super::{Endpoints, offer};
use crate::control::{
    errors,
    watch::{Pending, Unsynced},
};
use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::{Pod, Secret, Service};
use kube::{
    Api, Client, Resource,
    runtime::{WatchStreamExt, watcher},
};
use sojourn_crds::ide_session::endpoint::{ENDPOINT_LABEL, ENDPOINT_LABEL_VALUE};
use std::{collections::HashSet, sync::Arc};
use tokio::task::JoinSet;

impl Endpoints {
    /// Starts all watches as tasks that run until they are aborted with the set.
    pub fn watch(
        self: &Arc<Self>,
        client: &Client,
        namespaces: &[String],
        unsynced: &Unsynced,
        tasks: &mut JoinSet<()>,
    ) {
        for namespace in namespaces {
            let labelled =
                watcher::Config::default().labels(&format!("{ENDPOINT_LABEL}={ENDPOINT_LABEL_VALUE}"));
            let external = watcher::Config::default().fields("spec.type=ExternalName");
            let secrets = watcher(Api::<Secret>::namespaced(client.clone(), namespace), labelled);
            let services = watcher(Api::<Service>::namespaced(client.clone(), namespace), external);
            let pods = watcher(Api::<Pod>::namespaced(client.clone(), namespace), watcher::Config::default());
            let place = || (self.clone(), namespace.clone());
            tasks.spawn(follow(Secrets(place()), secrets, unsynced.one()));
            tasks.spawn(follow(External(place()), services, unsynced.one()));
            tasks.spawn(follow(Pods(place()), pods, unsynced.one()));
        }
    }
}

/// Where a watch puts what it sees, and of which namespace it is.
type Place = (Arc<Endpoints>, String);

/// What a watch does with what it sees.
trait Intake: Send + 'static {
    type Object: Resource<DynamicType = ()> + Send;
    /// What tells objects apart in a list.
    type Id: std::hash::Hash + Eq + Send;
    fn id(object: &Self::Object) -> Option<Self::Id>;
    fn apply(&self, object: &Self::Object);
    fn remove(&self, object: &Self::Object);
    /// All that there is was listed.
    fn retain(&self, listed: &HashSet<Self::Id>);
}

struct Secrets(Place);

impl Intake for Secrets {
    type Object = Secret;
    type Id = sojourn_crds::ide_session::EndpointSecret;

    fn id(secret: &Secret) -> Option<Self::Id> {
        offer::name(secret)
    }

    fn apply(&self, secret: &Secret) {
        self.0.0.apply(secret);
    }

    fn remove(&self, secret: &Secret) {
        self.0.0.remove(secret);
    }

    fn retain(&self, listed: &HashSet<Self::Id>) {
        self.0.0.retain(&self.0.1, listed);
    }
}

struct External(Place);

impl Intake for External {
    type Object = Service;
    type Id = String;

    fn id(service: &Service) -> Option<String> {
        service.metadata.name.clone()
    }

    fn apply(&self, service: &Service) {
        self.0.0.places.apply_external(&self.0.1, service);
    }

    fn remove(&self, service: &Service) {
        self.0.0.places.remove_external(&self.0.1, service);
    }

    fn retain(&self, listed: &HashSet<String>) {
        self.0.0.places.retain_external(&self.0.1, listed);
    }
}

struct Pods(Place);

impl Intake for Pods {
    type Object = Pod;
    type Id = String;

    fn id(pod: &Pod) -> Option<String> {
        pod.metadata.uid.clone()
    }

    fn apply(&self, pod: &Pod) {
        self.0.0.places.apply_pod(&self.0.1, pod);
    }

    fn remove(&self, pod: &Pod) {
        self.0.0.places.remove_pod(&self.0.1, pod);
    }

    fn retain(&self, listed: &HashSet<String>) {
        self.0.0.places.retain_pods(&self.0.1, listed);
    }
}

async fn follow<I: Intake>(
    intake: I,
    stream: impl Stream<Item = watcher::Result<watcher::Event<I::Object>>> + Send,
    mut pending: Pending,
) {
    let mut stream = std::pin::pin!(stream.default_backoff());
    let mut listed = HashSet::new();
    while let Some(event) = stream.next().await {
        match event {
            Ok(watcher::Event::Init) => listed.clear(),
            Ok(watcher::Event::InitApply(object)) => {
                listed.extend(I::id(&object));
                intake.apply(&object);
            }
            Ok(watcher::Event::InitDone) => {
                intake.retain(&std::mem::take(&mut listed));
                pending.done();
            }
            Ok(watcher::Event::Apply(object)) => intake.apply(&object),
            Ok(watcher::Event::Delete(object)) => intake.remove(&object),
            Err(error) => tracing::warn!(
                error = errors::said_by_watch(&error),
                kind = %I::Object::kind(&()),
                "watch interrupted; trying again"
            ),
        }
    }
}
