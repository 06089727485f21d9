//! The secret that the operator writes for each session: what its own containers share.
//!
//! Random parts are made once and then kept: a new cookie secret would end every login.

use super::{Build, network, with_slash};
use crate::core::{
    manifest::DesiredObject,
    object::{CachedObject, Kind},
};
use base64::{Engine, engine::general_purpose};
use serde_json::{Map, Value, json};
use sojourn_crds::{
    amalthea::{AuthenticationType, Ingress, Location, names},
    text::is_control,
};

const TUNNEL_SECRET: &str = "WSTUNNEL_SECRET";
const OAUTH2_PROXY_CONFIG: &str = "oauth2-proxy-config.yaml";
const OAUTH2_PROXY_ALPHA_CONFIG: &str = "oauth2-proxy-alpha-config.yaml";

/// The secret of a session. `live` is the one that is there now.
pub(super) fn internal(build: &Build, live: Option<&CachedObject>) -> DesiredObject {
    let name = names::internal_secret(build.session.name());
    let mut manifest = json!({
        "apiVersion": Kind::Secret.api_version(),
        "kind": Kind::Secret.name(),
        "metadata": build.metadata(&name, build.annotations()),
    });
    let data = data(build, live);
    if !data.is_empty() {
        manifest["data"] = Value::Object(data);
    }
    DesiredObject {
        kind: Kind::Secret,
        name,
        manifest,
        deferred_fields: &["/metadata/labels", "/metadata/annotations", "/data"],
        cleared_if_absent: &[],
        immutable_fields: &[],
    }
}

fn data(build: &Build, live: Option<&CachedObject>) -> Map<String, Value> {
    let kept = live.map(CachedObject::body).unwrap_or_default();
    let kept = |key: &str| {
        let encoded = kept["data"][key].as_str()?;
        String::from_utf8(general_purpose::STANDARD.decode(encoded).ok()?).ok()
    };
    let mut data = Map::new();
    let mut put = |key: &str, text: String| {
        data.insert(key.to_owned(), json!(general_purpose::STANDARD.encode(text)));
    };
    if build.spec.location == Location::Remote {
        let secret = kept(TUNNEL_SECRET)
            .unwrap_or_else(|| general_purpose::URL_SAFE_NO_PAD.encode(&build.context.entropy[..16]));
        put(TUNNEL_SECRET, secret);
    }
    let oidc = build.spec.authentication.as_ref().is_some_and(|auth| auth.kind == AuthenticationType::Oidc);
    if let (true, Some(ingress)) = (oidc, &build.spec.ingress) {
        let cookie = kept(OAUTH2_PROXY_CONFIG)
            .and_then(|config| cookie_secret(&config).map(str::to_owned))
            .unwrap_or_else(|| general_purpose::URL_SAFE.encode(build.context.entropy));
        put(OAUTH2_PROXY_CONFIG, proxy_config(build, ingress, &cookie));
        put(OAUTH2_PROXY_ALPHA_CONFIG, proxy_alpha_config(ingress));
    }
    data
}

fn cookie_secret(config: &str) -> Option<&str> {
    let line = config.lines().find_map(|line| line.trim().strip_prefix("cookie_secret"))?;
    let secret = line.trim_start().strip_prefix('=')?.trim().strip_prefix('"')?.strip_suffix('"')?;
    // What is written as it is must be what the operator writes: others may edit the live secret.
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+' | '/' | '=');
    secret.chars().all(is_base64).then_some(secret)
}

