//! Where an IDE listens and how it is known: read from the variables that IDEs set, be they in the
//! environment of the process or keys of a Secret.

use super::{
    certificate::{self, ReadCertificateError},
    token::{ReadTokenError, Token},
};
use rustls::pki_types::{CertificateDer, ServerName};
use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

/// Port, or host and port, or URL.
pub const PORT: &str = "DEBUG_SESSION_PORT";
/// Host; `localhost` when absent.
pub const HOST: &str = "DEBUG_SESSION_HOST";
/// Bearer token.
pub const TOKEN: &str = "DEBUG_SESSION_TOKEN";
/// Certificate of the IDE.
pub const CERTIFICATE: &str = "DEBUG_SESSION_SERVER_CERTIFICATE";
/// Name that the certificate must carry; `localhost` when absent, since peers' certificates carry only that.
pub const SERVER_NAME: &str = "DEBUG_SESSION_TLS_SERVER_NAME";
/// Prefix of the instance id.
pub const INSTANCE_PREFIX: &str = "DCP_INSTANCE_ID_PREFIX";

/// Where an endpoint is configured, which determines the addresses that it may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The environment of the operator.
    Environment,
    /// A Secret.
    Secret {
        /// Namespace of the Secret.
        namespace: String,
    },
}

/// A host, as a name in lower case or an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// A name that is to be resolved.
    Name(String),
    /// An address.
    Ip(IpAddr),
}

/// The pinned certificate of an IDE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// The only certificate that is trusted.
    pub certificate: CertificateDer<'static>,
    /// The name that the IDE's certificate must carry.
    pub name: ServerName<'static>,
}

/// How an IDE is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Where it is configured.
    pub origin: Origin,
    /// Host of the IDE.
    pub host: Host,
    /// TCP port of the IDE.
    pub port: u16,
    /// TLS; plain text when absent.
    pub tls: Option<Pinned>,
    /// The token of every request.
    pub token: Token,
    /// Prefix of the operator's instance id; may be empty.
    pub instance_prefix: String,
}

