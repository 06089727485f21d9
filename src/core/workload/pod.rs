//! What a pod tells of itself: its containers, whether it is ready, whether a node takes it.

use crate::core::object::CachedObject;
use k8s_openapi::{
    api::core::v1::{ContainerStatus, PodCondition, PodStatus},
    jiff::{SignedDuration, Timestamp},
};
use serde_json::Value;
use sojourn_crds::duration::Span;

/// How long a pod may find no node before that is reported.
pub const SCHEDULING_GRACE: Span = Span::seconds(5);

/// The same while a claim is still being bound, which takes a storage system its time. A claim that cannot be bound is
/// reported by itself.
pub const BINDING_GRACE: Span = Span::seconds(60);

/// How long a container may run without being ready before that is reported. Programs take their time to start.
pub const READINESS_GRACE: Span = Span::seconds(60);

/// How many containers a pod has, and how many of them are ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Containers {
    /// All of them.
    pub total: usize,
    /// Those that are ready, or have completed.
    pub ready: usize,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// All containers, and those that are ready.
    All,
    /// All containers; none is ready while the session stops.
    Totals,
}

/// Counts of regular and of init containers. Before the node has reported on a pod, its spec tells how many there are.
pub fn counts(live: &CachedObject, count: Count) -> (Containers, Containers) {
    let status: PodStatus = live.status();
    let regular = status.container_statuses.unwrap_or_default();
    let init = status.init_container_statuses.unwrap_or_default();
    let sidecars = sidecars(live);
    let ready = regular.iter().filter(|status| is_up(status) || has_completed(status)).count();
    // A native sidecar never completes; it is ready when it is up.
    let init_ready = init
        .iter()
        .filter(|status| has_completed(status) || (sidecars.contains(&status.name) && is_up(status)))
        .count();
    let (declared, init_declared) = declared(&live.body()["spec"]);
    let counted = |reported: usize, declared: usize, ready: usize| Containers {
        total: reported.max(declared),
        ready: if count == Count::All { ready } else { 0 },
    };
    (counted(regular.len(), declared, ready), counted(init.len(), init_declared, init_ready))
}

/// Counts of regular and of init containers of the pod that a workload is about to make.
pub fn counts_of_template(workload: &CachedObject) -> (Containers, Containers) {
    let (total, init) = declared(&workload.body()["spec"]["template"]["spec"]);
    (Containers { total, ready: 0 }, Containers { total: init, ready: 0 })
}

/// How many regular and how many init containers the spec of a pod has.
fn declared(spec: &Value) -> (usize, usize) {
    let count = |field: &str| spec[field].as_array().map_or(0, Vec::len);
    (count("containers"), count("initContainers"))
}

fn is_up(status: &ContainerStatus) -> bool {
    status.ready && status.state.as_ref().is_some_and(|state| state.running.is_some())
}

fn has_completed(status: &ContainerStatus) -> bool {
    status.state.as_ref().and_then(|state| state.terminated.as_ref()).is_some_and(|terminated| {
        terminated.exit_code == 0 && terminated.reason.as_deref() == Some("Completed")
    })
}

fn sidecars(pod: &CachedObject) -> Vec<String> {
    let body = pod.body();
    let init = body["spec"]["initContainers"].as_array().cloned().unwrap_or_default();
    init.iter()
        .filter(|container| container["restartPolicy"] == "Always")
        .filter_map(|container| container["name"].as_str().map(str::to_owned))
        .collect()
}

/// How long a container that crashed must run before it counts as well again: as long as the kubelet remembers its
/// crashes when it decides how long to wait before the next start.
const RECOVERY: SignedDuration = SignedDuration::from_mins(10);

/// Until when a container that was started again after a crash may be between two crashes.
pub fn recovering_until(pod: Option<&CachedObject>) -> Option<Timestamp> {
    let status: PodStatus = pod?.status();
    let containers = status.container_statuses.into_iter().chain(status.init_container_statuses).flatten();
    let started = containers.filter_map(|container| {
        let crash = container.last_state?.terminated?;
        let running = container.state?.running?;
        running.started_at.filter(|_| crash.exit_code != 0 && container.restart_count > 0)
    });
    started.map(|at| at.0).max()?.checked_add(RECOVERY).ok()
}

/// How long a container must run before its CPU use is meaningful.
const SETTLING: SignedDuration = SignedDuration::from_secs(15);

/// Whether `container` had run long enough at `measured` for its CPU use to be meaningful.
pub fn settled(pod: Option<&CachedObject>, container: &str, measured: Timestamp) -> bool {
    let Some(pod) = pod else { return false };
    let status: PodStatus = pod.status();
    let container = status.container_statuses.into_iter().flatten().find(|s| s.name == container);
    let running = container.and_then(|status| status.state?.running?.started_at);
    running.is_some_and(|since| measured.duration_since(since.0) >= SETTLING)
}

/// Whether the pod runs, or has run, and is ready.
pub fn is_ready(pod: &PodStatus) -> bool {
    let phase = pod.phase.as_deref().unwrap_or_default();
    let conditions = pod.conditions.iter().flatten();
    matches!(phase, "Running" | "Succeeded")
        && conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// The condition by which the scheduler says that no node takes the session's pod.
pub fn unschedulable(pod: &PodStatus) -> Option<&PodCondition> {
    pod.conditions.iter().flatten().find(|condition| {
        condition.type_ == "PodScheduled"
            && condition.status == "False"
            && condition.reason.as_deref() == Some("Unschedulable")
    })
}

/// When it is reported that no node takes the session's pod; `None` is at once.
pub fn unschedulable_from(condition: &PodCondition) -> Option<Timestamp> {
    let since = condition.last_transition_time.as_ref()?.0;
    let message = condition.message.as_deref().unwrap_or_default();
    let binding = message.contains("unbound immediate PersistentVolumeClaims");
    let grace = if binding { BINDING_GRACE } else { SCHEDULING_GRACE };
    since.checked_add(SignedDuration::from(grace)).ok()
}

/// The container that runs without being ready, and when that is reported.
pub fn unready(pod: &PodStatus) -> Option<(&str, Timestamp)> {
    let unready = pod.container_statuses.iter().flatten().filter(|status| !status.ready);
    let moments = unready.filter_map(|status| {
        let since = status.state.as_ref()?.running.as_ref()?.started_at.as_ref()?.0;
        let from = since.checked_add(SignedDuration::from(READINESS_GRACE)).ok()?;
        Some((status.name.as_str(), from))
    });
    moments.min_by_key(|(_, from)| *from)
}
