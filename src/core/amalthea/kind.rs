//! `AmaltheaSession` as one of the kinds with children.

use super::{
    Checked, Measurements, Observed, PlanContext, adoption, blocking_findings, deadlines, events, plan,
    reasons::SessionEvent, status, status::TimeoutAction, summary::Summary, validate,
};
use crate::core::{
    event::EventRecord,
    object::{CachedObject, Kind},
    settings::SessionSettings,
    workload::{Applied, Plan, Report, SessionAction, Urgency, WorkloadKind},
};
use serde_json::json;
use sojourn_crds::amalthea::{AmaltheaSession, AmaltheaSessionStatus, State, names};
use sojourn_webhooks::rules::amalthea_session::ingress::route;

impl WorkloadKind for AmaltheaSession {
    const SELECTOR: (&'static str, &'static str) = (names::LABEL_PART_OF, names::PART_OF_VALUE);
    const NAME_LABEL: &'static str = names::LABEL_INSTANCE;
    const CHILDREN: &'static [Kind] = &[
        Kind::PersistentVolumeClaim,
        Kind::Secret,
        Kind::StatefulSet,
        Kind::Job,
        Kind::Service,
        Kind::Ingress,
    ];
    const WORKLOADS: &'static [Kind] = &[Kind::StatefulSet, Kind::Job];
    type Settings = SessionSettings;
    type Measurements = Measurements;
    type Summary = Summary;
    /// `None`: there is no spec to work with.
    type Checked<'a> = Option<Checked<'a>>;
    type Status = AmaltheaSessionStatus;

    fn validate<'a>(session: &'a Self, context: &PlanContext) -> Option<Checked<'a>> {
        let findings = blocking_findings(session, context.settings, context.now);
        validate(session, findings)
    }

    fn plan(checked: &Option<Checked>, observed: &Observed, context: &PlanContext) -> Plan {
        match checked {
            Some(checked) => plan(checked, observed, context),
            None => plan::without_spec(&observed.session),
        }
    }

    fn status(
        checked: &Option<Checked>,
        observed: &Observed,
        plan: &Plan,
        applied: &Applied,
        context: &PlanContext,
    ) -> Report<AmaltheaSessionStatus> {
        let session = &*observed.session;
        let mut events = events::for_plan(plan);
        if let Some(run) = &plan.begin_run {
            // Everything else follows when the run is on record.
            let old = session.status.clone().unwrap_or_default();
            let status = AmaltheaSessionStatus { run_id: Some(run.clone()), ..old };
            return Report { status, action: None, events, requeue_at: Some(context.now) };
        }
        let report = match checked {
            Some(checked) => status(checked, observed, applied, context),
            None => status::without_spec(session, context.now),
        };
        events.extend(events::for_restored(observed, plan, applied));
        events.extend(events::for_report(session, &report));
        let action = report.timeout_action.map(|action| match action {
            TimeoutAction::Hibernate(_) => SessionAction::ChangeSpec(json!({"hibernated": true})),
            TimeoutAction::Delete(_) => SessionAction::Delete,
        });
        Report { status: report.status, action, events, requeue_at: report.requeue_at }
    }

    fn recorded(&self) -> Option<&AmaltheaSessionStatus> {
        self.status.as_ref()
    }

    fn has_result(status: &AmaltheaSessionStatus) -> bool {
        deadlines::is_finished(status)
    }

    fn urgency(&self, new: &AmaltheaSessionStatus) -> Urgency {
        // The API server gives a new session a status of defaults.
        let unreported = AmaltheaSessionStatus::default();
        let old = self.status.as_ref().unwrap_or(&unreported);
        let with_old_counts = AmaltheaSessionStatus {
            container_counts: old.container_counts,
            init_container_counts: old.init_container_counts,
            ..new.clone()
        };
        if with_old_counts == *old {
            return Urgency::Counts;
        }
        let starts = (old.state, new.state) == (State::NotReady, State::NotReady);
        let same_run = old.run_id == new.run_id || old.observed_generation.is_none();
        let starts = starts && self.metadata.deletion_timestamp.is_none() && same_run;
        if starts { Urgency::Progress } else { Urgency::Now }
    }

    fn current(measurements: &Measurements, pod: Option<&CachedObject>) -> Measurements {
        let mut current = measurements.clone();
        if pod.is_none_or(|pod| pod.uid != current.requests_pod) {
            // What the proxy of an earlier pod answered is about an earlier run.
            current.requests = None;
        }
        current
    }

    fn summary(&self) -> Summary {
        Summary::of(self)
    }

    fn route(&self) -> Option<String> {
        self.spec.as_ref().and_then(route)
    }

    fn secrets(&self) -> Vec<String> {
        let spec = self.spec.as_ref();
        spec.map(|spec| adoption::referenced(spec).into_iter().map(str::to_owned).collect())
            .unwrap_or_default()
    }

    fn keep_secret(&self, secret: &CachedObject) -> Option<EventRecord> {
        let reason =
            adoption::reason_to_keep(self.name(), self.uid(), secret.owner.as_deref(), &secret.labels)?;
        let message = format!("The adopted secret {} stays: {reason}", secret.name);
        Some(EventRecord::new(SessionEvent::SecretKept, message))
    }
}
