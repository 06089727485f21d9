//! The rules for `ProjectSettings`, one concept a file.
//!
//! As with sessions, only what can never work is refused: the operator goes on with the rest of the settings, so that
//! is little.

pub mod groups;
pub mod name;
pub mod repositories;
pub mod secret;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sojourn_crds::ambient::ProjectSettings;

use crate::facts::Facts;
use crate::finding::{FieldPath, Finding};
use crate::kind::{AdmissionRules, Change};

/// The path of `spec.<field>`.
pub(crate) fn spec(field: &str) -> FieldPath {
    FieldPath::new("spec").child(field)
}

impl AdmissionRules for ProjectSettings {
    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    /// Without `spec` nothing is asked for, which the original accepts.
    fn findings(change: &Change<'_, Self>, _: &dyn Facts) -> Vec<Finding> {
        let mut findings = Vec::new();
        name::check(&change.object.metadata, &mut findings);
        if let Some(spec) = &change.object.spec {
            groups::check(spec, &mut findings);
            repositories::check(spec, &mut findings);
            secret::check(spec, &mut findings);
        }
        findings
    }
}
