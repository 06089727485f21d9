//! The names that a leaf is valid for: DNS names of the Service, and addresses of a server outside the cluster.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Subject alternative names, without duplicates and in a stable order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    dns: BTreeSet<String>,
    ips: BTreeSet<IpAddr>,
}

impl Names {
    /// The names under which pods and the API server reach a Service. The API server verifies the third.
    pub fn service(service: &str, namespace: &str, cluster_domain: &str) -> Self {
        let full = format!("{service}.{namespace}.svc");
        Self::default()
            .with_dns(service)
            .with_dns(format!("{service}.{namespace}"))
            .with_dns(format!("{full}.{cluster_domain}"))
            .with_dns(full)
    }

    /// The names of this machine itself, for a webhook URL on loopback.
    pub fn loopback() -> Self {
        Self::default()
            .with_dns("localhost")
            .with_ip(Ipv4Addr::LOCALHOST.into())
            .with_ip(Ipv6Addr::LOCALHOST.into())
    }

    /// Adds a DNS name.
    pub fn with_dns(mut self, name: impl Into<String>) -> Self {
        self.dns.insert(name.into());
        self
    }

    /// Adds an address.
    pub fn with_ip(mut self, ip: IpAddr) -> Self {
        self.ips.insert(ip);
        self
    }

    /// Adds all names of `other`.
    pub fn and(mut self, other: Names) -> Self {
        self.dns.extend(other.dns);
        self.ips.extend(other.ips);
        self
    }

    /// The DNS names.
    pub fn dns(&self) -> impl Iterator<Item = &str> {
        self.dns.iter().map(String::as_str)
    }

    /// The addresses.
    pub fn ips(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.ips.iter().copied()
    }

    /// True when there is no name. A certificate needs at least one.
    pub fn is_empty(&self) -> bool {
        self.dns.is_empty() && self.ips.is_empty()
    }
}
