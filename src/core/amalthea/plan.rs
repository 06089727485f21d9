//! What to write and delete so that a session is as its spec says.

use super::{
    Checked, ChildError, Observed, PlanContext, adoption, children, conditions::RECONCILED, deadlines, prune,
    run, run::Run,
};
use crate::core::{
    conditions,
    error::ErrorClass,
    manifest::{self, DesiredObject, Write},
    object::{CachedObject, Kind},
};
use k8s_openapi::api::batch::v1::JobStatus;
use sojourn_crds::amalthea::{
    AmaltheaSession, AmaltheaSessionStatus, OnDeadline, ReconcileStrategy, State, names,
};

/// What to do, in this order: runs, releases and deletes, writes, finalizer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// A run to write down before anything is done for it. Nothing else is planned then.
    pub begin_run: Option<String>,
    /// Jobs whose result is on record, or does not count: take the finalizer off that keeps them.
    pub release: Vec<Release>,
    /// Children that should not be there.
    pub delete: Vec<Delete>,
    /// Children that are not as they should be. What a workload mounts comes before it.
    pub write: Vec<Write>,
    /// Adopted secrets that go with the session.
    pub delete_secrets: Vec<String>,
    /// Adopted secrets that stay although the session goes: other sessions use them.
    pub keep_secrets: Vec<String>,
    /// The finalizers that the session should have, when they are not those that it has.
    pub finalizers: Option<Vec<String>>,
    /// Children that cannot be written because their names are taken.
    pub blocked: Vec<ChildError>,
}

/// A child to delete, and only that very object.
#[derive(Clone, Debug, PartialEq)]
pub struct Delete {
    /// Kind of the child.
    pub kind: Kind,
    /// Name of the child.
    pub name: String,
    /// UID of the child.
    pub uid: String,
}

/// A Job to take our finalizer off.
#[derive(Clone, Debug, PartialEq)]
pub struct Release {
    /// Namespace of the Job.
    pub namespace: String,
    /// Name of the Job.
    pub name: String,
    /// Version of the Job that `finalizers` were read from.
    pub resource_version: String,
    /// The finalizers that stay.
    pub finalizers: Vec<String>,
}

/// How a Job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its pod ended well.
    Succeeded,
    /// It failed; reason and message as the Job says them.
    Failed {
        /// In one word, such as `DeadlineExceeded`.
        reason: String,
        /// For people.
        message: String,
    },
}

/// How the Job ended; `None` while it has not.
pub fn outcome(job: &CachedObject) -> Option<Outcome> {
    let status: JobStatus = job.status();
    let conditions = status.conditions.unwrap_or_default();
    let holds = |kind: &str| {
        conditions.iter().find(|condition| condition.type_ == kind && condition.status == "True")
    };
    if holds("Complete").is_some() {
        return Some(Outcome::Succeeded);
    }
    holds("Failed").map(|failed| Outcome::Failed {
        reason: failed.reason.clone().unwrap_or_default(),
        message: failed.message.clone().unwrap_or_default(),
    })
}

