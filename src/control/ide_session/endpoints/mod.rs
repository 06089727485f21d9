//! Which IDE a session is for, and how it is reached.
//!
//! Endpoints come from the operator's environment and from labelled Secrets, which are watched: credentials that
//! change count from the next moment on. Nothing here connects to anything.

mod registry;
mod resolver;
mod watch;

pub use registry::{EndpointRegistry, EndpointSource, MissingEndpoint, ResolvedEndpoint};
pub use resolver::EndpointResolver;

use crate::{ide::dial::Lookup, settings::IdeSettings};
use k8s_openapi::api::core::v1::Secret;
use parking_lot::RwLock;
use sojourn_crds::ide_session::IdeSession;
use std::{collections::HashSet, fmt, sync::Arc};
use tokio::sync::mpsc;

/// All endpoints.
#[derive(Debug)]
pub struct Endpoints {
    registry: RwLock<EndpointRegistry>,
    changed: mpsc::UnboundedSender<EndpointSource>,
    /// Where Secrets may lead to.
    resolver: Arc<EndpointResolver>,
}

/// How a session finds its IDE.
pub trait EndpointChoice: fmt::Debug + Send + Sync {
    /// The endpoint of a session.
    fn choose(
        &self,
        session: &IdeSession,
    ) -> Result<(EndpointSource, Arc<ResolvedEndpoint>), MissingEndpoint>;

    /// The endpoint of a source, as it is now.
    fn get(&self, source: &EndpointSource) -> Option<Arc<ResolvedEndpoint>>;

    /// Resolves the hosts of endpoints.
    fn lookup(&self) -> Arc<dyn Lookup>;
}

impl EndpointChoice for Endpoints {
    fn choose(
        &self,
        session: &IdeSession,
    ) -> Result<(EndpointSource, Arc<ResolvedEndpoint>), MissingEndpoint> {
        self.registry.read().choose(session)
    }

    fn get(&self, source: &EndpointSource) -> Option<Arc<ResolvedEndpoint>> {
        self.registry.read().get(source)
    }

    fn lookup(&self) -> Arc<dyn Lookup> {
        self.resolver.clone()
    }
}

/// Endpoints that changed, came or went, in order. As many as changes of Secrets, which a leader takes at once.
pub type Changes = mpsc::UnboundedReceiver<EndpointSource>;

impl Endpoints {
    /// The endpoints of `settings`, of which those of Secrets are not known yet. `own` is the operator's namespace.
    pub fn new(settings: &IdeSettings, own: &str, resolver: Arc<EndpointResolver>) -> (Self, Changes) {
        let (changed, changes) = mpsc::unbounded_channel();
        (Self { registry: RwLock::new(EndpointRegistry::new(settings, own)), changed, resolver }, changes)
    }

    /// Takes in a Secret.
    fn apply(&self, secret: &Secret) {
        let changed = self.registry.write().apply(secret);
        self.tell(changed);
    }

    /// Forgets a Secret.
    fn remove(&self, secret: &Secret) {
        let changed = self.registry.write().remove(secret);
        self.tell(changed);
    }

    /// After a new list of a namespace: forgets what was not in it, by UID.
    fn retain(&self, namespace: &str, listed: &HashSet<String>) {
        let gone = self.registry.write().retain(namespace, listed);
        self.tell(gone);
    }

    fn tell(&self, changed: impl IntoIterator<Item = EndpointSource>) {
        for source in changed {
            // There is no receiver when the process ends.
            self.changed.send(source).ok();
        }
    }
}
