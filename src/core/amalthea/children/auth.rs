//! The containers that authenticate the users of an interactive session.

use super::{Build, with_slash};
use serde_json::{Value, json};
use sojourn_crds::amalthea::{Authentication, AuthenticationType, names};
use sojourn_webhooks::rules::amalthea_session::security_contexts;

/// What authentication adds to a pod.
#[derive(Default)]
pub(super) struct Proxy {
    pub(super) containers: Vec<Value>,
    pub(super) volumes: Vec<Value>,
}

const CONFIG_VOLUME: &str = "amalthea-proxy-configuration-secret";
// The double dashes are in pods that run today.
const FIXED_CONFIG_VOLUME: &str = "amalthea--fixed-proxy-configuration-secret";
const EMAILS_VOLUME: &str = "amalthea--authorized-emails-secret";

/// The proxy of a session; nothing when authentication is off.
pub(super) fn proxy(build: &Build) -> Proxy {
    let Some(auth) = build.spec.authentication.as_ref().filter(|auth| auth.enabled) else {
        return Proxy::default();
    };
    let secret = auth.secret_ref.name.as_str();
    let key = auth.secret_ref.key.as_deref().unwrap_or_default();
    match auth.kind {
        AuthenticationType::Token => {
            let mounts = mounts(auth, vec![json!({"name": CONFIG_VOLUME, "mountPath": "/etc/authproxy"})]);
            let args = json!(["proxy", "serve", "--config", format!("/etc/authproxy/{key}")]);
            let mut container = authproxy(build, names::AUTHENTICATED_PORT, args);
            container["volumeMounts"] = json!(mounts);
            Proxy { containers: vec![container], volumes: vec![volume(CONFIG_VOLUME, secret)] }
        }
        AuthenticationType::Oauth2proxy => {
            let mut container = oauth2_proxy(
                build,
                json!([
                    format!("--upstream=http://127.0.0.1:{}", names::SECOND_PROXY_PORT),
                    format!("--http-address=:{}", names::AUTHENTICATED_PORT),
                    "--silence-ping-logging",
                    format!("--config=/etc/oauth2-proxy/{key}"),
                    same_site(build),
                ]),
            );
            container["volumeMounts"] =
                json!(mounts(auth, vec![json!({"name": CONFIG_VOLUME, "mountPath": "/etc/oauth2-proxy"})]));
            Proxy {
                containers: vec![container, second_proxy(build)],
                volumes: vec![volume(CONFIG_VOLUME, secret)],
            }
        }
        AuthenticationType::Oidc => {
            let mut container = oauth2_proxy(
                build,
                json!([
                    "--silence-ping-logging",
                    "--alpha-config=/etc/oauth2-proxy/oauth2-proxy-alpha-config.yaml",
                    "--config=/etc/oauth2-proxy/oauth2-proxy-config.yaml",
                    same_site(build),
                ]),
            );
            container["envFrom"] = json!([{"secretRef": {"name": secret}}]);
            container["volumeMounts"] = json!(mounts(
                auth,
                vec![
                    json!({"name": FIXED_CONFIG_VOLUME, "mountPath": "/etc/oauth2-proxy"}),
                    json!({"name": EMAILS_VOLUME, "mountPath": "/authorized_emails", "subPath": "AUTHORIZED_EMAILS"}),
                ],
            ));
            let own = names::internal_secret(build.session.name());
            Proxy {
                containers: vec![container, second_proxy(build)],
                volumes: vec![volume(FIXED_CONFIG_VOLUME, &own), volume(EMAILS_VOLUME, secret)],
            }
        }
    }
}

fn volume(name: &str, secret: &str) -> Value {
    json!({"name": name, "secret": {"secretName": secret, "optional": false}})
}

fn mounts(auth: &Authentication, mut mounts: Vec<Value>) -> Vec<Value> {
    mounts.extend(auth.extra_volume_mounts.iter().cloned());
    mounts
}

fn same_site(build: &Build) -> String {
    let value = if build.context.settings.none_same_site_cookie { "none" } else { "strict" };
    format!("--cookie-samesite={value}")
}

fn second_proxy(build: &Build) -> Value {
    authproxy(build, names::SECOND_PROXY_PORT, json!(["proxy", "serve", "--verbose"]))
}

fn authproxy(build: &Build, listen: i32, args: Value) -> Value {
    let session = &build.spec.session;
    let mut env = vec![
        json!({"name": "AUTHPROXY_PORT", "value": listen.to_string()}),
        json!({"name": "AUTHPROXY_META_PORT", "value": names::PROXY_META_PORT.to_string()}),
        json!({"name": "AUTHPROXY_REMOTE", "value": format!("http://127.0.0.1:{}", session.port)}),
    ];
    if session.strip_url_path {
        env.push(json!({"name": "AUTHPROXY_STRIP_PATH_PREFIX", "value": with_slash(&session.url_path)}));
    }
    let probe = json!({"httpGet": {"path": "/__amalthea__/health", "port": listen}});
    json!({
        "name": names::AUTHPROXY_CONTAINER,
        "image": build.context.settings.sidecars_image,
        "args": args,
        "env": env,
        "resources": sidecar_resources("20m", "16Mi"),
        "readinessProbe": probe,
        "livenessProbe": probe,
        "securityContext": security_contexts::of_proxy(),
    })
}

fn oauth2_proxy(build: &Build, args: Value) -> Value {
    let probe = json!({"httpGet": {"path": "/ping", "port": names::AUTHENTICATED_PORT}});
    json!({
        "name": names::OAUTH2_PROXY_CONTAINER,
        "image": build.context.settings.oauth2_proxy_image,
        "args": args,
        "resources": sidecar_resources("20m", "16Mi"),
        "readinessProbe": probe,
        "livenessProbe": probe,
        "securityContext": security_contexts::of_sidecar(),
    })
}

/// CPU has no limit on purpose: a throttled proxy is a slow session.
pub(super) fn sidecar_resources(cpu: &str, memory: &str) -> Value {
    json!({"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory}})
}
