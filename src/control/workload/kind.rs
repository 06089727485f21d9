//! What a kind with children adds to its decisions to be run on a cluster.

use super::Reconciler;
use crate::{
    control::{context::ReconciledKind, key::Key},
    core::workload::{Observed, PlanContext, WorkloadKind},
};
use kube::core::DynamicObject;
use std::future::Future;

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
}
