//! The guard of a session's Job: whoever writes it, it lives at least as long as the session may, stays the session's
//! own, and keeps its result until that is recorded.
//!
//! A Job claims a session by an owner reference or by labels. The original guards nothing: an edit that shortens a
//! deadline, resumes a hibernated session or tears the Job from its session goes through and breaks the session.

use json_patch::{AddOperation, PatchOperation, jsonptr::PointerBuf};
use serde_json::{Value, json};
use sojourn_crds::amalthea::names::{
    LABEL_CREATED_BY, LABEL_INSTANCE, LABEL_NAME, LABEL_PART_OF, NAME_VALUE, RESULT_FINALIZER,
};
use sojourn_crds::amalthea::{AmaltheaSession, GROUP, KIND, lifetime};
use sojourn_crds::duration::Span;

use crate::facts::Facts;
use crate::finding::{Code, FieldPath, Finding, seen};
use crate::request::Request;

/// The labels that tie a Job to its session.
const TIES: [&str; 4] = [LABEL_NAME, LABEL_INSTANCE, LABEL_PART_OF, LABEL_CREATED_BY];

/// The session that a Job claims to belong to.
struct Claim<'a> {
    session: &'a str,
    uid: Option<&'a str>,
    path: FieldPath,
}

/// The owner reference to a session, if there is one.
fn owner(job: &Value) -> Option<(usize, &Value)> {
    let group =
        |owner: &Value| owner["apiVersion"].as_str().and_then(|v| v.split_once('/')).map(|(g, _)| g == GROUP);
    let owners = job["metadata"]["ownerReferences"].as_array()?.iter().enumerate();
    owners.into_iter().find(|(_, owner)| owner["kind"] == KIND && group(owner) == Some(true))
}

fn claim(job: &Value) -> Option<Claim<'_>> {
    let metadata = FieldPath::new("metadata");
    if let Some((index, owner)) = owner(job) {
        let path = metadata.child("ownerReferences").index(index).child("name");
        return Some(Claim { session: owner["name"].as_str()?, uid: owner["uid"].as_str(), path });
    }
    let labels = &job["metadata"]["labels"];
    let session = labels[LABEL_INSTANCE].as_str().filter(|_| labels[LABEL_NAME] == NAME_VALUE)?;
    Some(Claim { session, uid: None, path: metadata.child("labels").key(LABEL_INSTANCE) })
}

/// The session that a Job belongs to. One of the same name with another UID is another session.
fn session_of(
    claim: &Claim<'_>,
    namespace: &str,
    facts: &dyn Facts,
) -> Option<std::sync::Arc<AmaltheaSession>> {
    let found = facts.session(namespace, claim.session)?;
    let same = claim.uid.is_none_or(|uid| found.uid().is_empty() || found.uid() == uid);
    same.then_some(found)
}

/// Judges a Job that claims a session.
pub fn validate(request: &Request<'_>, facts: &dyn Facts) -> Vec<Finding> {
    let Some(new) = request.judged() else { return Vec::new() };
    let old = request.before();
    // On an update the session that the Job belonged to so far is the one to protect.
    let Some(claim) = old.and_then(claim).or_else(|| claim(new)) else { return Vec::new() };
    let Some(session) = session_of(&claim, request.namespace, facts) else {
        return vec![Finding::new(
            Code::JobSessionUnknown,
            claim.path,
            format!("there is no AmaltheaSession {} that this Job could belong to", seen(claim.session)),
            "",
        )];
    };
    let mut findings = Vec::new();
    check_deadline(new, old, &session, facts, &mut findings);
    if let Some(old) = old.filter(|_| !facts.settings().trusts(request.user_name())) {
        check_resume(new, old, &session, &mut findings);
        check_ties(new, old, &mut findings);
        check_result(new, old, &mut findings);
    }
    findings
}

/// The original writes the deadline too, but lets anybody shorten it: the session then fails before its time. A Job
/// without a deadline lives long enough; removing one is refused, since it is the backstop of the session's `maxAge`.
fn check_deadline(
    new: &Value,
    old: Option<&Value>,
    session: &AmaltheaSession,
    facts: &dyn Facts,
    findings: &mut Vec<Finding>,
) {
    let on_deadline = facts.settings().on_deadline;
    let least = session.spec.as_ref().and_then(|spec| lifetime::job_deadline_seconds(spec, on_deadline));
    let Some(least) = least else { return };
    let path = FieldPath::new("spec").child("activeDeadlineSeconds");
    let deadline = |job: &Value| job["spec"]["activeDeadlineSeconds"].as_i64();
    match (deadline(new), old.and_then(deadline)) {
        (Some(seconds), _) if seconds < least => findings.push(Finding::new(
            Code::JobDeadlineTooShort,
            path,
            format!(
                "{seconds} s is shorter than session {} may live, which takes at least {least} s ({})",
                seen(session.name()),
                Span::seconds(least)
            ),
            "leave it out to have it filled in, or lower spec.culling.maxAge of the session",
        )),
        (None, Some(before)) => findings.push(Finding::new(
            Code::JobDeadlineRemoved,
            path,
            format!(
                "cannot be removed (it was {before} s): the lifetime of session {} is limited",
                seen(session.name())
            ),
            "remove spec.culling.maxAge of the session instead",
        )),
        _ => {}
    }
}

