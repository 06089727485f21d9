//! Makes the parts of a good spec fit each other, so that most are valid until a fault is put in. What a spec is there
//! for stays, even if it can never be valid.

use crate::values::ends_in;
use serde_json::{Value, json};

/// Makes the parts fit. `targets` are the leaves that the session is to set.
pub(super) fn repair(object: &mut Value, targets: &[&str]) {
    let spec = &mut object["spec"];
    visit(spec, "spec", &mut |path, value| around(path, value, targets));
    if let Some(containers) = spec["initContainers"].as_array_mut() {
        containers.iter_mut().for_each(sidecar);
    }
    volumes(spec);
    let remote = spec["location"] == "remote";
    let oidc = spec["authentication"]["type"] == "oidc";
    // Without an Ingress they are refused for a reason of their own.
    if (remote || oidc) && spec["ingress"].is_null() {
        spec["ingress"] = json!({"host": "demo.example.org"});
    }
    // A missing field that was only read is there as null now.
    visit(object, "", &mut |_, value| {
        if let Some(fields) = value.as_object_mut() {
            fields.retain(|_, field| !field.is_null());
        }
    });
}

/// Calls `act` for every value, the outer ones first.
fn visit(value: &mut Value, path: &str, act: &mut impl FnMut(&str, &mut Value)) {
    act(path, value);
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                visit(field, &format!("{path}.{name}"), act);
            }
        }
        Value::Array(items) => {
            for item in items {
                visit(item, &format!("{path}[]"), act);
            }
        }
        _ => {}
    }
}

/// Makes the fields of one object fit.
fn around(path: &str, value: &mut Value, targets: &[&str]) {
    let Some(fields) = value.as_object_mut() else { return };
    let wanted = |field: &str| targets.contains(&format!("{path}.{field}").as_str());
    let has = |fields: &serde_json::Map<String, Value>, field: &str| fields.contains_key(field);
    if ends_in(path, "matchExpressions[]") {
        match fields["operator"].as_str() {
            Some("Exists" | "DoesNotExist") if wanted("values[]") => fields["operator"] = json!("In"),
            Some("Exists" | "DoesNotExist") => drop(fields.remove("values")),
            Some("Gt" | "Lt") => fields["values"] = json!(["7"]),
            _ => {}
        }
    } else if ends_in(path, "tolerations[]") {
        if fields.get("key").is_none() && !wanted("value") {
            fields.insert("operator".into(), json!("Exists"));
        }
        if fields["operator"] == "Exists" && wanted("value") {
            fields.insert("operator".into(), json!("Equal"));
            fields.entry("key").or_insert(json!("app"));
        } else if fields["operator"] == "Exists" {
            fields.remove("value");
        }
        if has(fields, "value") {
            fields.entry("key").or_insert(json!("app"));
        }
        if has(fields, "tolerationSeconds") {
            fields.insert("effect".into(), json!("NoExecute"));
        }
    } else if ends_in(path, "seccompProfile") || ends_in(path, "appArmorProfile") {
        if has(fields, "localhostProfile") {
            fields.insert("type".into(), json!("Localhost"));
        } else if fields["type"] == "Localhost" {
            fields.insert("localhostProfile".into(), json!("profile"));
        }
    } else if ends_in(path, "securityContext") {
        if fields.get("privileged") == Some(&json!(true)) {
            fields.remove("allowPrivilegeEscalation");
        }
    } else if ends_in(path, "volumeMounts[]") || ends_in(path, "extraVolumeMounts[]") {
        if fields.get("recursiveReadOnly").is_some_and(|value| value != "Disabled") {
            fields.insert("readOnly".into(), json!(true));
            fields.remove("mountPropagation");
        }
    } else if ends_in(path, "resources") {
        resources(fields);
    } else if ends_in(path, "azureDisk") {
        if fields.get("kind") == Some(&json!("Managed")) {
            fields.insert("diskURI".into(), json!("/subscriptions/a/disks/b"));
        }
    } else if ends_in(path, "iscsi") {
        if ["chapAuthDiscovery", "chapAuthSession"]
            .iter()
            .any(|field| fields.get(*field) == Some(&json!(true)))
        {
            fields.entry("secretRef").or_insert(json!({"name": "chap"}));
        }
    } else if ends_in(path, "clusterTrustBundle") {
        if has(fields, "labelSelector") {
            fields.remove("name");
            fields.entry("signerName").or_insert(json!("example.org/signer"));
        }
    } else if ends_in(path, "dataSource") || ends_in(path, "dataSourceRef") {
        let group = fields["kind"] == "VolumeSnapshot";
        if group || wanted("apiGroup") {
            fields.insert("kind".into(), json!("VolumeSnapshot"));
            fields.insert("apiGroup".into(), json!("snapshot.storage.k8s.io"));
        }
    } else if has(fields, "matchLabelKeys") || has(fields, "mismatchLabelKeys") {
        fields.entry("labelSelector").or_insert(json!({"matchLabels": {"app": "x"}}));
    } else if ends_in(path, "fc") && has(fields, "targetWWNs") {
        fields.entry("lun").or_insert(json!(0));
    }
}

/// A request is at most its limit, and equal to it for what cannot be overcommitted.
fn resources(fields: &mut serde_json::Map<String, Value>) {
    let limits = fields.get("limits").cloned().unwrap_or_default();
    if let Some(requests) = fields.get_mut("requests").and_then(Value::as_object_mut) {
        for (name, limit) in limits.as_object().into_iter().flatten() {
            if requests.contains_key(name) {
                requests[name] = limit.clone();
            }
        }
    }
}

/// An init container with probes or hooks has to be one that goes on.
fn sidecar(container: &mut Value) {
    let goes_on = ["livenessProbe", "readinessProbe", "startupProbe", "lifecycle"];
    if goes_on.iter().any(|field| container.get(field).is_some()) && container.get("restartPolicy").is_none()
    {
        container["restartPolicy"] = json!("Always");
    }
}

/// Adds the volumes that mounts and devices name.
fn volumes(spec: &mut Value) {
    let mut named = Vec::new();
    visit(spec, "spec", &mut |path, value| {
        let device = path.ends_with("volumeDevices[]");
        if (device || path.ends_with("olumeMounts[]")) && value["name"].is_string() {
            named.push((value["name"].clone(), device));
        }
    });
    for (name, device) in named {
        let source = if device {
            json!({"name": name, "persistentVolumeClaim": {"claimName": "block"}})
        } else {
            json!({"name": name, "emptyDir": {}})
        };
        match spec["extraVolumes"].as_array_mut() {
            Some(volumes) if volumes.iter().any(|volume| volume["name"] == name) => {}
            Some(volumes) => volumes.push(source),
            None => spec["extraVolumes"] = json!([source]),
        }
    }
}
