//! How the API server changes what is written to it: ownership of fields, defaults, spelling, and what it
//! refuses.

use crate::core::object::Kind;
use serde_json::{Value, json};

/// The key that tells entries of a list apart, if they can be told apart.
fn entry_key(entry: &Value) -> Option<String> {
    ["mountPath", "port", "containerPort", "name"]
        .iter()
        .find_map(|key| entry.get(*key).map(|value| format!("{key}={value}")))
}

/// What server-side apply makes of `live` when the manager that last applied `before` applies `wish`.
pub(super) fn apply(live: &mut Value, before: &Value, wish: &Value) {
    match (live, before, wish) {
        (live @ Value::Object(_), before, Value::Object(wish)) => {
            let owned = before.as_object().into_iter().flatten();
            let given_up: Vec<&String> =
                owned.map(|(key, _)| key).filter(|key| !wish.contains_key(*key)).collect();
            for key in given_up {
                give_up(live, key, &before[key]);
            }
            for (key, wish) in wish.iter().filter(|(key, value)| *key != "status" && !value.is_null()) {
                apply(&mut live[key], &before[key], wish);
            }
        }
        (Value::Array(live), before, Value::Array(wish)) => {
            let old = std::mem::take(live);
            let owned = before.as_array().cloned().unwrap_or_default();
            if wish.iter().all(Value::is_string) {
                // A set: finalizers.
                live.extend(old.into_iter().filter(|entry| !owned.contains(entry) || wish.contains(entry)));
                live.extend(wish.iter().filter(|entry| !live.contains(entry)).cloned().collect::<Vec<_>>());
                return;
            }
            let find = |list: &[Value], entry: &Value| {
                list.iter()
                    .find(|other| entry_key(other).is_some() && entry_key(other) == entry_key(entry))
                    .cloned()
            };
            for entry in wish {
                let mut merged = find(&old, entry).unwrap_or_default();
                apply(&mut merged, &find(&owned, entry).unwrap_or_default(), entry);
                live.push(merged);
            }
            let others =
                old.into_iter().filter(|entry| entry_key(entry).is_some() && find(&owned, entry).is_none());
            let others: Vec<Value> = others.filter(|entry| find(wish, entry).is_none()).collect();
            live.extend(others);
        }
        (live, _, wish) => *live = wish.clone(),
    }
}

/// What was owned goes; what others own of it stays.
fn give_up(live: &mut Value, key: &str, before: &Value) {
    let Value::Object(fields) = live else { return };
    match (fields.get_mut(key), before) {
        (Some(value @ Value::Object(_)), Value::Object(before)) => {
            for (key, before) in before {
                give_up(value, key, before);
            }
            if value.as_object().is_some_and(serde_json::Map::is_empty) {
                fields.remove(key);
            }
        }
        _ => {
            fields.remove(key);
        }
    }
}

fn default(object: &mut Value, key: &str, value: Value) {
    let zero = [Value::Null, json!(""), json!(0)].contains(&object[key]);
    if zero {
        object[key] = value;
    }
}

/// Fills in what the API server fills in, and spells as it spells. Doing so again changes nothing.
pub(super) fn complete(kind: Kind, object: &mut Value) {
    match kind {
        Kind::PersistentVolumeClaim => {
            default(&mut object["spec"], "volumeMode", json!("Filesystem"));
            default(&mut object["metadata"], "finalizers", json!(["kubernetes.io/pvc-protection"]));
            default(&mut object["spec"], "storageClassName", json!("standard"));
        }
        Kind::Secret => default(object, "type", json!("Opaque")),
        Kind::Service => {
            default(&mut object["spec"], "type", json!("ClusterIP"));
            default(&mut object["spec"], "clusterIP", json!("10.0.0.7"));
            default(&mut object["spec"], "sessionAffinity", json!("None"));
        }
        Kind::Ingress | Kind::Deployment | Kind::ReplicaSet => {}
        Kind::StatefulSet => {
            default(&mut object["spec"], "revisionHistoryLimit", json!(10));
            default(&mut object["spec"], "updateStrategy", json!({"type": "RollingUpdate"}));
            template(&mut object["spec"]["template"]);
        }
        Kind::Job => {
            let uid = object["metadata"]["uid"].clone();
            default(&mut object["spec"], "completionMode", json!("NonIndexed"));
            default(&mut object["spec"], "suspend", json!(false));
            default(&mut object["spec"], "selector", json!({"matchLabels": {"controller-uid": uid}}));
            let name = object["metadata"]["name"].clone();
            let labels = &mut object["spec"]["template"]["metadata"]["labels"];
            labels["controller-uid"] = uid;
            labels["job-name"] = name;
            template(&mut object["spec"]["template"]);
        }
        Kind::Pod => {}
    }
    spell(object, "");
}

