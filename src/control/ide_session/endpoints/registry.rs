//! The endpoints that are known, and the choice among them. Plain values: no client, no clock.

use crate::{
    core::ide_session::reasons::EndpointReason,
    ide::{
        Endpoint, InstanceId,
        endpoint::{Origin, ReadEndpointError},
    },
    settings::IdeSettings,
};
use k8s_openapi::api::core::v1::Secret;
use sojourn_crds::ide_session::{
    EndpointSecret, IdeSession, State,
    endpoint::{ENDPOINT_ANNOTATION, ENDPOINT_LABEL, ENDPOINT_LABEL_VALUE},
};
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

/// Where an endpoint is configured.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndpointSource {
    /// The environment of the operator.
    Environment,
    /// A Secret.
    Secret(EndpointSecret),
}

/// An endpoint that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedEndpoint {
    /// How it is reached.
    pub endpoint: Endpoint,
    /// The operator's instance id at the IDE, the same in every process.
    pub instance: InstanceId,
    /// UID of the Secret; `None` for the environment.
    pub secret_uid: Option<String>,
}

/// There is no endpoint for a session, or none that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingEndpoint {
    /// The reason of the condition.
    pub reason: EndpointReason,
    /// The message of the condition, with the remedy.
    pub message: String,
}

/// A Secret, as far as it was of use.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    uid: String,
    read: Result<Arc<ResolvedEndpoint>, ReadEndpointError>,
}

/// The endpoints that are known.
#[derive(Debug)]
pub struct EndpointRegistry {
    environment: Option<Result<Arc<ResolvedEndpoint>, ReadEndpointError>>,
    default: Option<EndpointSecret>,
    namespaces: Vec<String>,
    secrets: BTreeMap<EndpointSecret, Entry>,
}

impl EndpointRegistry {
    /// What `settings` offer; `own` is the operator's namespace.
    pub fn new(settings: &IdeSettings, own: &str) -> Self {
        let known = |endpoint: Endpoint| known(endpoint, None, &format!("operator of namespace {own}"));
        Self {
            environment: settings.environment.clone().map(|read| read.and_then(known)),
            default: settings.default_secret.clone(),
            namespaces: settings.namespaces.clone(),
            secrets: BTreeMap::new(),
        }
    }

    /// The endpoint of a session, or why there is none. Where it has run is where it is; else the first of its
    /// annotation, the operator's Secret and the operator's environment.
    pub fn choose(
        &self,
        session: &IdeSession,
    ) -> Result<(EndpointSource, Arc<ResolvedEndpoint>), MissingEndpoint> {
        let settled = session.status.as_ref().filter(|_| session.state() != State::Initial);
        let mut environment = true;
        if let Some(endpoint) = settled.and_then(|status| status.endpoint.as_ref()) {
            match &endpoint.secret_uid {
                None if endpoint.instance_id.is_some() => return self.of_environment(),
                None => {}
                Some(uid) => {
                    if let Some((secret, entry)) = self.secrets.iter().find(|(_, entry)| entry.uid == *uid) {
                        return usable(secret, entry);
                    }
                    // Perhaps it was made anew, under the same name. The environment is another IDE.
                    environment = false;
                }
            }
        }
        let written = session.metadata.annotations.as_ref().and_then(|all| all.get(ENDPOINT_ANNOTATION));
        match (written, &self.default) {
            (Some(written), _) => match EndpointSecret::parse(written) {
                Some(secret) => self.of_secret(&secret),
                None => Err(missing(
                    EndpointReason::EndpointInvalid,
                    format!("The annotation {ENDPOINT_ANNOTATION} must be <namespace>/<name> of a Secret"),
                )),
            },
            (None, Some(secret)) => self.of_secret(secret),
            (None, None) if environment && self.environment.is_some() => self.of_environment(),
            (None, None) => Err(missing(
                EndpointReason::NoEndpoint,
                format!(
                    "No IDE is known for the session: write the annotation {ENDPOINT_ANNOTATION}: \
                     <namespace>/<name> of a Secret that says how one is reached, or have the operator run with \
                     --ide-endpoint-secret"
                ),
            )),
        }
    }

    fn of_environment(&self) -> Result<(EndpointSource, Arc<ResolvedEndpoint>), MissingEndpoint> {
        match &self.environment {
            Some(Ok(known)) => Ok((EndpointSource::Environment, known.clone())),
            Some(Err(error)) => Err(missing(
                EndpointReason::EnvironmentInvalid,
                format!("The operator's environment: {error}"),
            )),
            None => Err(missing(
                EndpointReason::NoEndpoint,
                "The IDE of the operator's environment, where the session ran, is not there any more"
                    .to_owned(),
            )),
        }
    }

