//! The rules for `ProjectSettings`, with one file for each concept.
//!
//! As for sessions, only settings that can never work are refused. These are few, since the operator applies the valid
//! part of the settings.

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

    /// An object without `spec` requests nothing. The original accepts it.
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
