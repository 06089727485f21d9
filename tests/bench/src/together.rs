//! What sessions and bare StatefulSets have in common: many objects of one kind are created, and a watch tells when
//! each has arrived.

use anyhow::{Context as _, bail, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, PostParams},
    core::{ApiResource, DynamicObject},
    runtime::{WatchStreamExt, watcher},
};
use serde_json::Value;
use sojourn_cluster::{Cluster, eventually, kubectl};
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;

/// Creations at a time.
const AT_A_TIME: usize = 32;
/// Objects that were created and have not arrived yet, where it is asked what a session costs among many, and not what
/// it costs to wait: the control plane binds some twenty volumes a second, and who waits for long is told why.
const UNDER_WAY: usize = 150;
/// Far more than anything here takes, up to the 10,000 sessions of part l.
const PATIENCE: Duration = Duration::from_secs(2400);

/// When all had arrived.
pub(crate) struct Arrived {
    /// Objects per second, from the first creation to the last arrival.
    pub(crate) rate: f64,
    /// How long the median object took from its creation on, in seconds.
    pub(crate) median: f64,
}

/// Objects of one kind that are created together.
pub(crate) struct Together<'a> {
    client: &'a Client,
    resource: &'a ApiResource,
    namespace: &'a str,
    beside: fn(&str) -> Vec<Value>,
    has_arrived: fn(&DynamicObject) -> bool,
}

impl<'a> Together<'a> {
    /// Objects in a namespace, which is empty for a cluster-scoped kind. `has_arrived` says when one counts as arrived.
    pub(crate) fn new(
        client: &'a Client,
        resource: &'a ApiResource,
        namespace: &'a str,
        has_arrived: fn(&DynamicObject) -> bool,
    ) -> Self {
        Self { client, resource, namespace, beside: |_| Vec::new(), has_arrived }
    }

    /// The same, with other objects that are created before each, by its name.
    pub(crate) fn beside(self, beside: fn(&str) -> Vec<Value>) -> Self {
        Self { beside, ..self }
    }

    /// Creates objects and waits until each has arrived. Only some have not arrived at any time.
    pub(crate) async fn paced(&self, objects: Vec<Value>) -> anyhow::Result<Arrived> {
        self.arrive(objects, UNDER_WAY).await
    }

    /// Creates objects without waiting for earlier ones, and then waits until each has arrived.
    pub(crate) async fn at_once(&self, objects: Vec<Value>) -> anyhow::Result<Arrived> {
        let under_way = objects.len();
        self.arrive(objects, under_way).await
    }

    async fn arrive(&self, objects: Vec<Value>, under_way: usize) -> anyhow::Result<Arrived> {
        let &Self { client, resource, namespace, beside, has_arrived } = self;
        let api: Api<DynamicObject> = match namespace {
            "" => Api::all_with(client.clone(), resource),
            _ => Api::namespaced_with(client.clone(), namespace, resource),
        };
        let objects: Vec<DynamicObject> =
            objects.into_iter().map(serde_json::from_value).collect::<Result<_, _>>()?;
        let wanted = objects.len();
        let room = &Arc::new(Semaphore::new(under_way));
        let (watched, free) = (api.clone(), room.clone());
        let watching = tokio::spawn(async move {
            let arrived = arrivals(watched, wanted, has_arrived, &free).await;
            // Nobody waits for room when there is nobody any more who sees what arrives.
            free.close();
            arrived
        });
        // The watch stands before anything happens.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let started = Instant::now();
        let created: HashMap<String, Instant> = stream::iter(objects)
            .map(|object| {
                let api = api.clone();
                async move {
                    // Given back when it arrives.
                    room.acquire().await?.forget();
                    let at = Instant::now();
                    for object in beside(object.metadata.name.as_deref().unwrap_or_default()) {
                        create(client, namespace, object).await?;
                    }
                    let made = api.create(&PostParams::default(), &object).await?;
                    anyhow::Ok((made.metadata.name.unwrap_or_default(), at))
                }
            })
            .buffer_unordered(AT_A_TIME)
            .try_collect()
            .await?;
        let arrived =
            tokio::time::timeout(PATIENCE, watching).await.context("not all arrived in time")???;
        let last = arrived.values().max().context("nothing arrived")?;
        let mut waited: Vec<Duration> =
            arrived.iter().filter_map(|(name, at)| Some(at.duration_since(*created.get(name)?))).collect();
        ensure!(waited.len() == wanted, "{} of {wanted} arrived", waited.len());
        waited.sort_unstable();
        Ok(Arrived {
            rate: wanted as f64 / last.duration_since(started).as_secs_f64(),
            median: waited[wanted / 2].as_secs_f64(),
        })
    }
}

/// Creates an object of any kind.
async fn create(client: &Client, namespace: &str, object: Value) -> anyhow::Result<()> {
    let object: DynamicObject = serde_json::from_value(object)?;
    let types = object.types.as_ref().context("an object without a kind")?;
    let resource = ApiResource::from_gvk(&types.try_into()?);
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    api.create(&PostParams::default(), &object).await?;
    Ok(())
}

async fn arrivals(
    api: Api<DynamicObject>,
    wanted: usize,
    has_arrived: fn(&DynamicObject) -> bool,
    room: &Semaphore,
) -> anyhow::Result<HashMap<String, Instant>> {
    let mut events =
        std::pin::pin!(watcher(api, watcher::Config::default()).default_backoff().applied_objects());
    let mut arrived = HashMap::new();
    while let Some(object) = events.try_next().await? {
        if has_arrived(&object) {
            arrived.entry(object.metadata.name.unwrap_or_default()).or_insert_with(|| {
                room.add_permits(1);
                Instant::now()
            });
        }
        if arrived.len() == wanted {
            return Ok(arrived);
        }
    }
    bail!("the watch ended")
}

/// Deletes all objects of a kind in a namespace and waits until none of the other kinds is left either.
pub(crate) async fn clear(
    client: &Client,
    resource: &ApiResource,
    namespace: &str,
    and_gone: &[ApiResource],
) -> anyhow::Result<()> {
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, resource);
    api.delete_collection(&DeleteParams::background(), &ListParams::default()).await?;
    for resource in and_gone {
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, resource);
        eventually(&format!("the {} are gone", resource.plural), async || {
            api.list_metadata(&ListParams::default().limit(1)).await.is_ok_and(|list| list.items.is_empty())
        })
        .await?;
    }
    Ok(())
}

/// Installs the CRDs and waits until they are served.
pub(crate) async fn install_crds(cluster: &Cluster) -> anyhow::Result<()> {
    for (_, crd) in sojourn_crds::all_crds() {
        let applied =
            kubectl(cluster, &["apply", "--server-side", "-f", "-"], Some(&crd.to_string())).await?;
        ensure!(applied.success(), "the CRD is not accepted: {}", applied.stderr);
    }
    crds_are_served(cluster).await
}

/// Waits until objects of every kind of ours can be asked for: an operator asks again for what is not served yet.
pub(crate) async fn crds_are_served(cluster: &Cluster) -> anyhow::Result<()> {
    let crds = sojourn_crds::all_crds();
    let names = crds.iter().filter_map(|(_, crd)| crd["metadata"]["name"].as_str());
    let kinds = names.collect::<Vec<_>>().join(",");
    eventually("the CRDs are served", async || {
        kubectl(cluster, &["get", &kinds, "-A"], None).await.is_ok_and(|output| output.success())
    })
    .await?;
    Ok(())
}
