//! The client certificate that the API server shows to webhooks, by an authority that signs nothing else.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::kubeconfig::{self, Credential};
use crate::pki::{self, Authority, Subject};
use crate::{Error, paths};

const AUTHORITY: &str = "webhook-client-ca.crt";
const CERTIFICATE: &str = "webhook-client.crt";
const KEY: &str = "webhook-client.key";

/// As whom the API server calls webhooks.
#[derive(Debug, Clone)]
pub struct WebhookClient {
    /// The file of the authority, in PEM.
    pub authority: PathBuf,
    /// The certificate, in PEM.
    pub certificate: String,
    /// Its key, in PEM.
    pub key: String,
}

impl WebhookClient {
    /// The client of the cluster in `dir`.
    pub(crate) fn read(dir: &Path) -> Result<Self, Error> {
        let text = |name| {
            let path = pki::dir(dir).join(name);
            std::fs::read_to_string(&path).map_err(Error::file("read", &path))
        };
        Ok(Self {
            authority: pki::dir(dir).join(AUTHORITY),
            certificate: text(CERTIFICATE)?,
            key: text(KEY)?,
        })
    }
}

/// Where the admission configuration of the cluster in `dir` is.
pub(crate) fn admission_config_path(dir: &Path) -> PathBuf {
    dir.join("admission.json")
}

/// Writes the certificate, and the configuration by which the API server shows it.
pub(crate) fn write(dir: &Path) -> Result<(), Error> {
    let authority = Authority::new()?;
    let identity = authority.client(&Subject { name: "webhook-client", group: None })?;
    for (name, text) in
        [(AUTHORITY, authority.pem()), (CERTIFICATE, &identity.certificate), (KEY, &identity.key)]
    {
        paths::write_private(&pki::dir(dir).join(name), text)?;
    }
    // Users are named by the host that is called; this is every host. The cluster is not used.
    let kubeconfig = dir.join("webhook-client.kubeconfig");
    kubeconfig::write(
        &kubeconfig,
        "https://unused",
        authority.pem(),
        "*",
        &Credential::Certificate(&identity),
    )?;
    let plugin = |name| {
        json!({
            "name": name,
            "configuration": {
                "apiVersion": "apiserver.config.k8s.io/v1",
                "kind": "WebhookAdmissionConfiguration",
                "kubeConfigFile": kubeconfig,
            },
        })
    };
    let config = json!({
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AdmissionConfiguration",
        "plugins": [plugin("ValidatingAdmissionWebhook"), plugin("MutatingAdmissionWebhook")],
    });
    paths::write_private(&admission_config_path(dir), &config.to_string())
}
