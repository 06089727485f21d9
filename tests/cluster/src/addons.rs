//! What an installed cluster has and a bare control plane lacks: nodes, a default storage class, the
//! resource metrics API.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Node, NodeStatus, ServiceAccount};
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::api::{ListParams, ObjectMeta, PostParams};
use kube::{Api, Client};

use crate::{Error, Options, metrics};

/// The label of the nodes whose pods are pretended.
pub(crate) const PRETENDED: (&str, &str) = ("type", "kwok");

/// Creates them. Nodes become ready when kwok has seen them.
pub(crate) async fn create(client: &Client, options: &Options) -> Result<(), Error> {
    if options.metrics {
        metrics::install(client).await?;
    }
    let classes: Api<StorageClass> = Api::all(client.clone());
    classes
        .create(&PostParams::default(), &storage_class())
        .await
        .map_err(Error::api("create the default storage class"))?;
    let nodes: Api<Node> = Api::all(client.clone());
    // A real node comes by itself.
    for number in 0..if options.node { 0 } else { options.nodes } {
        nodes
            .create(&PostParams::default(), &node(number))
            .await
            .map_err(Error::api(format!("create node {number}")))?;
    }
    Ok(())
}

/// True when pods can be created and will run.
pub(crate) async fn are_ready(client: &Client, options: &Options) -> bool {
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "default");
    if !matches!(accounts.get_opt("default").await, Ok(Some(_))) {
        return false;
    }
    if options.metrics && !metrics::is_served(client).await {
        return false;
    }
    let nodes: Api<Node> = Api::all(client.clone());
    let Ok(nodes) = nodes.list(&ListParams::default()).await else { return false };
    let ready = nodes.iter().filter(|node| is_ready(node)).count();
    u32::try_from(ready).is_ok_and(|ready| ready >= if options.node { 1 } else { options.nodes })
}

/// Ready, and without the taint that says it is not: the node controller removes it a moment later.
fn is_ready(node: &Node) -> bool {
    let conditions = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let tainted = node.spec.iter().flat_map(|spec| spec.taints.iter().flatten()).next().is_some();
    !tainted
        && conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Large enough that no test waits for room.
fn node(number: u32) -> Node {
    let name = format!("node-{number}");
    let size: BTreeMap<_, _> =
        [("cpu", "1000"), ("memory", "4Ti"), ("ephemeral-storage", "100Ti"), ("pods", "10000")]
            .map(|(resource, amount)| (resource.to_owned(), Quantity(amount.to_owned())))
            .into();
    let labels = [
        ("kubernetes.io/hostname", name.as_str()),
        ("kubernetes.io/os", "linux"),
        ("kubernetes.io/arch", "amd64"),
        PRETENDED,
    ];
    Node {
        metadata: ObjectMeta {
            labels: Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
            name: Some(name),
            ..Default::default()
        },
        status: Some(NodeStatus {
            allocatable: Some(size.clone()),
            capacity: Some(size),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// The controller manager itself makes the volumes of this class.
fn storage_class() -> StorageClass {
    let default = [("storageclass.kubernetes.io/is-default-class".to_owned(), "true".to_owned())];
    StorageClass {
        metadata: ObjectMeta {
            name: Some("standard".into()),
            annotations: Some(default.into()),
            ..Default::default()
        },
        provisioner: "kubernetes.io/host-path".into(),
        reclaim_policy: Some("Delete".into()),
        ..Default::default()
    }
}