    fn of_secret(
        &self,
        secret: &EndpointSecret,
    ) -> Result<(EndpointSource, Arc<ResolvedEndpoint>), MissingEndpoint> {
        match self.secrets.get(secret) {
            Some(entry) => usable(secret, entry),
            None if !self.namespaces.contains(&secret.namespace) => Err(missing(
                EndpointReason::NamespaceNotRead,
                format!(
                    "The operator does not read Secrets of namespace {}: name it in --ide-endpoint-namespaces",
                    secret.namespace
                ),
            )),
            None => Err(missing(
                EndpointReason::SecretNotFound,
                format!(
                    "There is no Secret {secret} with the label {ENDPOINT_LABEL}: {ENDPOINT_LABEL_VALUE:?}; create it, or \
                     label the one that is there"
                ),
            )),
        }
    }

    /// The endpoint of a source, as it is now.
    pub fn get(&self, source: &EndpointSource) -> Option<Arc<ResolvedEndpoint>> {
        let read = match source {
            EndpointSource::Environment => self.environment.as_ref()?,
            EndpointSource::Secret(secret) => &self.secrets.get(secret)?.read,
        };
        read.as_ref().ok().cloned()
    }

    /// Takes in a Secret. Returns its source if that is news.
    pub fn apply(&mut self, secret: &Secret) -> Option<EndpointSource> {
        let name = name(secret)?;
        let entry = read(&name.namespace, secret);
        if self.secrets.get(&name) == Some(&entry) {
            return None;
        }
        self.secrets.insert(name.clone(), entry);
        Some(EndpointSource::Secret(name))
    }

    /// Forgets a Secret. Returns its source if it was known.
    pub fn remove(&mut self, secret: &Secret) -> Option<EndpointSource> {
        let name = name(secret)?;
        self.secrets.remove(&name).map(|_| EndpointSource::Secret(name))
    }

    /// Forgets the Secrets of a namespace whose UIDs are not listed. Returns their sources.
    pub fn retain(&mut self, namespace: &str, listed: &HashSet<String>) -> Vec<EndpointSource> {
        let gone = |(secret, entry): &(&EndpointSecret, &Entry)| {
            secret.namespace == namespace && !listed.contains(&entry.uid)
        };
        let gone: Vec<_> = self.secrets.iter().filter(gone).map(|(secret, _)| secret.clone()).collect();
        gone.iter().for_each(|secret| drop(self.secrets.remove(secret)));
        gone.into_iter().map(EndpointSource::Secret).collect()
    }
}

/// Namespace and name of a Secret.
fn name(secret: &Secret) -> Option<EndpointSecret> {
    let namespace = secret.metadata.namespace.clone()?;
    Some(EndpointSecret { namespace, name: secret.metadata.name.clone()? })
}

fn read(namespace: &str, secret: &Secret) -> Entry {
    let uid = secret.metadata.uid.clone().unwrap_or_default();
    let variable = |key: &str| {
        let bytes = secret.data.as_ref()?.get(key)?;
        // What is no text is none of these.
        std::str::from_utf8(&bytes.0).ok().map(str::to_owned)
    };
    let origin = Origin::Secret { namespace: namespace.to_owned() };
    let read = Endpoint::read(origin, variable).and_then(|endpoint| known(endpoint, Some(uid.clone()), &uid));
    Entry { uid, read }
}

fn known(
    endpoint: Endpoint,
    secret_uid: Option<String>,
    name: &str,
) -> Result<Arc<ResolvedEndpoint>, ReadEndpointError> {
    let instance = InstanceId::derive(&endpoint.instance_prefix, name);
    let instance = instance.map_err(|_| ReadEndpointError::InstancePrefix)?;
    Ok(Arc::new(ResolvedEndpoint { endpoint, instance, secret_uid }))
}

fn usable(
    secret: &EndpointSecret,
    entry: &Entry,
) -> Result<(EndpointSource, Arc<ResolvedEndpoint>), MissingEndpoint> {
    match &entry.read {
        Ok(known) => Ok((EndpointSource::Secret(secret.clone()), known.clone())),
        Err(error) => Err(missing(EndpointReason::SecretInvalid, format!("The Secret {secret}: {error}"))),
    }
}

fn missing(reason: EndpointReason, message: String) -> MissingEndpoint {
    MissingEndpoint { reason, message }
}

#[cfg(test)]
mod tests;
