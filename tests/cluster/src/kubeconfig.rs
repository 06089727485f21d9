//! Kubeconfig files: self-contained, readable by their owner only.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::pki::Identity;
use crate::{Error, paths};

/// How the holder of a kubeconfig shows who it is.
pub(crate) enum Credential<'a> {
    Certificate(&'a Identity),
    Token(&'a str),
}

/// Writes a kubeconfig for the API server at `server`, whose certificate `ca_pem` signed.
pub(crate) fn write(
    path: &Path,
    server: &str,
    ca_pem: &str,
    user: &str,
    credential: &Credential<'_>,
) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(&document(server, ca_pem, user, credential))
        .map_err(|source| Error::Encode { what: "a kubeconfig", source })?;
    paths::write_private(path, &text)
}

/// The document. JSON is YAML, so every reader of kubeconfigs takes it.
fn document(server: &str, ca_pem: &str, user: &str, credential: &Credential<'_>) -> Value {
    let credential = match credential {
        Credential::Certificate(identity) => json!({
            "client-certificate-data": STANDARD.encode(&identity.certificate),
            "client-key-data": STANDARD.encode(&identity.key),
        }),
        Credential::Token(token) => json!({ "token": token }),
    };
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "sojourn",
        "clusters": [{
            "name": "sojourn",
            "cluster": { "server": server, "certificate-authority-data": STANDARD.encode(ca_pem) },
        }],
        "users": [{ "name": user, "user": credential }],
        "contexts": [{ "name": "sojourn", "context": { "cluster": "sojourn", "user": user } }],
    })
}
