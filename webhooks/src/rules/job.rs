//! The rules for the Job of a session. For every writer, they ensure that the Job lives as long as the session may,
//! stays the Job of that session, and keeps its result until that is recorded. A Job claims a session by an owner
//! reference or by labels; [`SESSION_KINDS`] lists the kinds of sessions. The original operators have no such rules: an
//! edit that shortens a deadline, resumes a hibernated session or removes the owner of the Job succeeds and breaks the
//! session.

use json_patch::{AddOperation, PatchOperation, jsonptr::PointerBuf};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use serde::Deserialize;
use serde_json::{Value, json};
use sojourn_crds::amalthea::names::RESULT_FINALIZER;
use sojourn_crds::duration::Span;
use sojourn_crds::{DescribedKind, KindDescriptor, ResourceScope};

use crate::facts::Facts;
use crate::finding::{Code, FieldPath, Finding, seen};
use crate::kind::{AdmissionRules, Change};
use crate::session_kinds::{JobConstraints, SESSION_KINDS, SessionKind};

/// The fields of a Job that the rules read.
#[derive(Debug, Deserialize)]
pub struct SessionJob {
    #[serde(deserialize_with = "sojourn_crds::metadata::lean")]
    metadata: ObjectMeta,
    spec: Option<JobSpec>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct JobSpec {
    active_deadline_seconds: Option<i64>,
    ttl_seconds_after_finished: Option<i64>,
    suspend: Option<bool>,
}

impl DescribedKind for SessionJob {
    const DESCRIPTOR: &'static KindDescriptor = &KindDescriptor {
        group: "batch",
        version: "v1",
        api_version: "batch/v1",
        kind: "Job",
        plural: "jobs",
        singular: "job",
        short_names: &[],
        scope: ResourceScope::Namespaced,
    };
}

impl SessionJob {
    fn deadline(&self) -> Option<i64> {
        self.spec.as_ref()?.active_deadline_seconds
    }

    fn suspended(&self) -> bool {
        self.spec.as_ref().is_some_and(|spec| spec.suspend == Some(true))
    }

    fn label(&self, label: &str) -> Option<&str> {
        self.metadata.labels.as_ref()?.get(label).map(String::as_str)
    }

    fn keeps_result(&self) -> bool {
        self.metadata.finalizers.iter().flatten().any(|finalizer| finalizer == RESULT_FINALIZER)
    }

    /// The owner reference to a session, if there is one.
    fn owner(&self) -> Option<(usize, &OwnerReference, &'static SessionKind)> {
        let references = self.metadata.owner_references.iter().flatten().enumerate();
        references.into_iter().find_map(|(index, reference)| {
            let (group, _) = reference.api_version.split_once('/')?;
            let owner = SESSION_KINDS.iter().find(|owner| owner.descriptor.is(group, &reference.kind))?;
            Some((index, reference, owner))
        })
    }

    fn claim(&self) -> Option<Claim<'_>> {
        let metadata = FieldPath::new("metadata");
        if let Some((index, reference, owner)) = self.owner() {
            let path = metadata.child("ownerReferences").index(index).child("name");
            return Some(Claim { owner, session: &reference.name, uid: &reference.uid, path });
        }
        SESSION_KINDS.iter().find_map(|owner| {
            let (mark, value) = owner.selector;
            let session = self.label(owner.name_label).filter(|_| self.label(mark) == Some(value))?;
            let path = metadata.child("labels").key(owner.name_label);
            Some(Claim { owner, session, uid: "", path })
        })
    }
}

/// The session that a Job claims.
struct Claim<'a> {
    owner: &'static SessionKind,
    session: &'a str,
    /// Empty when the claim has no UID.
    uid: &'a str,
    path: FieldPath,
}

impl Claim<'_> {
    /// The constraints of the session. A session with the same name and another UID is a different one.
    fn job_constraints(&self, namespace: &str, facts: &dyn Facts) -> Option<JobConstraints> {
        let job_constraints = facts.job_constraints(self.owner, namespace, self.session)?;
        let same = self.uid.is_empty() || job_constraints.uid.is_empty() || job_constraints.uid == self.uid;
        same.then_some(job_constraints)
    }
}

impl AdmissionRules for SessionJob {
    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn findings(change: &Change<'_, Self>, facts: &dyn Facts) -> Vec<Finding> {
        let Change { request, object: new, old } = *change;
        // On an update, the session of the old Job is the one to protect.
        let Some(claim) = old.and_then(Self::claim).or_else(|| new.claim()) else { return Vec::new() };
        let Some(job_constraints) = claim.job_constraints(request.namespace, facts) else {
            let kind = claim.owner.descriptor.kind;
            return vec![Finding::new(
                Code::JobSessionUnknown,
                claim.path,
                format!("there is no {kind} {} that this Job could belong to", seen(claim.session)),
                "",
            )];
        };
        let mut findings = Vec::new();
        check_deadline(change, &claim, &job_constraints, &mut findings);
        if let Some(old) = old.filter(|_| !facts.settings().trusts(request.user_name())) {
            check_resume(new, old, &claim, &job_constraints, &mut findings);
            check_ties(new, old, claim.owner, &mut findings);
            check_result(new, old, &mut findings);
        }
        findings
    }

