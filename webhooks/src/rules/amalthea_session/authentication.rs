//! A proxy in front of a session has all that it needs, so that it neither fails nor stands open.
//!
//! The original accepts `token` and `oauth2proxy` without a key and then fails at every pass, which nobody sees in the
//! status; it crashes on `oidc` without an Ingress; and a proxy that finds no token in its configuration serves
//! everybody. Batch sessions and disabled authentication have no proxy, and nothing is asked of them.

use sojourn_crds::amalthea::AuthenticationType;

use super::{Subject, spec};
use crate::finding::{Code, Finding, seen};

/// Says what the proxy lacks.
pub(crate) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let Some(auth) = subject.spec.authentication.as_ref().filter(|_| subject.has_proxy()) else { return };
    let path = spec("authentication").child("secretRef").child("key");
    match (auth.kind, auth.secret_ref.key.as_deref().unwrap_or_default()) {
        (AuthenticationType::Oidc, _) if subject.spec.ingress.is_none() => findings.push(Finding::new(
            Code::OidcWithoutIngress,
            spec("ingress"),
            "oidc needs an ingress: users are sent back to the session's address",
            "add spec.ingress, or use another type of authentication",
        )),
        (AuthenticationType::Oidc, _) => {}
        (kind, "") => findings.push(Finding::new(
            Code::AuthenticationKeyMissing,
            path,
            format!("{} needs the key of the secret that holds its configuration", text(kind)),
            "set it, for example to auth.yaml",
        )),
        (_, key) if !is_secret_key(key) => findings.push(Finding::new(
            Code::AuthenticationKeyInvalid,
            path,
            format!("{} cannot be a key of a Secret", seen(key)),
            "use letters, digits, '-', '_' and '.'",
        )),
        _ => {}
    }
}

fn text(kind: AuthenticationType) -> &'static str {
    match kind {
        AuthenticationType::Token => "token",
        AuthenticationType::Oauth2proxy => "oauth2proxy",
        AuthenticationType::Oidc => "oidc",
    }
}

/// What Kubernetes takes as a key of a Secret.
fn is_secret_key(key: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    key.len() <= 253 && key.bytes().all(allowed) && key != "." && !key.starts_with("..")
}
