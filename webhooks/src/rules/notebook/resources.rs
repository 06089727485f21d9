//! Requests and limits are ones that a container can have.
//!
//! agentserver crashes on a text that is no quantity; a request above its limit makes Kubernetes refuse the Deployment.
//! What is laid over them is judged with them, where it is written.

use serde::Deserialize;
use serde_json::{Map, Value};
use sojourn_crds::notebook::Notebook;
use sojourn_crds::quantity::Quantity;

use super::{server, spec};
use crate::finding::{Code, FieldPath, Finding, seen};
use crate::rules::pod::Report;
use crate::rules::pod::container::at::At;
use crate::rules::pod::container::{PodTraits, resources};
use crate::rules::pod::read::is_set;
use crate::settings::KubernetesVersion;

/// Says what is wrong with them.
pub(crate) fn check(notebook: &Notebook, kubernetes: KubernetesVersion, findings: &mut Vec<Finding>) {
    let own = notebook.spec.resources.as_ref().unwrap_or(&Value::Null);
    let (index, over) = server::overlay(notebook)
        .map_or((0, &Value::Null), |(index, container)| (index, &container["resources"]));
    let pod = notebook.spec.pod_template.as_ref().map_or(&Value::Null, |overlay| &overlay["spec"]);
    let mut found = Vec::new();
    let report = &mut Report::new(kubernetes, &mut found);
    let merged = completed(server::merge(own, over));
    resources::check(report, &At::root(ROOT), &merged, &PodTraits::of(pod).claims);

    let list = spec("podTemplate").child("spec").child("containers");
    let bases = [(list.index(index).child("resources"), over), (spec("resources"), own)];
    for mut finding in found {
        let written = |of: &Value| is_written(finding.path.as_str(), of);
        // What neither has was added here.
        if let Some((base, _)) = bases.iter().find(|(_, of)| written(of)) {
            let below = finding.path.as_str().trim_start_matches(ROOT);
            finding.path = FieldPath::new(&format!("{base}{below}"));
            findings.push(finding);
        }
    }
}

/// Where resources stand while it is not clear which ones they are.
const ROOT: &str = "resources";

/// Whether `resources` have what is found at `path`.
fn is_written(path: &str, resources: &Value) -> bool {
    let entry = |field: &str| {
        let key = path.strip_prefix(ROOT)?.strip_prefix('.')?.strip_prefix(field)?.strip_prefix('[')?;
        resources[field].get(key.strip_suffix(']')?)
    };
    match path.strip_prefix(ROOT) {
        Some(claims) if claims.starts_with(".claims") => is_set(resources, "claims"),
        _ => ["limits", "requests"].into_iter().any(|field| entry(field).is_some()),
    }
}

/// The resources with what a profile or the operator's settings may have: requests of CPU and memory, and the limit of
/// each request.
fn completed(mut resources: Value) -> Value {
    let requests = resources["requests"].as_object().cloned().unwrap_or_default();
    let Some(all) = resources.as_object_mut() else { return resources };
    let limits = all.entry("limits").or_insert(Value::Null);
    if limits.is_null() {
        *limits = Value::Object(Map::new());
    }
    if let Some(limits) = limits.as_object_mut() {
        for (name, request) in requests {
            limits.entry(name).or_insert(request);
        }
        limits.entry("memory").or_insert_with(|| "4Gi".into());
    }
    resources
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
