//! The container of the server, as it comes out: what the spec says of it, and what is laid over that.
//!
//! Both may say a part of a field, as in a strategic merge: only what neither says is missing. What a profile or the
//! operator's settings can add counts as there.

use serde_json::{Value, json};
use sojourn_crds::notebook::{DEFAULT_MOUNT_PATH, DEFAULT_PORT, Notebook, names};

use crate::rules::pod::container::probe::{HANDLERS, ProbeKind};
use crate::rules::pod::read::{is_set, list, text};

/// The name of the port that the operator gives the server.
pub(crate) const PORT_NAME: &str = "http";

/// What is laid over the container, and its place among the containers of the overlay. It is the first of its name; any
/// other would be a second container.
pub(crate) fn overlay(notebook: &Notebook) -> Option<(usize, &Value)> {
    let pod = &notebook.spec.pod_template.as_ref()?["spec"];
    list(pod, "containers")
        .iter()
        .enumerate()
        .find(|(_, container)| text(container, "name") == names::CONTAINER)
}

/// Where the volume of the files is mounted.
pub(crate) fn mount_path(notebook: &Notebook) -> &str {
    notebook.spec.workspace_volume.as_ref().map_or(DEFAULT_MOUNT_PATH, |volume| &volume.mount_path)
}

/// The container that comes of `overlay`, but for its resources, which have a rule of their own. Its lists begin with the
/// items of the overlay.
pub(crate) fn merged(notebook: &Notebook, overlay: &Value) -> Value {
    let mut container = overlay.clone();
    container["resources"] = Value::Null;
    let variables = container["env"].as_array_mut().into_iter().flatten();
    for variable in variables {
        if let Some(own) = notebook.spec.env.iter().find(|own| own["name"] == variable["name"]) {
            *variable = merge(own, variable);
        }
    }
    for field in [ProbeKind::Readiness, ProbeKind::Startup].map(ProbeKind::field) {
        let probe = &mut container[field];
        if probe.is_object() && !HANDLERS.iter().any(|handler| is_set(probe, handler)) {
            probe["tcpSocket"] = json!({"port": DEFAULT_PORT});
        }
    }
    let mount = json!({"name": names::VOLUME, "mountPath": mount_path(notebook)});
    match &mut container["volumeMounts"] {
        Value::Array(mounts) => mounts.push(mount),
        mounts => *mounts = json!([mount]),
    }
    container
}

/// `over` laid over `under`: maps by key, everything else replaces.
pub(crate) fn merge(under: &Value, over: &Value) -> Value {
    match (under, over) {
        (_, Value::Null) => under.clone(),
        (Value::Object(under), Value::Object(over)) => {
            let mut merged = under.clone();
            for (key, value) in over {
                let value = merge(merged.get(key).unwrap_or(&Value::Null), value);
                merged.insert(key.clone(), value);
            }
            Value::Object(merged)
        }
        _ => over.clone(),
    }
}