fn template(template: &mut Value) {
    let spec = &mut template["spec"];
    default(spec, "restartPolicy", json!("Always"));
    default(spec, "dnsPolicy", json!("ClusterFirst"));
    default(spec, "schedulerName", json!("default-scheduler"));
    default(spec, "terminationGracePeriodSeconds", json!(30));
    if let Some(account) = spec.get("serviceAccountName").cloned() {
        spec["serviceAccount"] = account;
    }
    for key in ["containers", "initContainers"] {
        for container in spec.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten() {
            default(container, "terminationMessagePath", json!("/dev/termination-log"));
            default(container, "terminationMessagePolicy", json!("File"));
            default(container, "imagePullPolicy", json!("IfNotPresent"));
            for probe in ["readinessProbe", "livenessProbe", "startupProbe"] {
                let Some(probe) = container.get_mut(probe) else { continue };
                default(probe, "timeoutSeconds", json!(1));
                default(probe, "periodSeconds", json!(10));
                default(probe, "successThreshold", json!(1));
                default(probe, "failureThreshold", json!(3));
                if let Some(http) = probe.get_mut("httpGet") {
                    default(http, "scheme", json!("HTTP"));
                }
            }
        }
    }
    for volume in spec.get_mut("volumes").and_then(Value::as_array_mut).into_iter().flatten() {
        for source in ["secret", "configMap"] {
            if let Some(source) = volume.get_mut(source) {
                default(source, "defaultMode", json!(420));
            }
        }
    }
}

/// Drops what is not sent when it is empty, and writes quantities in their shortest form.
fn spell(value: &mut Value, key: &str) {
    match value {
        Value::Object(fields) => {
            let quantities = ["requests", "limits"].contains(&key);
            for (key, value) in fields.iter_mut() {
                spell(value, key);
                if quantities || key == "sizeLimit" {
                    *value = shortest(value);
                }
            }
            let keeps = |key: &str| ["emptyDir", "affinity", "securityContext", "podAffinity"].contains(&key);
            fields.retain(|key, value| match value {
                Value::Null => false,
                Value::Array(list) => !list.is_empty(),
                Value::Object(object) => !object.is_empty() || keeps(key),
                Value::String(text) => !text.is_empty() || key == "type",
                Value::Bool(truth) => {
                    *truth || !["readOnly", "publishNotReadyAddresses", "hostNetwork"].contains(&key.as_str())
                }
                Value::Number(number) => number.as_i64() != Some(0) || key != "initialDelaySeconds",
            });
        }
        Value::Array(list) => list.iter_mut().for_each(|entry| spell(entry, "")),
        _ => {}
    }
}

fn shortest(value: &Value) -> Value {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    for (long, factor, short) in [("m", 1000, ""), ("Mi", 1024, "Gi"), ("Ki", 1024, "Mi")] {
        let number = text.strip_suffix(long).and_then(|number| number.parse::<u64>().ok());
        if let Some(number) = number.filter(|number| number % factor == 0) {
            return shortest(&json!(format!("{}{short}", number / factor)));
        }
    }
    json!(text)
}

/// Why the API server refuses a change, if it does.
pub(super) fn refusal(kind: Kind, old: &Value, new: &Value) -> Option<String> {
    let differs = |pointer: &str| old.pointer(pointer) != new.pointer(pointer);
    let size = |object: &Value| {
        let size = object.pointer("/spec/resources/requests/storage").and_then(Value::as_str);
        size.and_then(sojourn_crds::quantity::nanos)
    };
    let given = old.pointer("/status/capacity/storage").and_then(Value::as_str);
    let given = given.and_then(sojourn_crds::quantity::nanos);
    if kind == Kind::PersistentVolumeClaim
        && size(new) < size(old)
        && given.is_none_or(|given| size(new) <= Some(given))
    {
        return Some("spec.resources.requests.storage: field can not be less than status.capacity".into());
    }
    let immutable_fields: &[&str] = match kind {
        Kind::Job => &["/spec/template", "/spec/completions", "/spec/backoffLimit", "/spec/selector"],
        Kind::StatefulSet => &["/spec/selector", "/spec/podManagementPolicy", "/spec/serviceName"],
        Kind::PersistentVolumeClaim => &["/spec/accessModes", "/spec/storageClassName", "/spec/volumeName"],
        Kind::Service => &["/spec/clusterIP"],
        _ => &[],
    };
    immutable_fields
        .iter()
        .find(|pointer| differs(pointer))
        .map(|pointer| format!("{pointer}: field is immutable"))
}
