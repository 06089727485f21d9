//! A real Kubernetes control plane on loopback, for tests, demos and benchmarks.
//!
//! etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok are built once from pinned
//! Go modules and run as plain processes. Everything but the containers is real: admission, RBAC,
//! garbage collection, Job deadlines, StatefulSets, claims. kwok plays the nodes; what a pod does is
//! said with annotations on it (see [`annotations`]).
//!
//! A [`Cluster`] ends with its owner, whatever ends the owner: drop, panic, a signal or SIGKILL.
//!
//! ```no_run
//! # async fn example() -> Result<(), sojourn_cluster::Error> {
//! use sojourn_cluster::{Cluster, Options};
//! let cluster = Cluster::start(Options { nodes: 3, ..Options::default() }).await?;
//! let client = cluster.client().await?;
//! let namespace = sojourn_cluster::test_namespace(&client, "try").await?;
//! # let _ = namespace;
//! cluster.stop().await;
//! # Ok(()) }
//! ```

mod addons;
pub mod annotations;
mod assets;
mod audit;
mod cluster;
mod components;
mod error;
mod gobuild;
mod kubeconfig;
mod metrics;
mod node;
mod options;
mod paths;
mod pki;
mod process;
mod runs;
mod stages;
mod start;
mod supervisor;
mod testing;
mod webhook_client;

pub use assets::{BINARIES, NODE_BINARIES, build_all, build_all_with_node};
pub use audit::{AuditCursor, AuditEntry, AuditLog};
pub use cluster::{Cluster, Frozen};
pub use error::Error;
pub use metrics::{ContainerUsage, set_pod_usage};
pub use node::{Image, NODE_ADDRESS};
pub use options::Options;
pub use runs::{Running, list, stop_named};
pub use testing::{Output, PATIENCE, eventually, kubectl, test_namespace};
pub use webhook_client::WebhookClient;
