//! The rules for `AgenticSession`, with one file for each concept.
//!
//! The backend of the platform writes the sessions, and does not know Sojourn. So the rules refuse only sessions that
//! can never run, and at most warn about those that the original accepts and runs.

pub mod environment;
pub mod identity;
pub mod model;
pub mod names;
pub mod parent;
pub mod repositories;
pub mod requests;
pub mod timeouts;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sojourn_crds::ambient::{AgenticSession, AgenticSessionSpec};

use crate::facts::Facts;
use crate::finding::{FieldPath, Finding};
use crate::kind::{AdmissionRules, Change};
use crate::rules::operator_credentials;
use crate::rules::pod::Report;

/// The session that is evaluated, with the old one on an update.
pub(crate) struct Subject<'a> {
    pub(crate) session: &'a AgenticSession,
    pub(crate) old: Option<&'a AgenticSession>,
}

impl<'a> Subject<'a> {
    pub(crate) fn spec(&self) -> &'a AgenticSessionSpec {
        &self.session.spec
    }
}

/// The path of `spec.<field>`.
pub(crate) fn spec(field: &str) -> FieldPath {
    FieldPath::new("spec").child(field)
}

/// The path of an annotation.
pub(crate) fn annotation(key: &str) -> FieldPath {
    FieldPath::new("metadata").child("annotations").key(key)
}

impl AdmissionRules for AgenticSession {
    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn findings(change: &Change<'_, Self>, facts: &dyn Facts) -> Vec<Finding> {
        let subject = Subject { session: change.object, old: change.old };
        let mut findings = Vec::new();
        identity::check(&subject, &mut findings);
        requests::check(&subject, &mut findings);
        names::check(&subject, &mut findings);
        parent::check(&subject, &mut findings);
        timeouts::check(&subject, facts.settings().agentic, &mut findings);
        model::check(&subject, &mut findings);
        repositories::check(&subject, &mut findings);
        operator_credentials::check(change.request.namespace, subject.spec(), facts, &mut findings);
        environment::check(&subject, &mut Report::new(facts.settings().kubernetes, &mut findings));
        findings
    }
}
