//! The rules for `AmaltheaSession`, one concept a file. What the schema of the kind can say is said there; here is
//! what it cannot, and immutability once more, for offline use and for a readable text.

pub mod approval;
pub mod authentication;
pub mod container_fields;
pub mod containers;
pub mod data_sources;
pub mod durations;
pub mod immutability;
pub mod ingress;
pub mod mounts;
pub mod names;
pub mod pod;
pub mod pod_security;
pub mod scheduling;
pub mod secrets;
pub mod security_contexts;
pub mod storage;
pub mod template;
pub mod timeouts;
pub mod volumes;

use json_patch::PatchOperation;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sojourn_crds::amalthea::{AmaltheaSession, AmaltheaSessionSpec, Location, SessionType};

use crate::facts::{AccessReview, Facts};
use crate::finding::{Code, FieldPath, Finding};
use crate::kind::{AdmissionRules, Change};
use crate::rules::operator_credentials;
use crate::rules::pod::Report;

/// A session that is judged, with its old self when it is an update.
pub(crate) struct Subject<'a> {
    pub(crate) session: &'a AmaltheaSession,
    pub(crate) spec: &'a AmaltheaSessionSpec,
    pub(crate) old: Option<&'a AmaltheaSession>,
}

impl<'a> Subject<'a> {
    pub(crate) fn old_spec(&self) -> Option<&'a AmaltheaSessionSpec> {
        self.old.and_then(|old| old.spec.as_ref())
    }

    pub(crate) fn is_batch(&self) -> bool {
        self.spec.session_type == SessionType::NonInteractive
    }

    pub(crate) fn is_remote(&self) -> bool {
        self.spec.location == Location::Remote
    }

    /// True when a proxy stands in front of the session: batch sessions never have one.
    pub(crate) fn has_proxy(&self) -> bool {
        !self.is_batch() && self.spec.authentication.as_ref().is_some_and(|auth| auth.enabled)
    }
}

/// The path of `spec.<field>`.
pub(crate) fn spec(field: &str) -> FieldPath {
    FieldPath::new("spec").child(field)
}

impl AdmissionRules for AmaltheaSession {
    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn access_reviews(change: &Change<'_, Self>) -> Vec<AccessReview> {
        secrets::access_reviews(change)
    }

    /// Without `spec` (`SpecMissing`) the original accepts the object and fails for ever with an unknown strategy.
    fn findings(change: &Change<'_, Self>, facts: &dyn Facts) -> Vec<Finding> {
        let Some(spec) = &change.object.spec else {
            return vec![Finding::new(
                Code::SpecMissing,
                FieldPath::new("spec"),
                "the session has no spec",
                "give at least spec.session.image",
            )];
        };
        let subject = Subject { session: change.object, spec, old: change.old };
        let mut findings = Vec::new();
        immutability::check(&subject, &mut findings);
        durations::check(&subject, facts.now(), &mut findings);
        timeouts::check(&subject, facts.now(), &mut findings);
        names::check(&subject, &mut findings);
        containers::check(&subject, &mut findings);
        container_fields::check(&subject, facts.settings().kubernetes, &mut findings);
        volumes::check(&subject, &mut findings);
        mounts::check(&subject, &mut findings);
        storage::check(&subject, &mut findings);
        storage::check_change_of_class(&subject, &mut findings);
        authentication::check(&subject, &mut findings);
        ingress::check(&subject, &mut findings);
        ingress::check_conflict(&subject, change.request.namespace, facts, &mut findings);
        template::check(&subject, &mut findings);
        secrets::check(&subject, &mut findings);
        secrets::check_adoption(change, facts, &mut findings);
        operator_credentials::check(change.request.namespace, spec, facts, &mut findings);
        pod_security::check(&subject, change.request.namespace, facts, &mut findings);
        let report = &mut Report::new(facts.settings().kubernetes, &mut findings);
        volumes::check_sources(&subject, report);
        storage::check_class(&subject, report);
        data_sources::check(&subject, report);
        scheduling::check(&subject, report);
        secrets::check_names(&subject, report);
        ingress::check_fields(&subject, report);
        template::check_uses(&subject, report);
        findings
    }

    fn access_reviews_for_patch(change: &Change<'_, Self>, facts: &dyn Facts) -> Vec<AccessReview> {
        approval::access_reviews(change, facts)
    }

    fn patch(change: &Change<'_, Self>, facts: &dyn Facts) -> Vec<PatchOperation> {
        approval::patch(change, facts)
    }
}
