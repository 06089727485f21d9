//! The children of a session, as they should be: one builder a kind, infallible and deterministic.
//!
//! Names, labels, ports, volumes, probes and their order are those of the original operator: a pod
//! template that differs after the API server's defaulting would restart every session that is taken over.

mod auth;
mod clone;
mod network;
mod pod;
mod remote;
mod secret;
mod storage;
mod workload;

use super::{Checked, PlanContext};
use crate::core::{manifest::DesiredObject, object::CachedObject};
use serde_json::{Map, Value, json};
use sojourn_crds::amalthea::{AmaltheaSession, AmaltheaSessionSpec, StringMap, names};

/// What builders may know.
pub(super) struct Build<'a> {
    session: &'a AmaltheaSession,
    spec: &'a AmaltheaSessionSpec,
    context: &'a PlanContext<'a>,
    run_id: Option<&'a str>,
}

/// The children that a session should have now, in the order in which they are written.
///
/// `secret` is the operator's own secret for the session as it is now, whose random parts are kept.
pub fn desired(
    checked: &Checked,
    context: &PlanContext,
    run_id: Option<&str>,
    secret: Option<&CachedObject>,
) -> Vec<DesiredObject> {
    let build = Build { session: checked.session, spec: checked.spec, context, run_id };
    let mut children = storage::claims(&build);
    children.push(secret::internal(&build, secret));
    if checked.interactive() {
        children.push(workload::stateful_set(&build));
        children.push(network::service(&build));
        children.extend(network::ingress(&build));
    } else {
        children.push(workload::job(&build));
    }
    children
}

/// The claims that a session should have.
pub(super) fn claims(checked: &Checked, context: &PlanContext) -> Vec<DesiredObject> {
    storage::claims(&Build { session: checked.session, spec: checked.spec, context, run_id: None })
}

pub use network::url;

impl Build<'_> {
    /// Labels that select what belongs to the session.
    fn selector(&self) -> Map<String, Value> {
        [
            (names::LABEL_NAME, names::NAME_VALUE),
            (names::LABEL_INSTANCE, self.session.name()),
            (names::LABEL_PART_OF, names::PART_OF_VALUE),
            (names::LABEL_CREATED_BY, names::CREATED_BY_VALUE),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), json!(value)))
        .collect()
    }

    /// Labels of every child: the template's, under those that select.
    fn labels(&self) -> Map<String, Value> {
        let mut labels = object(self.template().and_then(|template| template.labels.as_ref()));
        labels.extend(self.selector());
        labels
    }

    /// Annotations of every child.
    fn annotations(&self) -> Map<String, Value> {
        object(self.template().and_then(|template| template.annotations.as_ref()))
    }

    /// Annotations of the workload and its pods.
    fn run_annotations(&self) -> Map<String, Value> {
        let mut annotations = self.annotations();
        if let Some(run_id) = self.run_id {
            annotations.insert(names::RUN_ID_ANNOTATION.into(), json!(run_id));
        }
        annotations.insert(names::SESSION_UID_ANNOTATION.into(), json!(self.session.uid()));
        annotations
    }

    fn template(&self) -> Option<&sojourn_crds::amalthea::TemplateMetadata> {
        self.spec.template.as_ref()?.metadata.as_ref()
    }

    /// Metadata of a child: it belongs to the session, and goes when the session goes.
    fn metadata(&self, name: &str, annotations: Map<String, Value>) -> Value {
        json!({
            "name": name,
            "namespace": self.session.namespace(),
            "labels": self.labels(),
            "annotations": annotations,
            "ownerReferences": [{
                "apiVersion": sojourn_crds::amalthea::API_VERSION,
                "kind": sojourn_crds::amalthea::KIND,
                "name": self.session.name(),
                "uid": self.session.uid(),
                "controller": true,
                "blockOwnerDeletion": true,
            }],
        })
    }
}

fn object(texts: Option<&StringMap>) -> Map<String, Value> {
    texts.into_iter().flatten().map(|(key, value)| (key.clone(), json!(value))).collect()
}

/// Adds `key: value` unless the value is absent or empty, as `omitempty` does.
fn insert_some(object: &mut Value, key: &str, value: Value) {
    let empty = match &value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    };
    if !empty {
        object[key] = value;
    }
}

/// `path` with a slash at its end.
fn with_slash(path: &str) -> String {
    if path.ends_with('/') { path.to_owned() } else { format!("{path}/") }
}