    /// Fills in missing fields of the Job of a session: its deadline and its TTL. Values that are present stay.
    fn patch(change: &Change<'_, Self>, facts: &dyn Facts) -> Vec<PatchOperation> {
        let job = change.object;
        let job_constraints =
            job.claim().and_then(|claim| claim.job_constraints(change.request.namespace, facts));
        let (Some(spec), Some(job_constraints)) = (&job.spec, job_constraints) else { return Vec::new() };
        let wanted = [
            ("activeDeadlineSeconds", spec.active_deadline_seconds, job_constraints.least_deadline),
            ("ttlSecondsAfterFinished", spec.ttl_seconds_after_finished, job_constraints.ttl),
        ];
        let absent = wanted.into_iter().filter(|(_, written, _)| written.is_none());
        absent.filter_map(|(field, _, seconds)| Some(add(["spec", field], json!(seconds?)))).collect()
    }
}

/// The original sets the deadline too, but every user can shorten it: the session then fails too early. A Job without a
/// deadline lives long enough. Removing a deadline is refused, since it is the backstop of the session's lifetime.
fn check_deadline(
    change: &Change<'_, SessionJob>,
    claim: &Claim<'_>,
    job_constraints: &JobConstraints,
    findings: &mut Vec<Finding>,
) {
    let Some(least) = job_constraints.least_deadline else { return };
    let path = FieldPath::new("spec").child("activeDeadlineSeconds");
    let limit = claim.owner.limit;
    match (change.object.deadline(), change.old.and_then(SessionJob::deadline)) {
        (Some(seconds), _) if seconds < least => findings.push(Finding::new(
            Code::JobDeadlineTooShort,
            path,
            format!(
                "{seconds} s is shorter than session {} may live, which takes at least {least} s ({})",
                seen(claim.session),
                Span::seconds(least)
            ),
            format!("leave it out to have it filled in, or lower {limit}"),
        )),
        (None, Some(before)) => findings.push(Finding::new(
            Code::JobDeadlineRemoved,
            path,
            format!(
                "cannot be removed (it was {before} s): the lifetime of session {} is limited",
                seen(claim.session)
            ),
            format!("remove {limit} instead"),
        )),
        _ => {}
    }
}

/// The original has no such rule: the Job runs while its session is `Hibernated`.
fn check_resume(
    new: &SessionJob,
    old: &SessionJob,
    claim: &Claim<'_>,
    job_constraints: &JobConstraints,
    findings: &mut Vec<Finding>,
) {
    if job_constraints.hibernated && old.suspended() && !new.suspended() {
        findings.push(Finding::new(
            Code::JobResumed,
            FieldPath::new("spec").child("suspend"),
            format!("session {} is hibernated, so its Job stays suspended", seen(claim.session)),
            format!("set {} of the session to false", claim.owner.suspend_field),
        ));
    }
}

/// The original finds its Job by name, labels and owner. A Job without its owner reference is not collected with its
/// session; one with another owner may be collected early and then runs again.
fn check_ties(new: &SessionJob, old: &SessionJob, owner: &SessionKind, findings: &mut Vec<Finding>) {
    if let Some((index, was, owner)) = old.owner() {
        let is = new.owner().map(|(_, reference, _)| reference);
        let same =
            |is: &OwnerReference| (&is.name, &is.uid, is.controller) == (&was.name, &was.uid, was.controller);
        if !is.is_some_and(same) {
            findings.push(Finding::new(
                Code::JobOwnerChanged,
                FieldPath::new("metadata").child("ownerReferences").index(index),
                format!("the owner {} {} cannot be changed", owner.descriptor.kind, seen(&was.name)),
                "delete the session to be rid of its Job",
            ));
        }
    }
    for label in owner.immutable_labels {
        let (was, is) = (old.label(label), new.label(label));
        if was.is_some() && was != is {
            let text = |value: Option<&str>| value.map_or("absent".to_owned(), seen);
            findings.push(Finding::new(
                Code::JobLabelsChanged,
                FieldPath::new("metadata").child("labels").key(label),
                format!("cannot be changed from {} to {}", text(was), text(is)),
                "it ties the Job to its session",
            ));
        }
    }
}

/// The original has no finalizer: the result of a Job that is deleted as soon as it ends is lost.
fn check_result(new: &SessionJob, old: &SessionJob, findings: &mut Vec<Finding>) {
    if old.keeps_result() && !new.keeps_result() {
        findings.push(Finding::new(
            Code::JobResultDropped,
            FieldPath::new("metadata").child("finalizers"),
            format!("{RESULT_FINALIZER} cannot be removed: the result may not be recorded yet"),
            "delete the Job; the finalizer goes when the result is recorded",
        ));
    }
}

fn add<const N: usize>(path: [&str; N], value: Value) -> PatchOperation {
    PatchOperation::Add(AddOperation { path: PointerBuf::from_tokens(path), value })
}
