//! What the operator would write for a session, and the pod that would come of it, from the operator's own functions.

use serde_json::{Value, json};
use sojourn::core::{
    amalthea::{Measurements, Observed, PlanContext, plan, validate},
    manifest::Write,
    object::Kind,
    settings::SessionSettings,
};
use sojourn_crds::amalthea::AmaltheaSession;
use std::sync::Arc;

/// A child, as the operator creates it.
pub(crate) struct Child {
    pub(crate) kind: Kind,
    pub(crate) manifest: Value,
}

/// How the operator is set up here.
pub(crate) fn settings() -> SessionSettings {
    SessionSettings { ask_proxies: false, ..SessionSettings::default() }
}

/// The children of a session that the API server has taken, with the pod of its workload. A hibernated session is taken
/// as it will be when it is resumed: what it has then is what its spec is for.
pub(crate) fn children(session: &Value, settings: &SessionSettings) -> Result<Vec<Child>, serde_json::Error> {
    let mut session: AmaltheaSession = serde_json::from_value(session.clone())?;
    if let Some(spec) = &mut session.spec {
        spec.hibernated = false;
    }
    let observed = Observed {
        session: Arc::new(session),
        children: Default::default(),
        pods: Vec::new(),
        gone: None,
        warnings: Vec::new(),
        measurements: Measurements::default(),
        same_route: Vec::new(),
        shared_secrets: Vec::new(),
    };
    let session = &observed.session;
    let context = PlanContext { now: jiff::Timestamp::now(), entropy: [7; 32], settings };
    // No findings: what our rules say is not to be asked here.
    let Some(checked) = validate(session, Vec::new()) else { return Ok(Vec::new()) };
    let writes = plan(&checked, &observed, &context).write;
    let mut children: Vec<Child> = writes
        .into_iter()
        .filter_map(|write| match write {
            Write::Create { kind, manifest, .. } => Some(Child { kind, manifest }),
            Write::Apply { .. } => None,
        })
        .collect();
    let pods: Vec<Child> = children.iter().filter_map(|child| pod(child, session.name())).collect();
    children.extend(pods);
    Ok(children)
}

/// The pod that a workload's controller makes of its template.
fn pod(workload: &Child, name: &str) -> Option<Child> {
    let mut pod = workload.manifest.pointer("/spec/template")?.clone();
    pod["apiVersion"] = json!("v1");
    pod["kind"] = json!("Pod");
    pod["metadata"]["namespace"] = workload.manifest["metadata"]["namespace"].clone();
    let labels = match workload.kind {
        Kind::StatefulSet => {
            pod["metadata"]["name"] = json!(format!("{name}-0"));
            pod["spec"]["hostname"] = json!(format!("{name}-0"));
            json!({
                // The number in the name of a revision has up to ten characters.
                "controller-revision-hash": format!("{name}-6d4cf56db6"),
                "statefulset.kubernetes.io/pod-name": format!("{name}-0"),
                "apps.kubernetes.io/pod-index": "0",
            })
        }
        _ => {
            pod["metadata"]["generateName"] = json!(format!("{name}-"));
            let uid = "6f1d6f0e-58a4-4f3a-9d0e-2f4a9b1c7d10";
            json!({
                "batch.kubernetes.io/controller-uid": uid,
                "batch.kubernetes.io/job-name": name,
                "controller-uid": uid,
                "job-name": name,
            })
        }
    };
    json_patch::merge(&mut pod["metadata"]["labels"], &labels);
    if let Some(spec) = pod["spec"].as_object_mut() {
        // Their names are judged in the template. Whether there are such objects is not the session's fault.
        for field in ["serviceAccountName", "serviceAccount", "priorityClassName"] {
            spec.remove(field);
        }
    }
    Some(Child { kind: Kind::Pod, manifest: pod })
}
