//! The rules for `IdeSession`, with one file for each concept. Messages about spec and desired state are those of the
//! original, because its clients look for them. The schema of the kind checks part of the rules first, so that they
//! hold while no webhook server answers.

pub mod annotations;
pub mod desired_state;
pub mod endpoint;
pub mod launch_configurations;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sojourn_crds::ide_session::IdeSession;

use crate::facts::{AccessReview, Facts};
use crate::finding::{FieldPath, Finding};
use crate::kind::{AdmissionRules, Change};

/// The path of `spec.<field>`.
pub(crate) fn spec(field: &str) -> FieldPath {
    FieldPath::new("spec").child(field)
}

impl AdmissionRules for IdeSession {
    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn access_reviews(change: &Change<'_, Self>) -> Vec<AccessReview> {
        endpoint::access_review(change).into_iter().collect()
    }

    fn findings(change: &Change<'_, Self>, facts: &dyn Facts) -> Vec<Finding> {
        let mut findings = Vec::new();
        launch_configurations::check(change, &mut findings);
        desired_state::check(change, &mut findings);
        annotations::check(change, &mut findings);
        endpoint::check(change, &mut findings);
        endpoint::check_access(change, facts, &mut findings);
        findings
    }
}
