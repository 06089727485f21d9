//! The containers of a remote session: a controller that drives the external system, and a tunnel.

use super::{Build, auth, pod::last_of_each_name, storage};
use serde_json::{Value, json};
use sojourn_crds::{
    amalthea::names,
    quantity::{Quantity, nanos},
};
use sojourn_webhooks::rules::amalthea_session::security_contexts;

const CORE: i128 = 1_000_000_000;

/// The controller, under the name of the session's container.
pub(super) fn session_container(build: &Build) -> Value {
    let session = &build.spec.session;
    let mut env: Vec<Value> = session.env.iter().cloned().map(user_variable).collect();
    env.extend([
        json!({"name": "REMOTE_SESSION_IMAGE", "value": session.image}),
        json!({"name": "RSC_SERVER_PORT", "value": names::REMOTE_CONTROLLER_PORT.to_string()}),
        json!({"name": "RSC_SESSION_PORT", "value": session.port.to_string()}),
        json!({"name": "RSC_SESSION_URL_PATH", "value": session.url_path}),
        json!({"name": "RSC_READINESS_PROBE_TYPE", "value": session.readiness_probe.kind}),
        tunnel_secret(build, "RSC_WSTUNNEL_SECRET"),
    ]);
    env.extend(resources(build));
    let probe = |path: &str| json!({"path": path, "port": names::REMOTE_CONTROLLER_PORT});
    let mut container = json!({
        "name": names::SESSION_CONTAINER,
        "image": build.context.settings.sidecars_image,
        "args": ["remote-session-controller", "run"],
        "env": last_of_each_name(env),
        "ports": [{"name": names::HTTP_PORT, "containerPort": names::REMOTE_CONTROLLER_PORT, "protocol": "TCP"}],
        "resources": auth::sidecar_resources("100m", "64Mi"),
        "securityContext": security_contexts::of_sidecar(),
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "livenessProbe": {"httpGet": probe("/live"), "initialDelaySeconds": 10, "periodSeconds": 1},
        "readinessProbe": {
            "httpGet": probe("/ready"), "initialDelaySeconds": 10, "periodSeconds": 5, "successThreshold": 5,
        },
        "volumeMounts": storage::session_mounts(build),
    });
    if let Some(secret) = &session.remote_secret_ref {
        container["envFrom"] = json!([{"secretRef": {"name": secret.name}}]);
    }
    container
}

/// The end of the tunnel that the external system connects to.
pub(super) fn tunnel_container(build: &Build) -> Value {
    let port = names::TUNNEL_PORT_NUMBER;
    json!({
        "name": names::TUNNEL_CONTAINER,
        "image": build.context.settings.sidecars_image,
        "args": ["tunnel", "listen"],
        "env": [
            {"name": "WSTUNNEL_PORT", "value": port.to_string()},
            tunnel_secret(build, "WSTUNNEL_SECRET"),
        ],
        "ports": [{"name": names::TUNNEL_PORT, "containerPort": port, "protocol": "TCP"}],
        "resources": auth::sidecar_resources("100m", "64Mi"),
        "securityContext": security_contexts::of_sidecar(),
        "readinessProbe": {
            "tcpSocket": {"port": port}, "initialDelaySeconds": 5, "periodSeconds": 1, "successThreshold": 3,
        },
    })
}

fn tunnel_secret(build: &Build, variable: &str) -> Value {
    let secret = names::internal_secret(build.session.name());
    json!({"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": "WSTUNNEL_SECRET"}}})
}

/// The user's variables reach the external system under names of their own, so that they cannot steer
/// the controller.
fn user_variable(mut variable: Value) -> Value {
    if let Some(name) =
        variable["name"].as_str().filter(|name| !name.starts_with("RENKU_") && !name.starts_with("RSC_"))
    {
        variable["name"] = json!(format!("USER_ENV_{name}"));
    }
    variable
}

/// What is asked of the external system: whole cores and devices, whole MiB.
fn resources(build: &Build) -> Vec<Value> {
    let resources = build.spec.session.resources.as_ref();
    let amount = |name: &str| -> Option<i128> {
        let resources = resources?;
        let quantity = ["requests", "limits"].iter().find_map(|kind| resources[*kind].get(name))?;
        match serde_json::from_value::<Quantity>(quantity.clone()).ok()? {
            Quantity::Integer(units) => Some(i128::from(units) * CORE),
            Quantity::Text(text) => nanos(&text),
        }
    };
    let text = |amount: Option<i128>| amount.map_or_else(String::new, |amount| amount.to_string());
    let whole = |amount: i128| amount.div_euclid(CORE) + i128::from(amount.rem_euclid(CORE) != 0);
    vec![
        json!({"name": "RSC_SESSION_CPU", "value": text(amount("cpu").map(whole))}),
        json!({"name": "RSC_SESSION_MEMORY", "value": text(amount("memory").map(|bytes| bytes / CORE / (1 << 20)))}),
        json!({"name": "RSC_SESSION_GPUS", "value": text(amount("nvidia.com/gpu").map(whole))}),
    ]
}
