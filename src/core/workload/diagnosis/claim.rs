//! Why a claim fails.

use crate::core::{
    object::Kind,
    workload::{Observed, WorkloadKind},
};
use k8s_openapi::api::core::v1::PersistentVolumeClaimStatus;

/// The first of the claims `names` that cannot grow or cannot be provisioned.
pub fn of_claims<K: WorkloadKind>(
    observed: &Observed<K>,
    mut names: impl Iterator<Item = String>,
) -> Option<String> {
    names.find_map(|name| {
        let claim = observed.claim(&name).filter(|claim| !claim.deleting)?;
        let status: PersistentVolumeClaimStatus = claim.status();
        if status.phase.as_deref() == Some("Bound") {
            return None;
        }
        of_claim(&name, &status).or_else(|| {
            let refused = observed.warnings.iter().find(|warning| {
                warning.kind == Kind::PersistentVolumeClaim
                    && warning.name == name
                    && warning.reason == "ProvisioningFailed"
            })?;
            Some(format!("the PVC \"{name}\" cannot be provisioned: {}", refused.message))
        })
    })
}

fn of_claim(name: &str, status: &PersistentVolumeClaimStatus) -> Option<String> {
    let infeasible = status.allocated_resource_statuses.iter().flatten().find_map(|(resource, status)| {
        matches!(status.as_str(), "NodeResizeInfeasible" | "ControllerResizeInfeasible")
            .then(|| format!("the PVC \"{name}\" failed with status \"{status}\" for resource {resource}"))
    });
    infeasible.or_else(|| {
        status.conditions.iter().flatten().find_map(|condition| {
            let resizing = matches!(condition.type_.as_str(), "Resizing" | "FileSystemResizePending");
            condition.message.clone().filter(|_| resizing && condition.status == "False")
        })
    })
}
