//! What flags and environment say of the IDEs that run the sessions of `IdeSession`s.

use super::{Problems, flags::Flags, is_label};
use crate::ide::{
    Endpoint,
    endpoint::{self, Origin, ReadEndpointError},
    timing::Timing,
};
use ipnet::IpNet;
use sojourn_crds::ide_session::EndpointSecret;
use std::net::IpAddr;

/// Where IDEs come from and what is allowed of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdeSettings {
    /// The Secret of sessions that name none.
    pub default_secret: Option<EndpointSecret>,
    /// Namespaces whose labelled Secrets are read; sorted, no name twice, never empty.
    pub namespaces: Vec<String>,
    /// The IDE of the operator's own environment; absent when the environment speaks of none.
    pub environment: Option<Result<Endpoint, ReadEndpointError>>,
    /// Times of the protocol.
    pub timing: Timing,
    /// Networks in which any IDE may be.
    pub networks: Vec<IpNet>,
    /// Domains in which any IDE may be.
    pub suffixes: Vec<String>,
    /// Addresses of the API server, at which no IDE is.
    pub api_server: Vec<IpAddr>,
    /// Tokens may travel in plain text.
    pub plain_text: bool,
    /// How many sessions an IDE has at most.
    pub sessions: usize,
}

/// Reads them. An environment that describes no usable IDE ends nothing: IDEs of Secrets work all the same, and the
/// sessions that would need it say what is wrong.
pub(super) fn read(
    flags: &Flags,
    own: &str,
    env: &dyn Fn(&str) -> Option<String>,
    problems: &mut Problems,
) -> IdeSettings {
    let default_secret = flags.ide_endpoint_secret.as_deref().map(|text| {
        EndpointSecret::parse(text)
            .filter(|secret| is_label(&secret.namespace) && secret.name.split('.').all(is_label))
            .ok_or("NAMESPACE/NAME was expected")
    });
    let default_secret = problems.check("--ide-endpoint-secret", default_secret.transpose());
    let mut namespaces: Vec<String> =
        flags.ide_endpoint_namespaces.iter().map(|name| name.trim().to_owned()).collect();
    for name in namespaces.iter().filter(|name| !is_label(name)) {
        problems.errors.push(format!("--ide-endpoint-namespaces: {name:?} is not the name of a namespace"));
    }
    if namespaces.is_empty() {
        namespaces.push(own.to_owned());
    }
    namespaces.extend(default_secret.iter().map(|secret| secret.namespace.clone()));
    namespaces.sort_unstable();
    namespaces.dedup();
    for suffix in &flags.ide_suffixes {
        let domain = suffix.trim_matches('.').to_ascii_lowercase();
        if domain.is_empty() || !domain.split('.').all(is_label) {
            problems.errors.push(format!("--ide-allow-suffix: {suffix:?} is not a domain"));
        }
    }
    let given = |name| env(name).is_some_and(|value| !value.trim().is_empty());
    let environment =
        (given(endpoint::PORT) || given(endpoint::TOKEN)).then(|| Endpoint::read(Origin::Environment, env));
    if let Some(Err(error)) = &environment {
        problems.notes.push(format!("IDE-backed sessions cannot be started: {error}"));
    }
    IdeSettings {
        default_secret,
        namespaces,
        environment,
        timing: Timing::read(env),
        networks: flags.ide_networks.clone(),
        suffixes: flags.ide_suffixes.clone(),
        api_server: env("KUBERNETES_SERVICE_HOST")
            .and_then(|host| host.trim().parse().ok())
            .into_iter()
            .collect(),
        plain_text: flags.ide_plain_text,
        sessions: usize::try_from(flags.ide_sessions_per_endpoint).unwrap_or(usize::MAX),
    }
}
