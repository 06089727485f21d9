//! The secret with the keys of the model has the same name in every project. The original has a field for another name,
//! and does not read it.

use sojourn_crds::ambient::ProjectSettingsSpec;
use sojourn_crds::ambient::names::RUNNER_SECRET;

use super::spec;
use crate::finding::{Code, Finding, seen};

/// Reports that another name has no effect.
pub(crate) fn check(of: &ProjectSettingsSpec, findings: &mut Vec<Finding>) {
    let named = of.runner_secrets_name.as_deref().filter(|name| !name.is_empty() && *name != RUNNER_SECRET);
    if let Some(name) = named {
        findings.push(Finding::new(
            Code::RunnerSecretIgnored,
            spec("runnerSecretsName"),
            format!("{} is not read", seen(name)),
            format!("name the secret {RUNNER_SECRET}"),
        ));
    }
}
