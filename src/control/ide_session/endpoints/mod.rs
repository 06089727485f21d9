//! Which IDE a session is for, and how it is reached.
//!
//! Endpoints come from the operator's environment and from labelled Secrets, which are watched: credentials that
//! change count from the next moment on. Nothing here connects to anything.

mod offer;
mod places;
mod watch;

pub use offer::{Known, Missing, Offer, Source};
pub use places::Places;

use crate::settings::IdeSettings;
use k8s_openapi::api::core::v1::Secret;
use parking_lot::RwLock;
use sojourn_crds::ide_session::IdeSession;
use std::{collections::HashSet, sync::Arc};
use tokio::sync::mpsc;

/// All endpoints that there are.
#[derive(Debug)]
pub struct Endpoints {
    offer: RwLock<Offer>,
    changed: mpsc::UnboundedSender<Source>,
    /// Where Secrets may lead to.
    pub(super) places: Arc<Places>,
}

/// Endpoints that changed, came or went, in order. As many as changes of Secrets, which a leader takes at once.
pub type Changes = mpsc::UnboundedReceiver<Source>;

impl Endpoints {
    /// The endpoints of `settings`, of which those of Secrets are not known yet. `own` is the operator's namespace.
    pub fn new(settings: &IdeSettings, own: &str, places: Arc<Places>) -> (Self, Changes) {
        let (changed, changes) = mpsc::unbounded_channel();
        (Self { offer: RwLock::new(Offer::new(settings, own)), changed, places }, changes)
    }

    /// The endpoint that a session is for.
    pub fn choose(&self, session: &IdeSession) -> Result<(Source, Arc<Known>), Missing> {
        self.offer.read().choose(session)
    }

    /// The endpoint of a source, as it is now.
    pub fn get(&self, source: &Source) -> Option<Arc<Known>> {
        self.offer.read().get(source)
    }

    /// Takes in a Secret.
    fn apply(&self, secret: &Secret) {
        let changed = self.offer.write().apply(secret);
        self.tell(changed);
    }

    /// Forgets a Secret.
    fn remove(&self, secret: &Secret) {
        let changed = self.offer.write().remove(secret);
        self.tell(changed);
    }

    /// After a new list of a namespace: forgets what was not in it, by UID.
    fn retain(&self, namespace: &str, listed: &HashSet<String>) {
        let gone = self.offer.write().retain(namespace, listed);
        self.tell(gone);
    }

    /// Gives a source an endpoint, or none: whatever it is, it may be on loopback, where IDEs under test are.
    #[cfg(test)]
    pub(super) fn put(&self, source: Source, known: Option<Arc<Known>>) {
        self.offer.write().put(&source, known);
        self.tell([source]);
    }

    fn tell(&self, changed: impl IntoIterator<Item = Source>) {
        for source in changed {
            // Nobody listens when the process ends.
            self.changed.send(source).ok();
        }
    }
}
