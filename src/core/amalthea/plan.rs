//! What to write and delete so that a session is as its spec says.

use super::{
    Checked, Observed, PlanContext, adoption, children, completion, deadlines, deletion, files, files::Files,
    gate, gate::Gate, prune, run, run::Run, unchangeable,
};
use crate::core::{
    manifest::{self, DesiredObject, Write},
    object::{CachedObject, Kind},
    workload::{
        Delete, KeepReason, KeptSecret, Plan, Release,
        job::{DEADLINE_EXCEEDED, Outcome, is_of_run, outcome},
        plan,
    },
};
use k8s_openapi::jiff::Timestamp;
use sojourn_crds::amalthea::{
    AmaltheaSession, AmaltheaSessionSpec, AmaltheaSessionStatus, OnDeadline, names, secrets::adopted_secrets,
};

/// What to do for a session at `context.now`. Planning again on the observed as it is then plans nothing.
pub fn plan(checked: &Checked, observed: &Observed, context: &PlanContext) -> Plan {
    let session = checked.session;
    if session.metadata.deletion_timestamp.is_some() {
        return finalize(checked, observed, context);
    }
    let job = observed.owned(Kind::Job, session.name());
    let has_ended = |job: &CachedObject| {
        result(job, context.settings.on_deadline).is_some() || completion::of(observed, job).is_some()
    };
    let unrecorded = job.is_some_and(has_ended);
    let run = match run::run(session, context.now) {
        // A batch job that ended while its session was being hibernated has ended: that goes on record
        // first, and then nothing runs again.
        Run::Begin(_) if unrecorded => return Plan::default(),
        Run::Begin(id) => return Plan { begin_run: Some(id), ..Plan::default() },
        Run::Current(id) => Some(id),
        Run::None => None,
    };
    let mut plan = Plan { finalizers: wanted_finalizers(checked), ..Plan::default() };
    let default = AmaltheaSessionStatus::default();
    let status = session.status.as_ref().unwrap_or(&default);
    let secret = observed.owned(Kind::Secret, &names::internal_secret(session.name()));
    let mut wanted = children::desired(checked, context, run.as_deref(), secret);
    let gate = Gate::of(checked, &wanted, observed, status);
    let files = Files::of(observed);
    if files == Files::Unconfirmed {
        plan.blocked.push(files::unconfirmed(session));
    }
    for child in &mut wanted {
        let Ok(live) = plan.live_child(child, observed) else { continue };
        if let Some(live) = live {
            unchangeable::keep_size(child, live);
        }
        if files.are_missing() && waits_for_files(checked, child, observed) {
            continue;
        }
        let updates_allowed = gate.is_open(child);
        match child.kind {
            Kind::Job => {
                let job = PlanJob {
                    checked,
                    status,
                    run: run.as_deref(),
                    on_deadline: context.settings.on_deadline,
                    observed,
                    now: context.now,
                };
                job.plan(&mut plan, child, live, updates_allowed);
            }
            _ => plan_child(&mut plan, checked, child, live, updates_allowed),
        }
    }
    plan.delete.extend(prune::prunable(observed, &wanted).into_iter().map(Delete::of));
    plan
}

fn plan_child(
    plan: &mut Plan,
    checked: &Checked,
    child: &DesiredObject,
    live: Option<&CachedObject>,
    updates_allowed: bool,
) {
    let workload = child.kind == Kind::StatefulSet;
    if live.is_some_and(|live| live.deleting)
        || (live.is_none() && workload && !checked.blocking_findings.is_empty())
    {
        return;
    }
    plan.write.extend(manifest::difference(child, live, updates_allowed));
}

/// Whether a child is not made while the files are missing: their claim, in whose place an empty disk would come, and a
/// workload that asks for a pod. A workload that is at work stays as it is.
fn waits_for_files(checked: &Checked, child: &DesiredObject, observed: &Observed) -> bool {
    match child.kind {
        Kind::PersistentVolumeClaim => child.name == checked.session.name(),
        Kind::StatefulSet => !checked.spec.hibernated && gate::is_asleep(observed),
        Kind::Job => !checked.spec.hibernated && observed.owned(Kind::Job, &child.name).is_none(),
        _ => false,
    }
}

/// A Job is created once for each run, changed while it is at work, and then left alone. One in whose pod containers run
/// on after the session's own is deleted when the result is on record.
struct PlanJob<'a> {
    checked: &'a Checked<'a>,
    status: &'a AmaltheaSessionStatus,
    run: Option<&'a str>,
    on_deadline: OnDeadline,
    observed: &'a Observed,
    now: Timestamp,
}

