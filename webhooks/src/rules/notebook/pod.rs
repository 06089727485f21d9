//! What is laid over the pod template is something that Kubernetes accepts of a pod, as far as it concerns the pod as a
//! whole.
//!
//! agentserver has no such field. The operator's own pod has nothing that a part of these fields could complete: what
//! is laid over it comes out as it was written.

use serde_json::Value;
use sojourn_crds::notebook::Notebook;

use super::spec;
use crate::finding::{Code, FieldPath};
use crate::rules::pod::annotations::PodFacts;
use crate::rules::pod::container::at::At;
use crate::rules::pod::read::{self, list, text};
use crate::rules::pod::{
    Report, affinity, annotations, dns, host_aliases, list_keys, node_selector, pod_fields,
    pod_security_context, references, tolerations, topology, volumes,
};

/// Says what is wrong with it.
pub(crate) fn check(notebook: &Notebook, report: &mut Report<'_>) {
    let at = At::root("spec");
    list_keys::check(report, &at.child("imagePullSecrets"), &notebook.spec.image_pull_secrets, "name");
    if let Some(overlay) = &notebook.spec.pod_template {
        let path = spec("podTemplate");
        check_annotations(report, &path, overlay);
        check_pod(report, &path.child("spec"), &overlay["spec"]);
    }
}

fn check_annotations(report: &mut Report<'_>, path: &FieldPath, overlay: &Value) {
    let path = path.child("metadata").child("annotations");
    let entries = || read::entries(&overlay["metadata"], "annotations");
    let bytes = entries().map(|(key, value)| key.len() + value.len()).sum();
    annotations::check_size(report, Code::TemplateInvalid, &path, bytes);
    // Containers of the operator that a later version adds are not known here.
    let pod = PodFacts { has_node: !text(&overlay["spec"], "nodeName").is_empty(), has_container: &|_| true };
    annotations::check_pod(report, &path, entries(), &pod);
}

fn check_pod(report: &mut Report<'_>, path: &FieldPath, pod: &Value) {
    let at = At::root(path.as_str());
    for (field, key) in [("imagePullSecrets", "name"), ("hostAliases", "ip")] {
        list_keys::check(report, &at.child(field), list(pod, field), key);
    }
    volumes::check(report, &path.child("volumes"), list(pod, "volumes"));
    tolerations::check(report, &path.child("tolerations"), list(pod, "tolerations"));
    node_selector::check(report, &path.child("nodeSelector"), read::entries(pod, "nodeSelector"));
    affinity::check(report, &path.child("affinity"), &pod["affinity"]);
    let constraints = "topologySpreadConstraints";
    topology::check(report, &path.child(constraints), list(pod, constraints));
    dns::check(report, path, pod);
    host_aliases::check(report, &path.child("hostAliases"), list(pod, "hostAliases"));
    pod_security_context::check(report, path, pod);
    pod_security_context::check_system(report, path, pod);
    pod_fields::check(report, path, pod);
    references::priority_class(report, path.child("priorityClassName"), text(pod, "priorityClassName"));
    // The older name of the field counts where the newer one is not there.
    let fields = ["serviceAccountName", "serviceAccount"];
    let field = fields.into_iter().find(|field| !text(pod, field).is_empty()).unwrap_or(fields[0]);
    references::service_account(report, path.child(field), text(pod, field));
}
