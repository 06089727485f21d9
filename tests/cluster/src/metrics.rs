//! A stand-in for the resource metrics API.
//!
//! Nothing uses CPU here, so tests say what is used: PodMetrics is a custom resource with the group,
//! version and path of `metrics.k8s.io/v1beta1`, and readers cannot tell it from the real one. An
//! outage is played by deleting the CustomResourceDefinition `pods.metrics.k8s.io`.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::json;

use crate::Error;

/// What one container uses.
#[derive(Debug, Clone, Copy)]
pub struct ContainerUsage<'a> {
    /// Name of the container.
    pub container: &'a str,
    /// A quantity such as `250m`.
    pub cpu: &'a str,
    /// A quantity such as `64Mi`.
    pub memory: &'a str,
}

/// Says what the containers of a pod use from now on.
///
/// # Errors
/// There is no such pod, or the cluster was started without [`crate::Options::metrics`].
pub async fn set_pod_usage(
    client: &Client,
    namespace: &str,
    pod: &str,
    usage: &[ContainerUsage<'_>],
) -> Result<(), Error> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    // As the metrics server does, so that label selectors find them.
    let labels: BTreeMap<_, _> = pods
        .get(pod)
        .await
        .map_err(Error::api(format!("read pod {namespace}/{pod}")))?
        .metadata
        .labels
        .unwrap_or_default();
    let containers: Vec<_> = usage
        .iter()
        .map(|it| json!({ "name": it.container, "usage": { "cpu": it.cpu, "memory": it.memory } }))
        .collect();
    let object = json!({
        "apiVersion": "metrics.k8s.io/v1beta1",
        "kind": "PodMetrics",
        "metadata": { "name": pod, "namespace": namespace, "labels": labels },
        "timestamp": jiff::Timestamp::now().to_string(),
        "window": "15s",
        "containers": containers,
    });
    let metrics: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource());
    metrics
        .patch(pod, &PatchParams::apply("sojourn-cluster").force(), &Patch::Apply(&object))
        .await
        .map_err(Error::api(format!("write the usage of pod {namespace}/{pod}")))?;
    Ok(())
}

pub(crate) async fn install(client: &Client) -> Result<(), Error> {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    definitions
        .patch(
            "pods.metrics.k8s.io",
            &PatchParams::apply("sojourn-cluster").force(),
            &Patch::Apply(&definition()),
        )
        .await
        .map_err(Error::api("install the metrics API"))?;
    Ok(())
}

pub(crate) async fn is_served(client: &Client) -> bool {
    let metrics: Api<DynamicObject> = Api::namespaced_with(client.clone(), "default", &resource());
    metrics.list(&ListParams::default().limit(1)).await.is_ok()
}

fn resource() -> ApiResource {
    ApiResource {
        group: "metrics.k8s.io".into(),
        version: "v1beta1".into(),
        api_version: "metrics.k8s.io/v1beta1".into(),
        kind: "PodMetrics".into(),
        plural: "pods".into(),
    }
}

fn definition() -> serde_json::Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": "pods.metrics.k8s.io",
            // The API server asks for it in groups of this domain.
            "annotations": { "api-approved.kubernetes.io": "unapproved, stands in for the metrics server in tests" },
        },
        "spec": {
            "group": "metrics.k8s.io",
            "scope": "Namespaced",
            "names": { "plural": "pods", "singular": "podmetrics", "kind": "PodMetrics", "listKind": "PodMetricsList" },
            "versions": [{
                "name": "v1beta1",
                "served": true,
                "storage": true,
                "schema": { "openAPIV3Schema": { "type": "object", "x-kubernetes-preserve-unknown-fields": true } },
            }],
        },
    })
}