impl PlanJob<'_> {
    fn plan(
        &self,
        plan: &mut Plan,
        child: &DesiredObject,
        live: Option<&CachedObject>,
        updates_allowed: bool,
    ) {
        let finished = deadlines::is_finished(self.status);
        let Some(job) = live else {
            if !finished && self.checked.blocking_findings.is_empty() {
                plan.write.extend(manifest::difference(child, None, updates_allowed));
            }
            return;
        };
        let of_this_run = self.run.is_none_or(|run| is_of_run(job, run));
        let ended = outcome(job).is_some() || completion::of(self.observed, job).is_some();
        let hibernated = self.run.is_none();
        // A hibernated session's Job has no result unless it ended before it could be stopped.
        let pointless = hibernated && job.deleting && result(job, self.on_deadline).is_none();
        if finished || pointless || !of_this_run {
            plan.release.extend(Release::of(job));
        }
        if finished && completion::ends_at(self.observed, job).is_some_and(|at| at <= self.now) {
            plan.delete.push(Delete::of(job));
        }
        if finished || job.deleting {
            return;
        }
        if !of_this_run {
            plan.delete.push(Delete::of(job));
        } else if !ended {
            plan.write.extend(manifest::difference(child, Some(job), updates_allowed));
        }
    }
}

/// How a Job ended, unless it was ended by a deadline that only stands behind the operator's own.
pub fn result(job: &CachedObject, on_deadline: OnDeadline) -> Option<Outcome> {
    outcome(job).filter(|outcome| !is_backstop(outcome, on_deadline))
}

/// Whether a Job was ended by a deadline that only stands behind the operator's own.
pub fn is_backstop(outcome: &Outcome, on_deadline: OnDeadline) -> bool {
    on_deadline == OnDeadline::Hibernate
        && matches!(outcome, Outcome::Failed { reason, .. } if reason == DEADLINE_EXCEEDED)
}

/// The finalizers that the session should have, when they are not those that it has: ours is there exactly
/// while there are secrets to delete.
fn wanted_finalizers(checked: &Checked) -> Option<Vec<String>> {
    with_finalizer(checked.session, !adopted_secrets(checked.spec).is_empty())
}

fn with_finalizer(session: &AmaltheaSession, wanted: bool) -> Option<Vec<String>> {
    let existing = session.metadata.finalizers.as_deref().unwrap_or_default();
    plan::with_finalizer(existing, names::SECRETS_FINALIZER, wanted)
}

/// What to do for a session without a spec. It is unknown what it adopted, so one that is being deleted is let go.
pub(super) fn without_spec(session: &AmaltheaSession) -> Plan {
    let deleting = session.metadata.deletion_timestamp.is_some();
    Plan { finalizers: if deleting { with_finalizer(session, false) } else { None }, ..Plan::default() }
}

/// What a session that is being deleted leaves to do. The rest goes by its owner references, once the session is gone.
fn finalize(checked: &Checked, observed: &Observed, context: &PlanContext) -> Plan {
    let holds = checked
        .session
        .metadata
        .finalizers
        .iter()
        .flatten()
        .any(|finalizer| finalizer == names::SECRETS_FINALIZER);
    let adopted = adopted_secrets(checked.spec).into_iter().filter(|_| holds);
    let approved = adoption::approved(checked.session, context.settings.approval_key.as_ref());
    let (mut keep, mut go) = (Vec::new(), Vec::new());
    for name in adopted {
        let name = name.to_owned();
        if !approved.contains(&name) {
            keep.push(KeptSecret { name, reason: KeepReason::NotApproved });
        } else if observed.shared_secrets.contains(&name) {
            keep.push(KeptSecret { name, reason: KeepReason::Shared });
        } else {
            go.push(name);
        }
    }
    Plan {
        release: observed
            .owned(Kind::Job, checked.session.name())
            .and_then(Release::of)
            .into_iter()
            .collect(),
        delete_secrets: go,
        keep_secrets: keep,
        finalizers: with_finalizer(checked.session, false),
        write: stopped_workload(checked, observed, context),
        ..Plan::default()
    }
}

/// The workload of a session that somebody else holds, stopped: it would make its pods again for as long as the session
/// is there. What is gone is not made again.
fn stopped_workload(checked: &Checked, observed: &Observed, context: &PlanContext) -> Vec<Write> {
    if !deletion::stops_workload(checked.session) {
        return Vec::new();
    }
    let spec = AmaltheaSessionSpec { hibernated: true, ..checked.spec.clone() };
    let stopped = Checked { spec: &spec, ..checked.clone() };
    let children = children::desired(&stopped, context, None, None);
    let workloads = children.into_iter().filter(|child| matches!(child.kind, Kind::StatefulSet | Kind::Job));
    let stop = |mut child: DesiredObject| {
        let live = observed.owned(child.kind, &child.name)?;
        if live.deleting || outcome(live).is_some() {
            return None;
        }
        // That of a Job is released: its result does not count any more.
        child.manifest["metadata"].as_object_mut()?.remove("finalizers");
        manifest::difference(&child, Some(live), false)
    };
    workloads.filter_map(stop).collect()
}
