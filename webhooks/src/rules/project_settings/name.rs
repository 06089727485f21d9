//! A namespace has one object of settings, with a fixed name. The CRD of the original refuses every other name, and so
//! does ours.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sojourn_crds::ambient::project_settings::NAME;

use crate::finding::{Code, Finding, seen};
use crate::rules::object_name;

/// Reports another name.
pub(crate) fn check(metadata: &ObjectMeta, findings: &mut Vec<Finding>) {
    if let Some((name, path)) = object_name::of(metadata).filter(|(name, _)| name != NAME) {
        findings.push(Finding::new(
            Code::SettingsNameOther,
            path,
            format!("{} is not the name of a project's settings", seen(&name)),
            format!("name the object {NAME}; there is one in a namespace"),
        ));
    }
}
