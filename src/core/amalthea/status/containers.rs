//! How many containers a session has, and how many of them are ready.

use crate::core::object::CachedObject;
use k8s_openapi::{
    api::core::v1::{ContainerStatus, PodStatus},
    jiff::Timestamp,
};
use sojourn_crds::amalthea::{ContainerCounts, names};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    /// All containers, and those that are ready.
    All,
    /// All containers; none is ready while the session stops.
    Totals,
}

/// Counts of regular and of init containers.
pub(super) fn counts(pod: Option<&CachedObject>, count: Count) -> (ContainerCounts, ContainerCounts) {
    let Some(live) = pod else { return Default::default() };
    let status: PodStatus = live.status();
    let regular = status.container_statuses.unwrap_or_default();
    let init = status.init_container_statuses.unwrap_or_default();
    let sidecars = sidecars(live);
    let total = |containers: &[ContainerStatus], ready: usize| ContainerCounts {
        total: i64::try_from(containers.len()).unwrap_or(i64::MAX),
        ready: if count == Count::All { i64::try_from(ready).unwrap_or(i64::MAX) } else { 0 },
    };
    let ready = regular.iter().filter(|status| is_up(status) || has_completed(status)).count();
    // A native sidecar never completes; it is ready when it is up.
    let init_ready = init
        .iter()
        .filter(|status| has_completed(status) || (sidecars.contains(&status.name) && is_up(status)))
        .count();
    (total(&regular, ready), total(&init, init_ready))
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
const RECOVERY: jiff::SignedDuration = jiff::SignedDuration::from_mins(10);

/// Until when a container that was started again after a crash may be between two crashes.
pub(in crate::core::amalthea) fn recovering_until(pod: Option<&CachedObject>) -> Option<Timestamp> {
    let status: PodStatus = pod?.status();
    let containers = status.container_statuses.into_iter().chain(status.init_container_statuses).flatten();
    let started = containers.filter_map(|container| {
        let crash = container.last_state?.terminated?;
        let running = container.state?.running?;
        running.started_at.filter(|_| crash.exit_code != 0 && container.restart_count > 0)
    });
    started.map(|at| at.0).max()?.checked_add(RECOVERY).ok()
}

/// How long the session's container must run before its CPU use says anything.
const SETTLING: jiff::SignedDuration = jiff::SignedDuration::from_secs(15);

/// Whether the session's container had run long enough at `measured` for its CPU use to say something.
pub(in crate::core::amalthea) fn settled(pod: Option<&CachedObject>, measured: Timestamp) -> bool {
    let Some(pod) = pod else { return false };
    let status: PodStatus = pod.status();
    let session =
        status.container_statuses.into_iter().flatten().find(|s| s.name == names::SESSION_CONTAINER);
    let running = session.and_then(|status| status.state?.running?.started_at);
    running.is_some_and(|since| measured.duration_since(since.0) >= SETTLING)
}
