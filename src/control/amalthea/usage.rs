//! CPU use of sessions, from the metrics API: one list for all sessions that need it, at an interval, and
//! none at all while none needs it.

use super::Reconciler;
use crate::{
    control::{api, errors::CallError, key::Key, watch::parts},
    core::amalthea::{Usage, summary::Summary},
    settings::Scope,
};
use k8s_openapi::jiff::Timestamp;
use serde::Deserialize;
use sojourn_crds::{
    amalthea::{AmaltheaSession, names},
    quantity,
};
use std::sync::Arc;

#[derive(Deserialize)]
struct PodMetricsList {
    items: Vec<PodMetrics>,
}

#[derive(Deserialize)]
struct PodMetrics {
    metadata: kube::core::ObjectMeta,
    timestamp: Option<String>,
    #[serde(default)]
    containers: Vec<ContainerMetrics>,
}

#[derive(Deserialize)]
struct ContainerMetrics {
    name: String,
    usage: std::collections::BTreeMap<String, String>,
}

/// Measures while this replica leads.
pub async fn measure(reconciler: Arc<Reconciler>, scope: Scope) {
    let mut leadership = reconciler.context.leadership.clone();
    let mut ticks = tokio::time::interval(reconciler.settings.idle_check_interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        leadership.acquired().await;
        ticks.tick().await;
        for part in parts(&scope) {
            let needed = reconciler.index.read().summaries().any(|(key, summary)| {
                part.as_deref().is_none_or(|namespace| namespace == &*key.namespace) && summary.needs_usage
            });
            if !needed {
                continue;
            }
            match list(&reconciler, part.as_deref()).await {
                Ok(list) => take_in(&reconciler, list),
                Err(error) => tracing::debug!(%error, "CPU use is not known now"),
            }
        }
    }
}

async fn list(reconciler: &Reconciler, namespace: Option<&str>) -> Result<PodMetricsList, CallError> {
    let part = namespace.map(|namespace| format!("namespaces/{namespace}/")).unwrap_or_default();
    let uri = format!(
        "/apis/metrics.k8s.io/v1beta1/{part}pods?labelSelector={}%3D{}",
        names::LABEL_PART_OF,
        names::PART_OF_VALUE
    );
    let request = http::Request::get(uri).body(Vec::new()).map_err(kube::Error::HttpError)?;
    api::within(reconciler.context.client.request::<PodMetricsList>(request)).await
}

/// Stores the measurements, and requests a reconcile of the sessions for which they change something.
fn take_in(reconciler: &Reconciler, list: PodMetricsList) {
    let now = Timestamp::now();
    for pod in list.items {
        let Some(key) = session_of(&pod) else { continue };
        let Some(session) = reconciler.index.read().session(&key) else { continue };
        let Some(usage) = usage(&pod, now).filter(|_| Summary::of(&session).needs_usage) else { continue };
        reconciler.index.write().measure(&key, |measured| measured.usage = Some(usage));
        if changes_something(&session, usage, now) {
            reconciler.workqueue.queue.add(key);
        }
    }
}

fn session_of(pod: &PodMetrics) -> Option<Key> {
    let name = pod.metadata.name.as_deref()?.strip_suffix("-0")?;
    Some(Key::new(pod.metadata.namespace.as_deref()?, name))
}

fn usage(pod: &PodMetrics, now: Timestamp) -> Option<Usage> {
    let session = pod.containers.iter().find(|container| container.name == names::SESSION_CONTAINER)?;
    let cpu_nanos = quantity::nanos(session.usage.get("cpu")?)?;
    Some(Usage { cpu_nanos, at: pod.timestamp.as_ref().and_then(|at| at.parse().ok()).unwrap_or(now) })
}

fn changes_something(session: &AmaltheaSession, usage: Usage, now: Timestamp) -> bool {
    let (Some(status), Some(spec)) = (&session.status, &session.spec) else { return false };
    let threshold = spec.culling.as_ref().and_then(|culling| culling.cpu_idle_threshold.0.nanos());
    let idle = threshold.is_some_and(|threshold| usage.cpu_nanos < threshold);
    let due = status.will_hibernate_at.as_ref().is_some_and(|at| at.0 <= now);
    idle != status.idle || due
}
