//! `AmaltheaSession` as a kind with children that is run on a cluster.

use super::{Reconciler, gauges::Gauges, requests::last_request, usage};
use crate::{
    control::{api, context::ReconciledKind, key::Key, workload::ControlledKind},
    core::{
        amalthea::{
            Observed, PlanContext, Requests, UNREADABLE,
            files::{self, ACCEPT_EMPTY_DISK},
            idle, validate,
        },
        object::{CachedObject, Kind},
    },
    settings::{MetricsSettings, Scope},
    telemetry::{metrics, sessions::SessionCollector},
};
use kube::core::DynamicObject;
use prometheus_client::registry::Registry;
use sojourn_crds::amalthea::{AmaltheaSession, KIND};
use sojourn_webhooks::{
    AdmissionSettings, JobConstraints, adoption, object::json_length,
    session_kinds::amalthea_job_constraints, table::LONGEST_SPEC,
};
use std::sync::Arc;
use tokio::task::JoinSet;

/// Characters that the moment in an annotation may have.
const LONGEST_MOMENT: usize = 64;

/// Asks whether the claim of the session's files is gone. Without an answer, nobody knows.
async fn confirm_loss(reconciler: &Reconciler, key: &Key, observed: &mut Observed) {
    let kind = Kind::PersistentVolumeClaim;
    let claims = api::api(&reconciler.context.client, kind, Some(&key.namespace));
    match api::find(&claims, &key.name).await {
        Ok(None) => observed.measurements.claim_is_gone = true,
        Ok(Some(claim)) => {
            if let Some(claim) = CachedObject::from_dynamic(kind, claim) {
                reconciler.index.write().apply_object(claim.clone());
                observed.children.insert((kind, claim.name.clone()), Arc::new(claim));
            }
        }
        Err(error) => tracing::debug!(session = %key, %error, "the claim cannot be looked for"),
    }
}

impl ReconciledKind for AmaltheaSession {
    const NAME: &'static str = KIND;
    const METRIC: metrics::Kind = metrics::Kind::AmaltheaSession;
}

impl ControlledKind for AmaltheaSession {
    fn read(object: DynamicObject) -> Result<Self, serde_json::Error> {
        let DynamicObject { mut metadata, mut data, .. } = object;
        metadata.managed_fields = None;
        // Users may write as much here as they like; these annotations are read.
        if let Some(annotations) = &mut metadata.annotations {
            annotations.retain(|key, value| {
                key == adoption::ANNOTATION || (key == ACCEPT_EMPTY_DISK && value.len() <= LONGEST_MOMENT)
            });
        }
        let spec = data.get_mut("spec").map(serde_json::Value::take).filter(|spec| !spec.is_null());
        let length = spec.as_ref().map_or(0, json_length);
        let spec = spec.filter(|_| length <= LONGEST_SPEC);
        if length > LONGEST_SPEC {
            let reason = format!(
                "the spec has {length} bytes as JSON, and at most {LONGEST_SPEC} are allowed; keep large content in a \
                 ConfigMap or Secret"
            );
            metadata.annotations.get_or_insert_default().insert(UNREADABLE.to_owned(), reason);
        }
        let status = data.get_mut("status").map(serde_json::Value::take).filter(|status| !status.is_null());
        let spec = spec.and_then(|spec| match serde_json::from_value(spec) {
            Ok(spec) => Some(spec),
            Err(error) => {
                let reason = format!("the spec cannot be read: {error}");
                metadata.annotations.get_or_insert_default().insert(UNREADABLE.to_owned(), reason);
                tracing::warn!(%error, session = metadata.name, namespace = metadata.namespace, "unreadable spec");
                None
            }
        });
        let status = status.map(serde_json::from_value).transpose()?;
        Ok(AmaltheaSession { metadata, spec, status })
    }

    /// Asks the API server for a claim that the watches do not know any more, and the session's proxy for its last
    /// request, if the end of the session depends on it now.
    async fn complete(
        reconciler: &Reconciler,
        key: &Key,
        observed: &mut Observed,
        context: &PlanContext<'_>,
    ) {
        if files::must_be_confirmed(observed) {
            confirm_loss(reconciler, key, observed).await;
        }
        let address = validate(&observed.session, Vec::new())
            .and_then(|checked| idle::to_be_asked(&checked, observed, context));
        let (Some(address), Some(pod)) = (address, observed.pod().map(|pod| pod.uid.clone())) else { return };
        let requests = Requests { last: last_request(&address).await, asked: context.now };
        reconciler.index.write().measure(key, |measured| {
            measured.requests = Some(requests);
            measured.requests_pod = pod;
        });
        observed.measurements.requests = Some(requests);
    }

    /// Measures CPU use.
    fn start(reconciler: &Arc<Reconciler>, scope: &Scope, workers: &mut JoinSet<()>) {
        workers.spawn(usage::measure(reconciler.clone(), scope.clone()));
    }

    fn register(reconciler: &Arc<Reconciler>, registry: &mut Registry, settings: &MetricsSettings) {
        let gauges = Arc::new(Gauges(reconciler.clone()));
        registry.register_collector(Box::new(SessionCollector::new(gauges, settings.per_session)));
    }

    fn job_constraints(&self, settings: &AdmissionSettings) -> Option<JobConstraints> {
        Some(amalthea_job_constraints(self, settings))
    }
}
