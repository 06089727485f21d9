//! What a running operator shows of itself.

use super::reconcilers::Reconcilers;
use crate::{
    control::{
        amalthea::Reconciler, certificates::DebugView, ide_session, watch::CacheSync, worker::Reconcile,
    },
    telemetry::{
        ides::{IdeStats, Tally},
        queues::{QueueCollector, Waiting},
        sessions::{SessionGauge, SessionGauges},
    },
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use sojourn_crds::ide_session::State;
use std::sync::Arc;

/// The sessions as metrics show them.
pub(super) struct Gauges(pub(super) Arc<Reconciler>);

impl SessionGauges for Gauges {
    fn snapshot(&self) -> Vec<SessionGauge> {
        let now = Timestamp::now();
        let since = |time: &Option<Time>| {
            time.as_ref().map_or(0.0, |time| now.duration_since(time.0).as_secs_f64().max(0.0))
        };
        let count = |count: i64| u32::try_from(count).unwrap_or(0);
        let index = self.0.index.read();
        index
            .sessions()
            .map(|(key, session)| {
                let status = session.status.clone().unwrap_or_default();
                SessionGauge {
                    namespace: key.namespace.to_string(),
                    name: key.name.to_string(),
                    state: status.state,
                    idle: status.idle,
                    ready: count(status.container_counts.ready),
                    total: count(status.container_counts.total),
                    idle_seconds: since(&status.idle_since),
                    failing_seconds: since(&status.failing_since),
                    hibernated_seconds: since(&status.hibernated_since),
                    failed_scheduling_seconds: since(&status.failed_scheduling_since),
                    will_hibernate_at: status.will_hibernate_at.map_or(0.0, |at| at.0.as_second() as f64),
                }
            })
            .collect()
    }
}

/// What is known of IDEs, and of the sessions for them.
pub(super) fn ides(ides: &ide_session::Reconciler) -> IdeStats {
    let mut sessions: Tally = State::ALL.map(|state| (word(state), 0)).into();
    for session in ides.index.read().sessions() {
        *sessions.entry(word(session.state())).or_default() += 1;
    }
    IdeStats { sessions, ..ides.runs.stats() }
}

/// A state as a label: that of a session which has not begun is empty.
fn word(state: State) -> &'static str {
    if state == State::Initial { "Initial" } else { state.as_str() }
}

/// What waits for this context. What collects in the queue of one that does not lead waits for nobody.
pub(super) fn queues(
    sessions: Arc<Reconciler>,
    ides: Option<Arc<ide_session::Reconciler>>,
) -> QueueCollector {
    let mut queues = QueueCollector::default().with(Reconciler::KIND, move || waiting(&*sessions));
    if let Some(ides) = ides {
        queues = queues.with(ide_session::Reconciler::KIND, move || waiting(&*ides));
    }
    queues
}

fn waiting(reconciler: &impl Reconcile) -> Waiting {
    if reconciler.context().leadership.is_leader() {
        reconciler.workqueue().queue.waiting()
    } else {
        Waiting::default()
    }
}

/// The debug page: how much is known, and how much is to be done.
pub(super) fn debug_state(
    reconcilers: &Reconcilers,
    cache_sync: CacheSync,
    certificate: DebugView,
) -> impl Fn() -> serde_json::Value + use<> {
    let (sessions, ides) = (reconcilers.amalthea.clone(), reconcilers.ides.clone());
    move || {
        let (held, children, pods) = sessions.index.read().sizes();
        let Waiting { due, oldest } = sessions.workqueue.queue.waiting();
        let ides = ides.as_ref().map(|ides| ides.index.read().keys().len());
        serde_json::json!({
            "watches": {"synced": cache_sync.is_synced()},
            "index": {"sessions": held, "children": children, "pods": pods, "ideSessions": ides},
            "queue": {"due": due, "oldestSeconds": oldest.as_secs_f64()},
            "webhookCertificate": certificate.state(),
            "leading": sessions.context.leadership.is_leader(),
        })
    }
}
