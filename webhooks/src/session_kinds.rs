//! The kinds whose sessions have Jobs, and what a session means for its Job.
//!
//! There is one row for each kind. The rules for Jobs, the match condition of their webhook, and the offline commands
//! use this table. A new kind of session needs one more row.

use sojourn_crds::amalthea::{AmaltheaSession, lifetime, names};
use sojourn_crds::ambient::{self, AgenticSession};
use sojourn_crds::notebook::{self, Notebook};
use sojourn_crds::{DescribedKind, KindDescriptor};

use crate::object::{Object, ReadObjectError};
use crate::settings::AdmissionSettings;

/// What the rules for Jobs need to know of the session that a Job claims.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobConstraints {
    /// UID of the session; empty when it is unknown.
    pub uid: String,
    /// The smallest allowed `activeDeadlineSeconds` of the Job; none when the lifetime of the session is unlimited.
    pub least_deadline: Option<i64>,
    /// The default `ttlSecondsAfterFinished` of the Job; none when the session does not depend on its end.
    pub ttl: Option<i64>,
    /// True while the session is hibernated on request, so that its Job stays suspended.
    pub hibernated: bool,
}

/// A kind of session that has Jobs.
pub struct SessionKind {
    /// The kind of the session.
    pub descriptor: &'static KindDescriptor,
    /// The labels by which a Job without an owner reference claims a session: one with the name of the session, and one
    /// with a fixed value.
    pub name_label: &'static str,
    /// See [`SessionKind::name_label`].
    pub selector: (&'static str, &'static str),
    /// Labels that connect the Job to its session and cannot be changed.
    pub immutable_labels: &'static [&'static str],
    /// What limits the lifetime of the session, in words.
    pub limit: &'static str,
    /// The field that hibernates a session.
    pub suspend_field: &'static str,
    /// What a session of the kind means for its Job.
    pub job_constraints: fn(Object<'_>, &AdmissionSettings) -> Result<JobConstraints, ReadObjectError>,
}

/// The table.
pub static SESSION_KINDS: [SessionKind; 3] = [AMALTHEA_SESSION, AGENTIC_SESSION, NOTEBOOK];

const AMALTHEA_SESSION: SessionKind = SessionKind {
    descriptor: AmaltheaSession::DESCRIPTOR,
    name_label: names::LABEL_INSTANCE,
    selector: (names::LABEL_NAME, names::NAME_VALUE),
    immutable_labels: &[
        names::LABEL_NAME,
        names::LABEL_INSTANCE,
        names::LABEL_PART_OF,
        names::LABEL_CREATED_BY,
    ],
    limit: "spec.culling.maxAge of the session",
    suspend_field: "spec.hibernated",
    job_constraints: |object, settings| Ok(amalthea_job_constraints(&object.read()?, settings)),
};

const AGENTIC_SESSION: SessionKind = SessionKind {
    descriptor: AgenticSession::DESCRIPTOR,
    name_label: ambient::names::LABEL_SESSION,
    selector: (ambient::names::LABEL_APP, ambient::names::APP_RUNNER),
    immutable_labels: &[ambient::names::LABEL_SESSION, ambient::names::LABEL_APP],
    limit: "the operator's limit for all sessions",
    // A session of this kind is stopped instead, which deletes its Job.
    suspend_field: "",
    job_constraints: |object, settings| Ok(agentic_job_constraints(&object.read()?, settings)),
};

const NOTEBOOK: SessionKind = SessionKind {
    descriptor: Notebook::DESCRIPTOR,
    name_label: notebook::names::LABEL_INSTANCE,
    selector: (notebook::names::LABEL_NAME, notebook::names::NAME_VALUE),
    immutable_labels: &[notebook::names::LABEL_NAME, notebook::names::LABEL_INSTANCE],
    limit: "spec.maxLifetime of the notebook",
    suspend_field: "",
    job_constraints: |object, _| Ok(notebook_job_constraints(&object.read()?)),
};

/// What an `AmaltheaSession` means for its Job.
pub fn amalthea_job_constraints(session: &AmaltheaSession, settings: &AdmissionSettings) -> JobConstraints {
    let spec = session.spec.as_ref();
    JobConstraints {
        uid: session.uid().to_owned(),
        least_deadline: spec.and_then(|spec| lifetime::job_deadline_seconds(spec, settings.on_deadline)),
        ttl: spec.and_then(lifetime::job_ttl_seconds),
        hibernated: spec.is_some_and(|spec| spec.hibernated),
    }
}

/// What a `Notebook` means for a Job that belongs to it. The Job is not the workload of the notebook, so stopping the
/// notebook does not affect it.
pub fn notebook_job_constraints(notebook: &Notebook) -> JobConstraints {
    JobConstraints {
        uid: notebook.uid().to_owned(),
        least_deadline: notebook::lifetime::job_deadline_seconds(&notebook.spec),
        ttl: None,
        hibernated: false,
    }
}

/// What an `AgenticSession` means for its Job.
fn agentic_job_constraints(session: &AgenticSession, settings: &AdmissionSettings) -> JobConstraints {
    JobConstraints {
        uid: session.uid().to_owned(),
        least_deadline: Some(ambient::lifetime::job_deadline_seconds(&session.spec, settings.agentic)),
        ttl: Some(ambient::lifetime::JOB_TTL_SECONDS),
        hibernated: false,
    }
}

/// The CEL expression that a Job claims a session. It checks the old and the new object, so that the webhook sees when
/// a claim is removed.
pub(crate) fn claim_in_cel() -> String {
    let owned = SESSION_KINDS.iter().map(|session_kind| {
        let KindDescriptor { kind, group, .. } = session_kind.descriptor;
        format!("(r.kind == '{kind}' && r.apiVersion.startsWith('{group}/'))")
    });
    let labelled = SESSION_KINDS.iter().map(|owner| {
        let (name, (mark, value)) = (owner.name_label, owner.selector);
        format!(
            "('{name}' in o.metadata.labels && '{mark}' in o.metadata.labels && \
             o.metadata.labels['{mark}'] == '{value}')"
        )
    });
    let any = |conditions: Vec<String>| conditions.join(" || ");
    format!(
        "[object, oldObject].exists(o, o != null && (\
         (has(o.metadata.ownerReferences) && o.metadata.ownerReferences.exists(r, {})) || \
         (has(o.metadata.labels) && ({}))))",
        any(owned.collect()),
        any(labelled.collect())
    )
}
