//! Who keeps the certificate of the webhook server, as the settings say.

use crate::{
    control::certificates::{
        CertificateServer, Clock, DebugView,
        client_authorities::ClientAuthoritiesFile,
        deregistration::Deregistration,
        files::Files,
        self_managed::{SelfManaged, SelfManagedConfig},
    },
    http_server::tls::PortTls,
    serve::ready::{Handle, Readiness},
    settings::{CertificateMode, Settings, WebhookSettings, WebhookTarget},
    telemetry::certificates::CertificateMetrics,
};
use kube::Client;
use sojourn_certs::{
    names::Names,
    server::{CertResolver, ServerConfigError},
};
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};
use tokio::task::JoinSet;

/// Those who are told of the certificate.
pub(super) struct Watchers {
    pub(super) metrics: CertificateMetrics,
    pub(super) shown: DebugView,
    pub(super) readiness: Readiness,
    /// The check of the certificate.
    pub(super) check: Handle,
    /// The clock by which certificates are judged.
    pub(super) clock: Clock,
}

/// The TLS of the webhook server. The authorities of its clients are kept in step with their file.
pub(super) fn port_tls(
    webhook: &WebhookSettings,
    watchers: &Watchers,
    background: &mut JoinSet<()>,
) -> Result<Arc<PortTls>, ServerConfigError> {
    let resolver = Arc::new(CertResolver::default());
    let Some(path) = &webhook.client_ca else { return Ok(Arc::new(PortTls::new(resolver)?)) };
    let tls = Arc::new(PortTls::authenticating(resolver)?);
    let readiness = watchers.readiness.handle("webhook clients");
    let file = ClientAuthoritiesFile::new(path.clone(), tls.clone(), watchers.metrics.clone(), readiness);
    background.spawn(file.run());
    Ok(tls)
}

/// Keeps the certificate that `resolver` hands out at `address`. What is returned is to be said when nobody
/// serves with it and nobody keeps it any more.
pub(super) fn start(
    client: &Client,
    (settings, webhook): (&Settings, &WebhookSettings),
    (address, resolver): (SocketAddr, Arc<CertResolver>),
    watchers: Watchers,
    background: &mut JoinSet<()>,
) -> Option<Deregistration> {
    let Watchers { metrics, shown, check: readiness, clock, .. } = watchers;
    let server = CertificateServer {
        resolver,
        address,
        name: server_name(&webhook.target),
        clock,
        metrics,
        readiness,
        shown,
    };
    match &webhook.certificates {
        CertificateMode::SelfManaged { propagation } => {
            let config = SelfManagedConfig {
                client: client.clone(),
                namespace: settings.namespace.clone(),
                secret: webhook.secret.clone(),
                configuration: webhook.configuration.clone(),
                names: names(&webhook.target, &settings.cluster_domain),
                replica: settings.lease.host.clone(),
                propagation: *propagation,
            };
            let own = SelfManaged::new(config, server);
            let deregistration = own.deregistration();
            background.spawn(own.run());
            Some(deregistration)
        }
        CertificateMode::Files(directory) => {
            let configuration = webhook.configuration.clone();
            background.spawn(Files::new(client.clone(), configuration, directory.clone(), server).run());
            None
        }
    }
}

fn names(target: &WebhookTarget, cluster_domain: &str) -> Names {
    match target {
        WebhookTarget::Service { namespace, name } => Names::service(name, namespace, cluster_domain),
        WebhookTarget::Url(_) => {
            let host = server_name(target);
            match host.parse() {
                Ok(ip) => Names::loopback().with_ip(ip),
                Err(_) => Names::loopback().with_dns(host),
            }
        }
    }
}

/// The name that the API server verifies.
fn server_name(target: &WebhookTarget) -> String {
    match target {
        WebhookTarget::Service { namespace, name } => format!("{name}.{namespace}.svc"),
        WebhookTarget::Url(url) => {
            let host = url.trim_start_matches("https://");
            let without_port = match host.rsplit_once(':') {
                Some((before, port)) if port.bytes().all(|b| b.is_ascii_digit()) => before,
                _ => host,
            };
            let bare = without_port.trim_start_matches('[').trim_end_matches(']');
            bare.parse::<IpAddr>().map_or_else(|_| bare.to_owned(), |ip| ip.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_a_url_is_what_api_servers_verify() {
        for (url, host) in [
            ("https://127.0.0.1:9443", "127.0.0.1"),
            ("https://[::1]:9443", "::1"),
            ("https://[::1]", "::1"),
            ("https://hooks.example.org", "hooks.example.org"),
            ("https://hooks.example.org:9443", "hooks.example.org"),
        ] {
            assert_eq!(server_name(&WebhookTarget::Url(url.to_owned())), host);
        }
    }
}
