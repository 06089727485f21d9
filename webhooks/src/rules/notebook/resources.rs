//! Requests and limits are quantities, and no request exceeds its limit.
//!
//! agentserver crashes on a text that is no quantity; a request above its limit makes Kubernetes refuse the Deployment.

use serde::Deserialize;
use serde_json::Value;
use sojourn_crds::notebook::Notebook;
use sojourn_crds::quantity::Quantity;

use super::spec;
use crate::finding::{Code, FieldPath, Finding, seen};

/// Says which are not.
pub(crate) fn check(notebook: &Notebook, findings: &mut Vec<Finding>) {
    if let Some(resources) = &notebook.spec.resources {
        check_at(&spec("resources"), resources, findings);
    }
}

/// Says which of the requests and limits at `path` are not.
pub(crate) fn check_at(path: &FieldPath, resources: &Value, findings: &mut Vec<Finding>) {
    for (name, limit) in resources["limits"].as_object().into_iter().flatten() {
        quantity(&path.child("limits").key(name), limit, findings);
    }
    for (name, request) in resources["requests"].as_object().into_iter().flatten() {
        let path = path.child("requests").key(name);
        let least = quantity(&path, request, findings);
        let limit = &resources["limits"][name];
        if let (Some(least), Some(most)) = (least, nanos(limit))
            && least > most
        {
            findings.push(Finding::new(
                Code::RequestExceedsLimit,
                path,
                format!("{} is more than the limit {}", text(request), text(limit)),
                "lower it, or raise the limit",
            ));
        }
    }
}

/// The quantity at `path` in billionths, if it is one.
pub(crate) fn quantity(path: &FieldPath, value: &Value, findings: &mut Vec<Finding>) -> Option<i128> {
    let nanos = nanos(value);
    let problem = match nanos {
        None => "is not a quantity",
        Some(nanos) if nanos < 0 => "is negative",
        Some(_) => return nanos,
    };
    findings.push(Finding::new(
        Code::QuantityInvalid,
        path.clone(),
        format!("{} {problem}", text(value)),
        "write for example 500m, 2 or 4Gi",
    ));
    None
}

fn nanos(value: &Value) -> Option<i128> {
    Quantity::deserialize(value).ok()?.nanos()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| seen(&value.to_string()), seen)
}
