//! What is known of the targets of endpoints: the addresses of pods, and the Services of type ExternalName. The egress
//! rules use it for each connection.

use crate::ide::dial::Lookup;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::{Pod, Service};
use parking_lot::RwLock;
use std::{
    collections::{HashMap, HashSet},
    fmt, io,
    net::IpAddr,
    sync::Arc,
};

/// Resolves hosts of endpoints, from the watched pods and Services.
pub struct EndpointResolver {
    domain: String,
    system: Arc<dyn Lookup>,
    namespaces: RwLock<HashMap<String, Namespace>>,
}

#[derive(Debug, Default)]
struct Namespace {
    /// Addresses by UID of their pod.
    pods: HashMap<String, Vec<IpAddr>>,
    /// Names of the Services of type ExternalName, by their UID.
    external: HashMap<String, String>,
    /// Whether `external` is complete. Until then the target of a Service is unknown.
    complete: bool,
}

/// Why a Service is not connected to.
#[derive(Debug, thiserror::Error)]
enum TrustError {
    #[error("it is a Service of type ExternalName, which can lead anywhere")]
    External,
    #[error("the Services of its namespace are not known yet")]
    Unknown,
}

impl EndpointResolver {
    /// Knows the Services and pods of `namespaces`, once it has heard of them. Names are resolved by `system`;
    /// `domain` is the cluster's.
    pub fn new(namespaces: &[String], domain: &str, system: Arc<dyn Lookup>) -> Self {
        let namespaces = namespaces.iter().map(|name| (name.clone(), Namespace::default())).collect();
        let domain = domain.trim_matches('.').to_ascii_lowercase();
        Self { domain, system, namespaces: RwLock::new(namespaces) }
    }

    /// Takes in a pod.
    pub(super) fn apply_pod(&self, namespace: &str, pod: &Pod) {
        let Some(uid) = pod.metadata.uid.clone() else { return };
        let addresses = addresses(pod);
        self.change(namespace, |known| match addresses.is_empty() {
            true => known.pods.remove(&uid),
            false => known.pods.insert(uid, addresses),
        });
    }

    /// Forgets a pod.
    pub(super) fn remove_pod(&self, namespace: &str, pod: &Pod) {
        let Some(uid) = &pod.metadata.uid else { return };
        self.change(namespace, |known| known.pods.remove(uid));
    }

    /// After a new list: forgets the pods that were not in it.
    pub(super) fn retain_pods(&self, namespace: &str, listed: &HashSet<String>) {
        self.change(namespace, |known| known.pods.retain(|uid, _| listed.contains(uid)));
    }

    /// Takes in a Service of type ExternalName.
    pub(super) fn apply_external(&self, namespace: &str, service: &Service) {
        let metadata = &service.metadata;
        let (Some(uid), Some(name)) = (metadata.uid.clone(), metadata.name.clone()) else { return };
        self.change(namespace, |known| known.external.insert(uid, name));
    }

    /// Forgets one, which is gone or of another type now.
    pub(super) fn remove_external(&self, namespace: &str, service: &Service) {
        let Some(uid) = &service.metadata.uid else { return };
        self.change(namespace, |known| known.external.remove(uid));
    }

    /// After a new list: knows them all.
    pub(super) fn retain_external(&self, namespace: &str, listed: &HashSet<String>) {
        self.change(namespace, |known| {
            known.external.retain(|uid, _| listed.contains(uid));
            known.complete = true;
        });
    }

    /// The name to look up. That of a Service is made fully qualified, so that no search list applies.
    fn target(&self, name: &str) -> Result<String, TrustError> {
        let whole = name.strip_suffix(&format!(".{}", self.domain)).unwrap_or(name);
        let parts = whole.strip_suffix(".svc").and_then(|rest| rest.split_once('.'));
        let Some((service, namespace)) = parts else { return Ok(name.to_owned()) };
        let namespaces = self.namespaces.read();
        // A Service of another namespace is allowed by the operator's settings, or not at all.
        let Some(known) = namespaces.get(namespace) else { return Ok(name.to_owned()) };
        if known.external.values().any(|external| external == service) {
            return Err(TrustError::External);
        }
        if !known.complete {
            return Err(TrustError::Unknown);
        }
        Ok(format!("{service}.{namespace}.svc.{}.", self.domain))
    }

    fn change<R>(&self, namespace: &str, change: impl FnOnce(&mut Namespace) -> R) {
        if let Some(known) = self.namespaces.write().get_mut(namespace) {
            change(known);
        }
    }
}

impl Lookup for EndpointResolver {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let target = self.target(name).map_err(io::Error::other)?;
            let addresses = self.system.resolve(&target).await?;
            // It may have become one while the name was resolved.
            self.target(name).map_err(io::Error::other)?;
            Ok(addresses)
        })
    }

    fn is_pod_of(&self, namespace: &str, address: IpAddr) -> bool {
        let namespaces = self.namespaces.read();
        namespaces
            .get(namespace)
            .is_some_and(|known| known.pods.values().flatten().any(|pod| *pod == address))
    }
}

/// The addresses that are a pod's own: not those of its node, and not those that the next pod may have.
fn addresses(pod: &Pod) -> Vec<IpAddr> {
    let on_node = pod.spec.as_ref().and_then(|spec| spec.host_network).unwrap_or_default();
    let Some(status) = pod.status.as_ref().filter(|_| !on_node) else { return Vec::new() };
    if matches!(status.phase.as_deref(), Some("Succeeded" | "Failed")) {
        return Vec::new();
    }
    let all = status.pod_ips.iter().flatten().map(|ip| ip.ip.as_str());
    all.chain(status.pod_ip.as_deref()).filter_map(|ip| ip.parse().ok()).collect()
}

impl fmt::Debug for EndpointResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointResolver")
            .field("namespaces", &*self.namespaces.read())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