/// A string of a session as a string in TOML and in YAML alike: nothing in it ends the string, and nothing is filled in
/// for a dollar sign.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '$' => quoted.push_str("\\u0024"),
            c if is_control(c) => quoted.push_str(&format!("\\U{:08x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn proxy_config(build: &Build, ingress: &Ingress, cookie_secret: &str) -> String {
    let prefix = with_slash(&ingress.path_prefix.0);
    let scheme = network::scheme(ingress, build.context.settings);
    [
        "session_cookie_minimal = true".to_owned(),
        "skip_provider_button = true".to_owned(),
        format!("redirect_url = {}", quoted(&format!("{scheme}://{}{prefix}oauth2/callback", ingress.host))),
        format!("cookie_path = {}", quoted(&prefix)),
        format!("proxy_prefix = {}", quoted(&format!("{prefix}oauth2"))),
        "authenticated_emails_file = \"/authorized_emails\"".to_owned(),
        format!("cookie_secret = \"{cookie_secret}\""),
        String::new(),
    ]
    .join("\n")
}

/// oauth2-proxy fills in the `${…}` from its environment, before it reads this as YAML. Values of the session's secret
/// stand in blocks of their own, where quotes, numbers and a last line break are nothing special. A line break within one
/// can end its block: who writes that secret configures the login anyway, by its variables (`OAUTH2_PROXY_…`) too.
fn proxy_alpha_config(ingress: &Ingress) -> String {
    let path = quoted(&with_slash(&ingress.path_prefix.0));
    let (listens, upstream) = (names::AUTHENTICATED_PORT, names::SECOND_PROXY_PORT);
    format!(
        "providers:
- id: amalthea-oidc
  provider: oidc
  clientID: |-
    ${{OIDC_CLIENT_ID}}
  clientSecret: |-
    ${{OIDC_CLIENT_SECRET}}
  code_challenge_method: ${{OIDC_CODE_CHALLENGE_METHOD}}
  oidcConfig:
    issuerURL: |-
      ${{OIDC_ISSUER_URL}}
    insecureAllowUnverifiedEmail: ${{ALLOW_UNVERIFIED_EMAILS}}
    insecureSkipNonce: false
    emailClaim: email
    audienceClaims: [aud]
server:
  bindAddress: 0.0.0.0:{listens}
upstreamConfig:
  upstreams:
  - id: amalthea-upstream
    path: {path}
    uri: http://127.0.0.1:{upstream}
    insecureSkipTLSVerify: true
    passHostHeader: true
    proxyWebSockets: true
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As oauth2-proxy reads it: the variables first, then YAML.
    fn read(config: &str, variables: &[(&str, &str)]) -> Value {
        let filled = variables.iter().fold(config.to_owned(), |text, (name, value)| {
            assert!(text.contains(&format!("${{{name}}}")), "{name} is not asked for");
            text.replace(&format!("${{{name}}}"), value)
        });
        assert!(!filled.contains("${"), "{filled}");
        serde_saphyr::from_str(&filled).unwrap()
    }

    #[test]
    fn values_of_the_secret_stay_what_they_are() {
        let ingress = json!({"host": "sessions.example.org", "pathPrefix": "/a \"b\": #c"});
        let config = proxy_alpha_config(&serde_json::from_value(ingress).unwrap());
        let id = "12345";
        for secret in ["67890", "it's \"quoted\"", r"back\slash", "colon: # hash", "{}", "line break\n"] {
            let variables = [
                ("OIDC_CLIENT_ID", id),
                ("OIDC_CLIENT_SECRET", secret),
                ("OIDC_ISSUER_URL", "https://login.example.org"),
                ("OIDC_CODE_CHALLENGE_METHOD", ""),
                ("ALLOW_UNVERIFIED_EMAILS", "true"),
            ];
            let read = read(&config, &variables);
            let provider = &read["providers"][0];
            assert_eq!(
                (&provider["clientID"], &provider["clientSecret"]),
                (&json!(id), &json!(secret.trim()))
            );
            assert_eq!(provider["oidcConfig"]["issuerURL"], "https://login.example.org");
            assert_eq!(provider["oidcConfig"]["insecureAllowUnverifiedEmail"], true);
            assert_eq!(provider["code_challenge_method"], Value::Null);
            assert_eq!(read["upstreamConfig"]["upstreams"][0]["path"], "/a \"b\": #c/");
        }
    }

    #[test]
    fn nothing_of_a_session_gets_out_of_its_string() {
        let hostile = "/a\"\\$HOME ${OIDC_CLIENT_SECRET}\n  evil: true\r\u{7f}\u{85}\u{2028}ä/";
        let ingress = json!({"host": "sessions.example.org", "pathPrefix": hostile});
        let config = proxy_alpha_config(&serde_json::from_value(ingress).unwrap());
        let variables = [
            ("OIDC_CLIENT_ID", "id"),
            ("OIDC_CLIENT_SECRET", "secret"),
            ("OIDC_ISSUER_URL", "https://login.example.org"),
            ("OIDC_CODE_CHALLENGE_METHOD", ""),
            ("ALLOW_UNVERIFIED_EMAILS", "true"),
        ];
        let read = read(&config, &variables);
        assert_eq!(read["upstreamConfig"]["upstreams"][0]["path"], hostile);
        assert_eq!(read["upstreamConfig"]["upstreams"].as_array().unwrap().len(), 1);
        // In TOML the same string is one line, too, with the same escapes.
        let text = quoted(hostile);
        let inner = &text[1..text.len() - 1];
        assert!(!inner.chars().any(|c| c.is_control() || c == '$'), "{text}");
        assert!(!inner.replace("\\\\", "").replace("\\\"", "").contains('"'), "{text}");
    }

    #[test]
    fn a_cookie_secret_is_kept_if_it_is_one() {
        assert_eq!(cookie_secret("a = 1\n  cookie_secret = \"QUJD-_w=\"\n"), Some("QUJD-_w="));
        for edited in ["", "cookie_secret = \"a\" # \"", "cookie_secret = \"a\\nb\"", "cookie_secret = a"] {
            assert_eq!(cookie_secret(edited), None, "{edited}");
        }
    }
}
