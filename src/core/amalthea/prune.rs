//! Children that the spec wants no more, and when they may go.
//!
//! The claim of a data source goes when no workload would mount it any more: a pod that is made from a template
//! that does would wait for it for ever. Pods that still run with it keep it until they end; Kubernetes sees to
//! that. The claim of the user's own files is never among what goes here.

use super::Observed;
use crate::core::{
    manifest::DesiredObject,
    object::{CachedObject, Kind},
    workload::job::outcome,
};
use sojourn_crds::amalthea::names;

/// What belongs to the session, is not among `wanted`, and may go now.
pub(super) fn prunable<'w>(observed: &'w Observed, wanted: &[DesiredObject]) -> Vec<&'w CachedObject> {
    let session = observed.session.name();
    let owned =
        observed.children.values().map(AsRef::as_ref).filter(|live| observed.owns(live) && !live.deleting);
    owned
        .filter(|live| !wanted.iter().any(|child| child.kind == live.kind && child.name == live.name))
        .filter(|live| match live.kind {
            Kind::Ingress => live.name == session,
            Kind::PersistentVolumeClaim => {
                names::is_data_source(session, &live.name) && !is_mounted(observed, &live.name)
            }
            _ => false,
        })
        .collect()
}

/// Whether a pod that the session's workload makes would mount the claim.
fn is_mounted(observed: &Observed, claim: &str) -> bool {
    let workloads = [Kind::StatefulSet, Kind::Job];
    workloads.into_iter().filter_map(|kind| observed.owned(kind, observed.session.name())).any(|workload| {
        let makes_pods = workload.kind != Kind::Job || outcome(workload).is_none();
        let body = workload.body();
        let volumes = body["spec"]["template"]["spec"]["volumes"].as_array();
        makes_pods
            && volumes
                .into_iter()
                .flatten()
                .any(|volume| volume["persistentVolumeClaim"]["claimName"] == claim)
    })
}
