//! The stable address of an interactive session, and the way into it.

use super::{Build, object, with_slash};
use crate::core::{manifest::DesiredObject, object::Kind, settings::SessionSettings};
use serde_json::{Value, json};
use sojourn_crds::amalthea::{AmaltheaSessionSpec, Ingress, Location, names};

/// The Service of a session.
pub(super) fn service(build: &Build) -> DesiredObject {
    let name = build.session.name();
    let authenticated = build.spec.authentication.as_ref().is_some_and(|auth| auth.enabled);
    let target = if authenticated { names::AUTHENTICATED_PORT } else { build.spec.session.port };
    let port = |name: &str, port: i32, target: Value| json!({"name": name, "port": port, "protocol": "TCP", "targetPort": target});
    let mut ports = vec![
        port(names::HTTP_PORT, names::SERVICE_PORT, json!(target)),
        port(names::META_PORT, names::PROXY_META_PORT, json!(names::PROXY_META_PORT)),
    ];
    let mut spec = json!({"selector": build.selector()});
    if build.spec.location == Location::Remote {
        ports.push(port(names::TUNNEL_PORT, names::TUNNEL_PORT_NUMBER, json!(names::TUNNEL_PORT)));
        // The tunnel must be reached before the session is ready: that is how it gets ready.
        spec["publishNotReadyAddresses"] = json!(true);
    }
    spec["ports"] = json!(ports);
    DesiredObject {
        kind: Kind::Service,
        name: name.to_owned(),
        manifest: json!({
            "apiVersion": Kind::Service.api_version(),
            "kind": Kind::Service.name(),
            "metadata": build.metadata(name, build.annotations()),
            "spec": spec,
        }),
        deferred_fields: &["/metadata/labels", "/metadata/annotations", "/spec"],
        cleared_if_absent: &[],
        immutable_fields: &[],
    }
}

/// The Ingress of a session; none while it is hibernated.
pub(super) fn ingress(build: &Build) -> Option<DesiredObject> {
    let wanted = build.spec.ingress.as_ref().filter(|_| !build.spec.hibernated)?;
    let name = build.session.name();
    let prefix = with_slash(&wanted.path_prefix.0);
    let path = |path: String, port: &str| {
        json!({
            "path": path,
            "pathType": "Prefix",
            "backend": {"service": {"name": name, "port": {"name": port}}},
        })
    };
    let mut paths = vec![path(prefix.clone(), names::HTTP_PORT)];
    if build.spec.location == Location::Remote {
        paths.push(path(format!("{prefix}{}", names::TUNNEL_PATH), names::TUNNEL_PORT));
    }
    let mut spec = json!({"rules": [{"host": wanted.host, "http": {"paths": paths}}]});
    if let Some(class) = &wanted.ingress_class_name {
        spec["ingressClassName"] = json!(class);
    }
    if let Some(secret) = tls_secret(wanted) {
        spec["tls"] = json!([{"hosts": [wanted.host], "secretName": secret}]);
    } else if wanted.use_default_cluster_tls_cert {
        spec["tls"] = json!([{}]);
    }
    let mut annotations = build.annotations();
    annotations.extend(object(wanted.annotations.as_ref()));
    Some(DesiredObject {
        kind: Kind::Ingress,
        name: name.to_owned(),
        manifest: json!({
            "apiVersion": Kind::Ingress.api_version(),
            "kind": Kind::Ingress.name(),
            "metadata": build.metadata(name, annotations),
            "spec": spec,
        }),
        deferred_fields: &["/metadata/labels", "/metadata/annotations", "/spec"],
        cleared_if_absent: &["/spec/tls"],
        immutable_fields: &[],
    })
}

fn tls_secret(ingress: &Ingress) -> Option<&str> {
    ingress.tls_secret.as_ref().map(|secret| secret.name.as_str()).filter(|name| !name.is_empty())
}

/// `https` when the Ingress, the spec or the installation says so.
pub(super) fn scheme(ingress: &Ingress, settings: &SessionSettings) -> &'static str {
    let secure = tls_secret(ingress).is_some()
        || ingress.use_default_cluster_tls_cert
        || ingress.assume_https
        || settings.https_ingress;
    if secure { "https" } else { "http" }
}

/// Where the session is reached; the text `None` when it is not reached from outside.
pub fn url(spec: &AmaltheaSessionSpec, settings: &SessionSettings) -> String {
    match spec.ingress.as_ref().filter(|ingress| !ingress.host.is_empty()) {
        None => "None".into(),
        Some(ingress) => {
            format!("{}://{}{}", scheme(ingress, settings), ingress.host, with_slash(&spec.session.url_path))
        }
    }
}
