//! The webhook server: its listener, its certificate, and how the API server reaches it.

use super::{Problems, address::Address, flags::Flags, is_label};
use std::{path::PathBuf, time::Duration};

/// How the API server reaches the webhooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookTarget {
    /// By a URL from outside the cluster, without a slash at its end.
    Url(String),
    /// By a Service, on port 443.
    Service {
        /// Namespace of the Service.
        namespace: String,
        /// Name of the Service.
        name: String,
    },
}

/// Where the certificate of the webhooks comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateMode {
    /// The operator issues it, and publishes its authority.
    SelfManaged {
        /// How long API servers may take to observe a change of a webhook configuration.
        propagation: Duration,
    },
    /// Another program writes it to this directory.
    Files(PathBuf),
}

/// The webhook server and its configurations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookSettings {
    /// The listener.
    pub bind: Address,
    /// What the configurations point at, and what the certificate is for.
    pub target: WebhookTarget,
    /// Where the certificate comes from.
    pub certificates: CertificateMode,
    /// File with the authorities of the API servers; `None`: the webhooks answer everybody.
    pub client_ca: Option<PathBuf>,
    /// Name of the Secret of the authority, in [`Settings::namespace`](super::Settings::namespace).
    pub secret: String,
    /// Name of the two webhook configurations.
    pub configuration: String,
    /// Create the configurations instead of only keeping their bundle.
    pub install: bool,
    /// Names of users that may do to the workloads of sessions what controllers may.
    pub trusted_users: Vec<String>,
}

pub(super) fn read(flags: &Flags, namespace: &str, problems: &mut Problems) -> Option<WebhookSettings> {
    let bind = problems.check("--webhook-bind-address", Address::parse(&flags.webhook_bind_address));
    let target = match (&flags.webhook_url, &flags.webhook_service) {
        (Some(text), _) => problems.check("--webhook-url", url(text)),
        (None, Some(text)) => problems.check("--webhook-service", service(text)),
        (None, None) => Some(WebhookTarget::Service {
            namespace: namespace.to_owned(),
            name: "sojourn-webhook".to_owned(),
        }),
    };
    for (flag, name) in [
        ("--webhook-secret", &flags.webhook_secret),
        ("--approval-secret", &flags.approval_secret),
        ("--webhook-configuration", &flags.webhook_configuration),
    ] {
        if !name.split('.').all(is_label) {
            problems.errors.push(format!("{flag}: {name:?} is not the name of an object"));
        }
    }
    Some(WebhookSettings {
        bind: bind?,
        target: target?,
        certificates: match flags.webhook_certificates.as_str() {
            "files" => CertificateMode::Files(flags.webhook_certificate_dir.clone()),
            _ => CertificateMode::SelfManaged { propagation: flags.webhook_bundle_propagation },
        },
        client_ca: flags.webhook_client_ca.clone(),
        secret: flags.webhook_secret.clone(),
        configuration: flags.webhook_configuration.clone(),
        install: flags.install_webhooks,
        trusted_users: flags.trusted_users.clone(),
    })
}

fn url(url: &str) -> Result<Option<WebhookTarget>, &'static str> {
    match url.strip_prefix("https://").map(|rest| rest.trim_end_matches('/')) {
        Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']) => {
            Ok(Some(WebhookTarget::Url(format!("https://{host}"))))
        }
        _ => Err("https://HOST:PORT was expected, without a path"),
    }
}

fn service(text: &str) -> Result<Option<WebhookTarget>, &'static str> {
    match text.split_once('/') {
        Some((namespace, name)) if is_label(namespace) && is_label(name) => {
            Ok(Some(WebhookTarget::Service { namespace: namespace.to_owned(), name: name.to_owned() }))
        }
        _ => Err("NAMESPACE/NAME was expected"),
    }
}
