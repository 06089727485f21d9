//! Which addresses the operator may connect to. An endpoint is user data, and the operator sends a token to it: without
//! rules it would be a way into every network that it can reach (SSRF).
//!
//! The rules check all addresses that a host resolves to before connecting; the address that was checked is the one
//! that is connected to.

use super::endpoint::{Endpoint, Host, Origin};
use ipnet::IpNet;
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
};

/// The egress rules of an installation.
#[derive(Clone, Debug, Default)]
pub struct Egress {
    /// Networks that are allowed for any endpoint.
    pub networks: Vec<IpNet>,
    /// Host names that any endpoint may have; `example.com` also stands for the names below it.
    pub suffixes: Vec<String>,
    /// Addresses that no endpoint may have: the API server's.
    pub refused: Vec<IpAddr>,
    /// The cluster's domain, as in `<service>.<namespace>.svc.<domain>`.
    pub cluster_domain: String,
    /// Allows plain text to addresses other than loopback.
    pub plain_text: bool,
}

/// An address is not connected to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    /// The name has no address.
    #[error("{0} has no address")]
    NoAddress(Host),
    /// The address is forbidden for every endpoint.
    #[error("{}, where no IDE may be: {why}", place(host, address))]
    Never {
        /// The host.
        host: Host,
        /// The address.
        address: IpAddr,
        /// The class of the address.
        why: ForbiddenAddress,
    },
    /// The address is not allowed for this endpoint.
    #[error("{}, which is not allowed: {allowed}", place(host, address))]
    NotAllowed {
        /// The host.
        host: Host,
        /// The address.
        address: IpAddr,
        /// The addresses that are allowed.
        allowed: String,
    },
    /// The token would travel in plain text.
    #[error(
        "{host} is not on loopback and has no certificate: the token would travel in plain text, which only \
         --ide-plain-text of the operator allows; give DEBUG_SESSION_SERVER_CERTIFICATE"
    )]
    PlainText {
        /// The host.
        host: Host,
    },
}

/// Classes of addresses that no setting allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForbiddenAddress {
    /// 169.254.0.0/16 and fe80::/10, where clouds serve credentials.
    LinkLocal,
    /// Multicast and broadcast.
    Multicast,
    /// 0.0.0.0/8 and ::.
    Unspecified,
    /// Loopback, for the endpoint of a Secret.
    Loopback,
    /// An address of the API server.
    ApiServer,
}

impl fmt::Display for ForbiddenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LinkLocal => "link-local",
            Self::Multicast => "not a single host",
            Self::Unspecified => "unspecified",
            Self::Loopback => "loopback, which is the operator's own pod",
            Self::ApiServer => "the API server",
        })
    }
}

/// Where a host is, for people.
fn place(host: &Host, address: &IpAddr) -> String {
    match host {
        Host::Ip(_) => format!("the IDE is said to be at {address}"),
        Host::Name(_) => format!("{host} is at {address}"),
    }
}

impl Egress {
    /// Checks the addresses of an endpoint's host. `is_pod` returns whether an address is that of a pod in the
    /// namespace of the endpoint's Secret.
    pub fn judge(
        &self,
        endpoint: &Endpoint,
        addresses: &[IpAddr],
        is_pod: impl Fn(IpAddr) -> bool,
    ) -> Result<(), EgressError> {
        let host = || endpoint.host.clone();
        if addresses.is_empty() {
            return Err(EgressError::NoAddress(host()));
        }
        let named = self.allows_name(endpoint);
        for &address in addresses {
            let plain = unwrapped(address);
            if let Some(why) = self.never(&endpoint.origin, plain) {
                return Err(EgressError::Never { host: host(), address, why });
            }
            let local = plain.is_loopback() && endpoint.origin == Origin::Environment;
            let inside = self.networks.iter().any(|network| network.contains(&plain));
            let pod = matches!(endpoint.origin, Origin::Secret { .. }) && is_pod(plain);
            if !(named || local || inside || pod) {
                return Err(EgressError::NotAllowed {
                    host: host(),
                    address,
                    allowed: self.allowed(endpoint),
                });
            }
            if endpoint.tls.is_none() && !plain.is_loopback() && !self.plain_text {
                return Err(EgressError::PlainText { host: host() });
            }
        }
        Ok(())
    }

    fn never(&self, origin: &Origin, address: IpAddr) -> Option<ForbiddenAddress> {
        let (link_local, nothing) = match address {
            IpAddr::V4(v4) => (v4.is_link_local(), v4.octets()[0] == 0),
            IpAddr::V6(v6) => (v6.is_unicast_link_local(), v6.is_unspecified()),
        };
        let broadcast = address == IpAddr::V4(Ipv4Addr::BROADCAST);
        if link_local {
            Some(ForbiddenAddress::LinkLocal)
        } else if address.is_multicast() || broadcast {
            Some(ForbiddenAddress::Multicast)
        } else if nothing {
            Some(ForbiddenAddress::Unspecified)
        } else if address.is_loopback() && matches!(origin, Origin::Secret { .. }) {
            Some(ForbiddenAddress::Loopback)
        } else if self.refused.iter().any(|refused| unwrapped(*refused) == address) {
            Some(ForbiddenAddress::ApiServer)
        } else {
            None
        }
    }

    /// Whether the name alone makes an address allowed that is not refused.
    fn allows_name(&self, endpoint: &Endpoint) -> bool {
        let Host::Name(name) = &endpoint.host else { return false };
        let service = match &endpoint.origin {
            Origin::Environment => false,
            Origin::Secret { namespace } => self.is_service_of(name, namespace),
        };
        let below = |suffix: &String| {
            let suffix = suffix.trim_matches('.').to_ascii_lowercase();
            let rest = name.strip_suffix(&suffix);
            !suffix.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        service || self.suffixes.iter().any(below)
    }

    fn is_service_of(&self, name: &str, namespace: &str) -> bool {
        let domain = self.cluster_domain.trim_matches('.').to_ascii_lowercase();
        let Some((service, rest)) = name.split_once('.') else { return false };
        let short = format!("{namespace}.svc");
        !service.is_empty() && (rest == short || (!domain.is_empty() && rest == format!("{short}.{domain}")))
    }

    fn allowed(&self, endpoint: &Endpoint) -> String {
        let own = match &endpoint.origin {
            Origin::Environment => "loopback".to_owned(),
            Origin::Secret { namespace } => {
                format!("Services as <name>.{namespace}.svc and pods of namespace {namespace}")
            }
        };
        format!("allowed are {own}, and what --ide-allow-network and --ide-allow-suffix of the operator name")
    }
}

/// The IPv4 address inside an IPv6 address that leads to one, so that no rule is got round by spelling.
fn unwrapped(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let [a, b, c, d, e, f, g, h] = v6.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match (a, b, c, d, e, f) {
        // Mapped, and the deprecated form without the mark; :: and ::1 are themselves.
        (0, 0, 0, 0, 0, 0xffff) => v4(g, h),
        (0, 0, 0, 0, 0, 0) if g != 0 => v4(g, h),
        // NAT64.
        (0x64, 0xff9b, 0, 0, 0, 0) => v4(g, h),
        // 6to4.
        (0x2002, high, low, ..) => v4(high, low),
        _ => address,
    }
}

#[cfg(test)]
mod tests;
