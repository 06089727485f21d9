//! The kinds whose sessions have Jobs, and what a session means for its Job.
//!
//! One row a kind. The guard of Jobs, the condition under which the API server sends us a Job at all, and the offline
//! commands read this table; a new kind of session is guarded by a row more.

use sojourn_crds::amalthea::{AmaltheaSession, lifetime, names};
use sojourn_crds::ambient::{self, AgenticSession};
use sojourn_crds::notebook::{self, Notebook};
use sojourn_crds::{DescribedKind, KindDescriptor};

use crate::object::{Object, ReadObjectError};
use crate::settings::AdmissionSettings;

/// What the guard has to know of the session that a Job claims.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobConstraints {
    /// UID of the session; empty when it is not known.
    pub uid: String,
    /// The least `activeDeadlineSeconds` of the Job; none when the session may live for ever.
    pub least_deadline: Option<i64>,
    /// The `ttlSecondsAfterFinished` of a Job that names none; none when its end decides nothing.
    pub ttl: Option<i64>,
    /// True while the session is asked to rest, so that its Job stays suspended.
    pub hibernated: bool,
}

/// A kind of session that has Jobs.
pub struct SessionKind {
    /// The kind of the session.
    pub descriptor: &'static KindDescriptor,
    /// Labels by which a Job without owner reference claims a session: one with the session's name, one with a fixed
    /// value.
    pub name_label: &'static str,
    /// See [`SessionKind::name_label`].
    pub selector: (&'static str, &'static str),
    /// Labels that tie the Job to its session and so stay as they are.
    pub immutable_labels: &'static [&'static str],
    /// What limits the session's life, in words.
    pub limit: &'static str,
    /// The field by which a session rests.
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
    // A session of this kind is stopped, and its Job with it deleted.
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

/// What a `Notebook` means for a Job that belongs to it. The Job works for the notebook and not in its place, so a stop
/// of the notebook decides nothing.
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

/// The condition in CEL that a Job claims a session. Old and new object count, so that a claim cannot be taken off
/// unseen.
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
