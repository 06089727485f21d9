//! Why a session does not run, from what the cluster reports of its children: texts that say what to do. Clients of the
//! original operators match on parts of these texts, so their beginnings stay.

mod claim;
mod container;

pub use claim::of_claims;
pub use container::{ContainerEnd, before_restart, container_end};

use super::{Observed, WorkloadKind};
use crate::{
    core::object::{CachedObject, Kind},
    reason::{Reason, reasons},
};
use container::of_container;
use k8s_openapi::{
    api::{
        core::v1::{PodStatus, ServiceStatus},
        networking::v1::IngressStatus,
    },
    jiff::Timestamp,
};

reasons! {
    /// Reasons why a pod or a container was ended, where Kubernetes gives none.
    InterruptionReason {
        ContainerFailed "A container ended in a pod that kept running."
        PodFailed "The pod failed, and its status has no reason."
        Disrupted "Kubernetes ended the pod, and its condition `DisruptionTarget` has no reason."
    }
}

/// Why a pod fails.
pub fn of_pod(pod: &PodStatus, live: Option<&CachedObject>) -> Option<String> {
    // What the node has to say of a pod that it evicted is why its containers ended.
    if pod.reason.is_some()
        && let Some(why) = rejected(pod, live)
    {
        return Some(why);
    }
    let containers =
        pod.init_container_statuses.iter().flatten().chain(pod.container_statuses.iter().flatten());
    let name = live.map(|live| live.name.as_str());
    containers
        .into_iter()
        .find_map(|container| of_container(container, name))
        .or_else(|| disruption(pod).map(|(_, message)| message.to_owned()))
        .or_else(|| rejected(pod, live))
}

/// Why Kubernetes ends a pod that has not failed: a reason in one word, and a message.
pub fn disruption(pod: &PodStatus) -> Option<(&str, &str)> {
    let mut conditions = pod.conditions.iter().flatten();
    let disrupted =
        conditions.find(|condition| condition.type_ == "DisruptionTarget" && condition.status == "True")?;
    let reason = disrupted.reason.as_deref().unwrap_or(InterruptionReason::Disrupted.as_str());
    Some((reason, disrupted.message.as_deref().unwrap_or(reason)))
}

/// A pod that the node refused or evicted has failed without any container saying why.
fn rejected(pod: &PodStatus, live: Option<&CachedObject>) -> Option<String> {
    (pod.phase.as_deref() == Some("Failed")).then(|| {
        let why = pod.message.as_deref().or(pod.reason.as_deref()).unwrap_or("the node gave no reason");
        let why = why.trim_end();
        format!("the pod {} failed: {why}", live.map_or("of the session", |live| live.name.as_str()))
    })
}

/// Why a pod has failed or is about to be ended: a reason in one word, and a message. `None` for a pod that ends on
/// request: an edit replaces it, or it was deleted.
pub fn interruption(live: &CachedObject) -> Option<(String, String)> {
    let pod: PodStatus = live.status();
    let reason = pod.reason.clone().filter(|reason| !reason.is_empty());
    let on_request = live.deleting && reason.is_none();
    if pod.phase.as_deref() == Some("Failed") && !on_request {
        return Some((
            reason.unwrap_or_else(|| InterruptionReason::PodFailed.as_str().into()),
            of_pod(&pod, Some(live))?,
        ));
    }
    let (reason, message) = disruption(&pod)?;
    Some((reason.to_owned(), format!("the pod {} was ended: {message}", live.name)))
}

/// Why a pod is ended that would have run on: [`interruption`], unless one of its own containers failed.
pub fn eviction(live: &CachedObject) -> Option<(String, String)> {
    interruption(live).filter(|(reason, _)| reason != InterruptionReason::PodFailed.as_str())
}

/// What keeps the workload from creating its pod, in the words of Kubernetes. Events outlive what they report by an hour,
/// so only those since `since` count, and only while there is no pod.
pub fn pod_refusal<K: WorkloadKind>(observed: &Observed<K>, since: Option<Timestamp>) -> Option<&str> {
    if observed.pod().is_some() {
        return None;
    }
    let refused = observed.warnings.iter().find(|warning| {
        warning.reason == "FailedCreate"
            && since.is_none_or(|since| warning.at.as_second() >= since.as_second())
    })?;
    Some(&refused.message)
}

/// A quota, or an admission plugin, that keeps the workload from creating its pod.
pub fn of_pod_creation(refusal: &str) -> String {
    if refusal.contains("exceeded quota") {
        "Quota exceeded: Your resource pool does not contain enough free resources (CPU / Memory / GPU / Storage) to schedule the session".to_owned()
    } else {
        format!("the pod of the session cannot be created: {refusal}")
    }
}

/// The error that a load balancer reports for the Service or Ingress `name`.
pub fn of_load_balancers<K: WorkloadKind>(observed: &Observed<K>, name: &str) -> Option<String> {
    let service = observed.owned(Kind::Service, name).and_then(|live| {
        let status: ServiceStatus = live.status();
        status
            .load_balancer?
            .ingress?
            .into_iter()
            .flat_map(|entry| entry.ports.unwrap_or_default())
            .find_map(|port| port.error)
    });
    service.or_else(|| {
        let status: IngressStatus = observed.owned(Kind::Ingress, name)?.status();
        status
            .load_balancer?
            .ingress?
            .into_iter()
            .flat_map(|entry| entry.ports.unwrap_or_default())
            .find_map(|port| port.error)
    })
}

/// Why the volumes of a scheduled pod cannot be mounted. Mostly it is temporary, so the session waits.
pub fn of_mounts<K: WorkloadKind>(observed: &Observed<K>, pod: &PodStatus) -> Option<String> {
    let name = &observed.pod()?.name;
    let refused = observed.warnings.iter().find(|warning| {
        warning.kind == Kind::Pod
            && warning.name == *name
            && matches!(warning.reason.as_str(), "FailedMount" | "FailedAttachVolume")
    })?;
    let waits = pod.phase.as_deref() == Some("Pending");
    waits.then(|| format!("the session waits for a volume: {}", refused.message.trim_end()))
}

/// A node that does not answer. Its pod is unready, and one that is being deleted stays, because no kubelet confirms
/// its end.
pub fn of_node<K: WorkloadKind>(observed: &Observed<K>) -> Option<String> {
    let live = observed.pod()?;
    let pod: PodStatus = live.status();
    let mut conditions = pod.conditions.iter().flatten();
    let unready = conditions.find(|condition| condition.type_ == "Ready" && condition.status == "False")?;
    let since = unready.last_transition_time.as_ref().map(|time| time.0.as_second());
    let told = observed.warnings.iter().any(|warning| {
        warning.kind == Kind::Pod
            && warning.name == live.name
            && warning.reason == "NodeNotReady"
            && since.is_none_or(|since| warning.at.as_second() >= since)
    });
    told.then(|| {
        "the node that the session runs on does not answer. The session goes on when the node comes back; otherwise an administrator has to remove the node".to_owned()
    })
}
