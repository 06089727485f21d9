//! What a kind with children adds to its decisions to be run on a cluster.

use super::Reconciler;
use crate::{
    control::{context::ReconciledKind, key::Key},
    core::workload::{Observed, PlanContext, WorkloadKind},
    settings::{MetricsSettings, Scope},
};
use kube::core::DynamicObject;
use prometheus_client::registry::Registry;
use sojourn_webhooks::{AdmissionSettings, JobConstraints};
use std::{future::Future, sync::Arc};
use tokio::task::JoinSet;

/// A kind with children that is run on a cluster.
pub trait ControlledKind: WorkloadKind + ReconciledKind {
    /// Reads a session as the API server sends it. A spec that does not fit the type is treated as absent, so that one
    /// session harms no other.
    fn read(object: DynamicObject) -> Result<Self, serde_json::Error>;

    /// Asks for what no watch tells, if a decision depends on it now. Most kinds need nothing.
    fn complete(
        reconciler: &Reconciler<Self>,
        key: &Key,
        observed: &mut Observed<Self>,
        context: &PlanContext<'_, Self::Settings>,
    ) -> impl Future<Output = ()> + Send {
        let _ = (reconciler, key, observed, context);
        std::future::ready(())
    }

    /// Starts what the kind does beside its workers. Most kinds do nothing.
    fn start(reconciler: &Arc<Reconciler<Self>>, scope: &Scope, workers: &mut JoinSet<()>) {
        let _ = (reconciler, scope, workers);
    }

    /// Adds the kind's own metrics.
    fn register(reconciler: &Arc<Reconciler<Self>>, registry: &mut Registry, settings: &MetricsSettings);

    /// What the session requires of its Job. `None` for kinds without Jobs.
    fn job_constraints(&self, settings: &AdmissionSettings) -> Option<JobConstraints>;
}