/// The variables do not describe an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadEndpointError {
    /// A variable is not set.
    #[error("missing required environment variable '{0}'")]
    MissingVariable(&'static str),
    /// A key of the Secret is not there.
    #[error("the Secret has no key '{0}'")]
    MissingKey(&'static str),
    /// The address cannot be read.
    #[error("'{PORT}' must be a port, host:port or http(s)://host:port")]
    Address,
    /// The host cannot be read.
    #[error("'{HOST}' must be a host name or an IP address")]
    Host,
    /// Two hosts are given.
    #[error("'{PORT}' and '{HOST}' name different hosts")]
    TwoHosts,
    /// The token cannot be one.
    #[error("'{TOKEN}': {0}")]
    Token(#[from] ReadTokenError),
    /// The certificate cannot be one. There is no way back to plain text.
    #[error("'{CERTIFICATE}' is not usable: {0}")]
    Certificate(#[from] ReadCertificateError),
    /// TLS is asked for without a certificate to know the IDE by.
    #[error("'{PORT}' asks for https, but there is no '{CERTIFICATE}' to know the IDE by")]
    NoCertificate,
    /// Plain text is asked for together with a certificate.
    #[error("'{PORT}' asks for http, although '{CERTIFICATE}' is given")]
    PlainText,
    /// The name to verify cannot be one.
    #[error("'{SERVER_NAME}' must be a host name or an IP address")]
    ServerName,
    /// The prefix cannot stand in a header.
    #[error("'{INSTANCE_PREFIX}' must be made of up to 200 visible ASCII characters")]
    InstancePrefix,
}

impl Endpoint {
    /// Reads an endpoint from variables.
    pub fn read(
        origin: Origin,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ReadEndpointError> {
        let missing = |name| match origin {
            Origin::Environment => ReadEndpointError::MissingVariable(name),
            Origin::Secret { .. } => ReadEndpointError::MissingKey(name),
        };
        let given =
            |name| variable(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let address = Address::read(&given(PORT).ok_or_else(|| missing(PORT))?)?;
        let token = Token::read(&given(TOKEN).ok_or_else(|| missing(TOKEN))?)?;
        let certificate = variable(CERTIFICATE).map(|text| certificate::read(&text)).transpose()?;
        match (address.tls, &certificate) {
            (Some(true), None) => return Err(ReadEndpointError::NoCertificate),
            (Some(false), Some(_)) => return Err(ReadEndpointError::PlainText),
            _ => {}
        }
        let host =
            match (address.host, given(HOST).map(|host| Host::read(&host).ok_or(ReadEndpointError::Host))) {
                (Some(named), Some(host)) if named != host.clone()? => {
                    return Err(ReadEndpointError::TwoHosts);
                }
                (named, host) => host.transpose()?.or(named).unwrap_or_else(Host::local),
            };
        let name = given(SERVER_NAME).unwrap_or_else(|| "localhost".to_owned());
        let name = ServerName::try_from(name).map_err(|_| ReadEndpointError::ServerName)?;
        // Not trimmed: it is prepended as it is.
        let instance_prefix = variable(INSTANCE_PREFIX).filter(|prefix| !prefix.trim().is_empty());
        let instance_prefix = instance_prefix.unwrap_or_default();
        if instance_prefix.len() > 200 || !instance_prefix.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(ReadEndpointError::InstancePrefix);
        }
        let tls = certificate.map(|certificate| Pinned { certificate, name });
        Ok(Self { origin, host, port: address.port, tls, token, instance_prefix })
    }

    /// Host and port, as they stand in the `Host` header and in messages.
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

/// The forms of [`PORT`].
struct Address {
    tls: Option<bool>,
    host: Option<Host>,
    port: u16,
}

impl Address {
    fn read(text: &str) -> Result<Self, ReadEndpointError> {
        // IDEs set it to `localhost:1234`; there it says no more than `1234`.
        let text = text.strip_prefix("localhost:").unwrap_or(text);
        let (tls, rest) = match text.split_once("://") {
            Some(("http", rest)) => (Some(false), rest.strip_suffix('/').unwrap_or(rest)),
            Some(("https", rest)) => (Some(true), rest.strip_suffix('/').unwrap_or(rest)),
            Some(_) => return Err(ReadEndpointError::Address),
            None => (None, text),
        };
        let (host, port) = match rest.rsplit_once(':') {
            // Without brackets the end of an IPv6 address is ambiguous.
            Some((host, _)) if host.contains(':') && !host.starts_with('[') => {
                return Err(ReadEndpointError::Address);
            }
            Some((host, port)) => (Some(Host::read(host).ok_or(ReadEndpointError::Address)?), port),
            None if tls.is_none() => (None, rest),
            None => return Err(ReadEndpointError::Address),
        };
        let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
        match port.parse() {
            Ok(port) if digits && port != 0 => Ok(Self { tls, host, port }),
            _ => Err(ReadEndpointError::Address),
        }
    }
}

impl Host {
    fn local() -> Self {
        Self::Name("localhost".to_owned())
    }

    /// Reads a host; an IPv6 address may stand in brackets.
    fn read(text: &str) -> Option<Self> {
        if let Some(address) = text.strip_prefix('[') {
            return address
                .strip_suffix(']')?
                .parse::<Ipv6Addr>()
                .ok()
                .map(|address| Self::Ip(address.into()));
        }
        if let Ok(address) = text.parse() {
            return Some(Self::Ip(address));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        };
        // A last label of digits is an address in a form that resolvers read as they like.
        let numeric =
            name.rsplit('.').next().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_digit()));
        (name.len() <= 253 && !numeric && name.split('.').all(label)).then_some(Self::Name(name))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Ip(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Ip(address) => write!(f, "{address}"),
        }
    }
}

#[cfg(test)]
mod tests;
