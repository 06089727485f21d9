//! The rules for `Notebook`, one concept a file.
//!
//! What would keep Deployment, Service or claim from being made for ever is refused, in the words that agentserver uses
//! where it has any. What it would run is never refused.

pub mod containers;
pub mod environment;
pub mod identity;
pub mod network;
pub mod overlay;
pub mod placeholders;
pub mod pod;
pub mod port;
pub mod probe;
pub mod resources;
mod server;
pub mod timeouts;
pub mod volume;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sojourn_crds::notebook::Notebook;

use crate::facts::Facts;
use crate::finding::{FieldPath, Finding};
use crate::kind::{AdmissionRules, Change};
use crate::rules::operator_credentials;
use crate::rules::pod::Report;

/// The path of `spec.<field>`.
pub(crate) fn spec(field: &str) -> FieldPath {
    FieldPath::new("spec").child(field)
}

impl AdmissionRules for Notebook {
    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn findings(change: &Change<'_, Self>, facts: &dyn Facts) -> Vec<Finding> {
        let notebook = change.object;
        let mut findings = Vec::new();
        identity::check(notebook, &mut findings);
        timeouts::check(notebook, &mut findings);
        probe::check(notebook, &mut findings);
        environment::check(notebook, &mut findings);
        port::check(notebook, &mut findings);
        volume::check(notebook, &mut findings);
        network::check(notebook, &mut findings);
        overlay::check(notebook, &mut findings);
        let kubernetes = facts.settings().kubernetes;
        resources::check(notebook, kubernetes, &mut findings);
        containers::check(notebook, kubernetes, &mut findings);
        operator_credentials::check(change.request.namespace, &notebook.spec, facts, &mut findings);
        if let Some(old) = change.old {
            identity::check_change(old, notebook, &mut findings);
            timeouts::check_change(old, notebook, facts.now(), &mut findings);
            volume::check_change(old, notebook, &mut findings);
        }
        let report = &mut Report::new(kubernetes, &mut findings);
        environment::check_fields(notebook, report);
        pod::check(notebook, report);
        volume::check_claim(notebook, report);
        findings
    }
}