/// The original has no guard: the Job runs while its session says `Hibernated`.
fn check_resume(new: &Value, old: &Value, session: &AmaltheaSession, findings: &mut Vec<Finding>) {
    let suspended = |job: &Value| job["spec"]["suspend"] == true;
    let hibernated = session.spec.as_ref().is_some_and(|spec| spec.hibernated);
    if hibernated && suspended(old) && !suspended(new) {
        findings.push(Finding::new(
            Code::JobResumed,
            FieldPath::new("spec").child("suspend"),
            format!("session {} is hibernated, so its Job stays suspended", seen(session.name())),
            "set spec.hibernated of the session to false",
        ));
    }
}

/// The original looks its Job up by name, labels and owner. A Job torn from its session is not collected with it, or is
/// collected early and then run again.
fn check_ties(new: &Value, old: &Value, findings: &mut Vec<Finding>) {
    if let Some((index, was)) = owner(old) {
        let is = owner(new).map(|(_, owner)| owner);
        let same = |field: &str| is.is_some_and(|is| is[field] == was[field]);
        if !["name", "uid", "controller"].into_iter().all(same) {
            findings.push(Finding::new(
                Code::JobOwnerChanged,
                FieldPath::new("metadata").child("ownerReferences").index(index),
                format!(
                    "the owner AmaltheaSession {} cannot be changed",
                    seen(was["name"].as_str().unwrap_or_default())
                ),
                "delete the session to be rid of its Job",
            ));
        }
    }
    for label in TIES {
        let value = |job: &Value| job["metadata"]["labels"][label].as_str().map(str::to_owned);
        let (was, is) = (value(old), value(new));
        if was.is_some() && was != is {
            let text = |value: Option<String>| value.map_or("absent".to_owned(), |value| seen(&value));
            findings.push(Finding::new(
                Code::JobLabelsChanged,
                FieldPath::new("metadata").child("labels").key(label),
                format!("cannot be changed from {} to {}", text(was), text(is)),
                "it ties the Job to its session",
            ));
        }
    }
}

/// The original has no finalizer: a Job that is deleted as soon as it ends takes its result along.
fn check_result(new: &Value, old: &Value, findings: &mut Vec<Finding>) {
    let keeps = |job: &Value| {
        job["metadata"]["finalizers"]
            .as_array()
            .is_some_and(|list| list.iter().any(|f| f == RESULT_FINALIZER))
    };
    if keeps(old) && !keeps(new) {
        findings.push(Finding::new(
            Code::JobResultDropped,
            FieldPath::new("metadata").child("finalizers"),
            format!("{RESULT_FINALIZER} cannot be removed: the result may not be recorded yet"),
            "delete the Job; the finalizer goes when the result is recorded",
        ));
    }
}

/// Fills in what the Job of a session needs and nobody wrote: its deadline, and how long it is kept. What is written
/// stays as it is.
pub fn mutate(request: &Request<'_>, facts: &dyn Facts) -> Vec<PatchOperation> {
    let Some(job) = request.judged().filter(|job| job["spec"].is_object()) else { return Vec::new() };
    let session = claim(job).and_then(|claim| session_of(&claim, request.namespace, facts));
    let Some(spec) = session.as_ref().and_then(|session| session.spec.as_ref()) else { return Vec::new() };
    let wanted = [
        ("activeDeadlineSeconds", lifetime::job_deadline_seconds(spec, facts.settings().on_deadline)),
        ("ttlSecondsAfterFinished", lifetime::job_ttl_seconds(spec)),
    ];
    let absent = wanted.into_iter().filter(|(field, _)| job["spec"][*field].is_null());
    absent.filter_map(|(field, seconds)| Some(add(["spec", field], json!(seconds?)))).collect()
}

fn add<const N: usize>(path: [&str; N], value: Value) -> PatchOperation {
    PatchOperation::Add(AddOperation { path: PointerBuf::from_tokens(path), value })
}
