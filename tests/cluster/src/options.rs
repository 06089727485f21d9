//! What can be chosen about a cluster. Promises that the default is an ordinary cluster.

use std::time::Duration;

use crate::Image;

/// Options of [`crate::Cluster::start`].
#[derive(Debug, Clone)]
pub struct Options {
    /// How many nodes kwok plays. None beside a real one.
    pub nodes: u32,
    /// One real node with kubelet and containerd, on which pods are processes. Needs root. The control
    /// plane and the pods are in a network of their own, in which nothing outside can be reached:
    /// webhooks must be served by pods.
    pub node: bool,
    /// What pods of a real node can use beside `busybox`.
    pub images: Vec<Image>,
    /// How long a pod takes from being scheduled to Running and Ready.
    pub pod_start_delay: Duration,
    /// Kubernetes feature gates, given to the API server, the controller manager and the scheduler.
    pub feature_gates: Vec<(String, bool)>,
    /// Users whose requests are written to the audit log (level Metadata, one entry per finished
    /// request), such as `system:serviceaccount:default:operator`. Empty: no audit log.
    pub audit_users: Vec<String>,
    /// Raises the client limits and the concurrency of controller manager and scheduler. For
    /// benchmarks, where their defaults (20 requests/s) are what one would measure.
    pub fast_controllers: bool,
    /// Serves `metrics.k8s.io/v1beta1` PodMetrics that tests write with [`crate::set_pod_usage`].
    pub metrics: bool,
    /// Further API server flags, such as `--runtime-config=...`.
    pub api_server_args: Vec<String>,
    /// The API server shows webhooks a client certificate, see [`crate::WebhookClient`].
    pub webhook_client: bool,
    /// The name under which `list`, `down` and [`crate::Cluster::attach`] find the cluster. `None`:
    /// one is made up.
    pub name: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nodes: 10,
            node: false,
            images: Vec::new(),
            pod_start_delay: Duration::ZERO,
            feature_gates: Vec::new(),
            audit_users: Vec::new(),
            fast_controllers: false,
            metrics: true,
            api_server_args: Vec::new(),
            webhook_client: false,
            name: None,
        }
    }
}