/// What to do for a session at `context.now`. Planning again on the observed as it is then plans nothing.
pub fn plan(checked: &Checked, observed: &Observed, context: &PlanContext) -> Plan {
    let session = checked.session;
    if session.metadata.deletion_timestamp.is_some() {
        return finalize(checked, observed);
    }
    let unrecorded =
        observed.owned(Kind::Job, session.name()).and_then(|job| result(job, context.settings.on_deadline));
    let run = match run::run(session, context.now) {
        // A batch job that ended while its session was being hibernated has ended: that goes on record
        // first, and then nothing runs again.
        Run::Begin(_) if unrecorded.is_some() => return Plan::default(),
        Run::Begin(id) => return Plan { begin_run: Some(id), ..Plan::default() },
        Run::Current(id) => Some(id),
        Run::None => None,
    };
    let mut plan = Plan { finalizers: wanted_finalizers(checked), ..Plan::default() };
    let default = AmaltheaSessionStatus::default();
    let status = session.status.as_ref().unwrap_or(&default);
    let updates_allowed = updates_allowed(checked.spec.reconcile_strategy, status);
    let secret = observed.owned(Kind::Secret, &names::internal_secret(session.name()));
    let wanted = children::desired(checked, context, run.as_deref(), secret);
    for child in &wanted {
        let live = observed.child(child.kind, &child.name);
        if let Some(live) = live.filter(|live| !observed.owns(live)) {
            // An object of an earlier session of that name, on its way out, frees the name by itself.
            let class = if live.deleting { ErrorClass::Transient } else { ErrorClass::Foreign };
            plan.blocked.push(taken(live.kind, &live.name, class));
            continue;
        }
        match child.kind {
            Kind::Job => {
                let job = PlanJob {
                    checked,
                    status,
                    run: run.as_deref(),
                    on_deadline: context.settings.on_deadline,
                };
                job.plan(&mut plan, child, live, updates_allowed);
            }
            _ => plan_child(&mut plan, checked, child, live, updates_allowed),
        }
    }
    plan.delete.extend(prune::prunable(observed, &wanted).into_iter().map(delete));
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

/// A Job is created once for each run, changed while it is at work, and then left alone.
struct PlanJob<'a> {
    checked: &'a Checked<'a>,
    status: &'a AmaltheaSessionStatus,
    run: Option<&'a str>,
    on_deadline: OnDeadline,
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
        let ended = outcome(job).is_some();
        let hibernated = self.run.is_none();
        // A hibernated session's Job has no result unless it ended before it could be stopped.
        let pointless = hibernated && job.deleting && result(job, self.on_deadline).is_none();
        if finished || pointless || !of_this_run {
            plan.release.extend(release(job));
        }
        if finished || job.deleting {
            return;
        }
        if !of_this_run {
            plan.delete.push(delete(job));
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
        && matches!(outcome, Outcome::Failed { reason, .. } if reason == "DeadlineExceeded")
}

/// Whether a Job was made for the run `run`.
pub fn is_of_run(job: &CachedObject, run: &str) -> bool {
    job.annotations.get(names::RUN_ID_ANNOTATION).is_some_and(|id| id == run)
}

/// Whether held-back fields go through now. A write that failed has not gone through yet.
fn updates_allowed(strategy: ReconcileStrategy, status: &AmaltheaSessionStatus) -> bool {
    match strategy {
        ReconcileStrategy::Always => true,
        ReconcileStrategy::Never => false,
        ReconcileStrategy::WhenFailedOrHibernated => {
            let pending = conditions::find(&status.conditions, RECONCILED)
                .is_some_and(|condition| condition.status == "False");
            matches!(status.state, State::Failed | State::Hibernated) || pending
        }
    }
}

fn delete(live: &CachedObject) -> Delete {
    Delete { kind: live.kind, name: live.name.clone(), uid: live.uid.clone() }
}

fn release(job: &CachedObject) -> Option<Release> {
    let kept: Vec<String> =
        job.finalizers.iter().filter(|finalizer| *finalizer != names::RESULT_FINALIZER).cloned().collect();
    (kept.len() < job.finalizers.len()).then(|| Release {
        namespace: job.namespace.clone(),
        name: job.name.clone(),
        resource_version: job.resource_version.clone(),
        finalizers: kept,
    })
}

/// What holds a Job whose session is gone: only our finalizer, which has nothing left to wait for.
pub fn release_orphan(job: &CachedObject) -> Option<Release> {
    release(job).filter(|_| job.deleting)
}

/// What is said of a child whose name somebody else's object has.
pub fn taken(kind: Kind, name: &str, class: ErrorClass) -> ChildError {
    ChildError {
        kind,
        name: name.to_owned(),
        class,
        message: format!(
            "a {kind} named \"{name}\" exists and does not belong to this session; rename the session, or remove the {kind}"
        ),
    }
}

/// The finalizers that the session should have, when they are not those that it has: ours is there exactly
/// while there are secrets to delete.
fn wanted_finalizers(checked: &Checked) -> Option<Vec<String>> {
    with_finalizer(checked.session, !adoption::adopted(checked.spec).is_empty())
}

fn with_finalizer(session: &AmaltheaSession, wanted: bool) -> Option<Vec<String>> {
    let mut finalizers = session.metadata.finalizers.clone().unwrap_or_default();
    let present = finalizers.iter().any(|finalizer| finalizer == names::SECRETS_FINALIZER);
    if wanted == present {
        return None;
    }
    finalizers.retain(|finalizer| finalizer != names::SECRETS_FINALIZER);
    if wanted {
        finalizers.push(names::SECRETS_FINALIZER.to_owned());
    }
    Some(finalizers)
}

/// The finalizers of a session that is being deleted and whose spec is gone, so that nobody knows what it had
/// adopted: ours has nothing left to wait for.
pub fn finalize_without_spec(session: &AmaltheaSession) -> Option<Vec<String>> {
    session.metadata.deletion_timestamp.as_ref()?;
    with_finalizer(session, false)
}

/// What a session that is being deleted leaves to do. The rest goes by its owner references.
fn finalize(checked: &Checked, observed: &Observed) -> Plan {
    let holds = checked
        .session
        .metadata
        .finalizers
        .iter()
        .flatten()
        .any(|finalizer| finalizer == names::SECRETS_FINALIZER);
    let (keep, go): (Vec<String>, Vec<String>) = adoption::adopted(checked.spec)
        .into_iter()
        .filter(|_| holds)
        .map(str::to_owned)
        .partition(|name| observed.shared_secrets.contains(name));
    Plan {
        release: observed.owned(Kind::Job, checked.session.name()).and_then(release).into_iter().collect(),
        delete_secrets: go,
        keep_secrets: keep,
        finalizers: with_finalizer(checked.session, false),
        ..Plan::default()
    }
}
