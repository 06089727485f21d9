//! Which IDE a session is for, and how it is reached.
//!
//! Endpoints come from the operator's environment and from labelled Secrets, which are watched: credentials that
//! change count from the next moment on. Nothing here connects to anything.

mod registry;
mod resolver;
mod watch;

pub use registry::{EndpointRegistry, EndpointSource, Missing, ResolvedEndpoint};
pub use resolver::EndpointResolver;

use crate::settings::IdeSettings;
use k8s_openapi::api::core::v1::Secret;
use parking_lot::RwLock;
use sojourn_crds::ide_session::IdeSession;
use std::{collections::HashSet, sync::Arc};
use tokio::sync::mpsc;

/// All endpoints that there are.
#[derive(Debug)]
pub struct Endpoints {
    registry: RwLock<EndpointRegistry>,
    changed: mpsc::UnboundedSender<EndpointSource>,
    /// Where Secrets may lead to.
    pub(super) resolver: Arc<EndpointResolver>,
}

/// Endpoints that changed, came or went, in order. As many as changes of Secrets, which a leader takes at once.
pub type Changes = mpsc::UnboundedReceiver<EndpointSource>;

impl Endpoints {
    /// The endpoints of `settings`, of which those of Secrets are not known yet. `own` is the operator's namespace.
    pub fn new(settings: &IdeSettings, own: &str, resolver: Arc<EndpointResolver>) -> (Self, Changes) {
        let (changed, changes) = mpsc::unbounded_channel();
        (Self { registry: RwLock::new(EndpointRegistry::new(settings, own)), changed, resolver }, changes)
    }

    /// The endpoint that a session is for.
    pub fn choose(&self, session: &IdeSession) -> Result<(EndpointSource, Arc<ResolvedEndpoint>), Missing> {
        self.registry.read().choose(session)
    }

    /// The endpoint of a source, as it is now.
    pub fn get(&self, source: &EndpointSource) -> Option<Arc<ResolvedEndpoint>> {
        self.registry.read().get(source)
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

    /// Gives a source an endpoint, or none: whatever it is, it may be on loopback, where IDEs under test are.
    #[cfg(test)]
    pub(super) fn put(&self, source: EndpointSource, known: Option<Arc<ResolvedEndpoint>>) {
        self.registry.write().put(&source, known);
        self.tell([source]);
    }

    fn tell(&self, changed: impl IntoIterator<Item = EndpointSource>) {
        for source in changed {
            // Nobody listens when the process ends.
            self.changed.send(source).ok();
        }
    }
}
