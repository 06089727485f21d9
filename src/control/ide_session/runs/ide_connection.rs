//! One connected IDE: its connection, what is said of that, and the queues of starts and stops.

use super::{Runs, state::Uid};
use crate::{
    control::ide_session::endpoints::{EndpointSource, ResolvedEndpoint},
    core::ide_session::EndpointFacts,
    ide::{
        Connection, Link, Notifications, Options, SessionId, buffer::Limits, connection::OpenConnectionError,
        dial::Lookup, egress::Egress, timing::Timing,
    },
};
use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, Weak},
};
use tokio::sync::{Semaphore, watch};

/// Create requests of an IDE that are under way at most.
const STARTS: usize = 8;
/// Requests to stop that are under way at most, each of which waits for the end.
const STOPS: usize = 255;
/// Notifications after which others get their turn.
const TURN: usize = 64;

/// What all connections have in common.
pub(super) struct Setup {
    pub(super) timing: Timing,
    pub(super) limits: Limits,
    pub(super) egress: Egress,
    pub(super) lookup: Arc<dyn Lookup>,
    /// Counts connections that were opened, for those who wait for one.
    pub(super) changed: watch::Sender<u64>,
    pub(super) runs: Weak<Runs>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct IdeConnection {
    /// Tells this connection from the one before.
    pub(super) number: u64,
    pub(super) known: Arc<ResolvedEndpoint>,
    pub(super) connection: Connection,
    /// Who needs it.
    pub(super) members: HashSet<Uid>,
    pub(super) starts: Arc<Semaphore>,
    pub(super) stops: Arc<Semaphore>,
}

impl IdeConnection {
    /// Begins to connect. What is heard goes to the runs.
    pub(super) fn open(
        number: u64,
        source: &EndpointSource,
        known: &Arc<ResolvedEndpoint>,
        sessions: Vec<SessionId>,
        setup: &Arc<Setup>,
    ) -> Result<Self, OpenConnectionError> {
        let options = Options {
            timing: setup.timing,
            limits: setup.limits,
            egress: setup.egress.clone(),
            lookup: setup.lookup.clone(),
        };
        let endpoint = known.endpoint.clone();
        let (connection, notifications) =
            Connection::open(endpoint, known.instance.clone(), sessions, options)?;
        tokio::spawn(listen(setup.runs.clone(), source.clone(), number, notifications));
        tokio::spawn(follow(setup.runs.clone(), source.clone(), connection.link()));
        Ok(Self {
            number,
            known: known.clone(),
            connection,
            members: HashSet::new(),
            starts: Arc::new(Semaphore::new(STARTS)),
            stops: Arc::new(Semaphore::new(STOPS)),
        })
    }
}

/// What it takes to ask an IDE for something.
pub(super) struct Reach {
    pub(super) number: u64,
    pub(super) connection: Connection,
    pub(super) starts: Arc<Semaphore>,
    pub(super) stops: Arc<Semaphore>,
}

impl Runs {
    /// The connection of a session's IDE, as soon as there is one that is not the one of the number `not`.
    pub(super) async fn reach(&self, uid: &Uid, not: Option<u64>) -> Reach {
        let mut changed = self.setup.changed.subscribe();
        loop {
            changed.borrow_and_update();
            if let Some(reach) = self.reach_now(uid).filter(|reach| not != Some(reach.number)) {
                return reach;
            }
            // The sender lives as long as we do.
            changed.changed().await.ok();
        }
    }

    /// The connection of a session's IDE, if there is one.
    pub(super) fn reach_now(&self, uid: &Uid) -> Option<Reach> {
        let state = self.state.lock();
        let peer = state.peers.get(state.members.get(uid)?.source.as_ref()?)?;
        Some(Reach {
            number: peer.number,
            connection: peer.connection.clone(),
            starts: peer.starts.clone(),
            stops: peer.stops.clone(),
        })
    }
}

/// Takes notifications until the connection is closed.
async fn listen(runs: Weak<Runs>, source: EndpointSource, number: u64, mut notifications: Notifications) {
    let mut taken = 0_usize;
    while let Some(notification) = notifications.next().await {
        let Some(runs) = runs.upgrade() else { return };
        runs.hear(&source, notification);
        taken += 1;
        if taken.is_multiple_of(TURN) {
            tokio::task::yield_now().await;
        }
    }
    if let Some(runs) = runs.upgrade() {
        runs.silent(&source, number);
    }
}

/// Tells all sessions of an IDE when something else is to be said of its connection.
async fn follow(runs: Weak<Runs>, source: EndpointSource, mut link: watch::Receiver<Link>) {
    let mut said = said_of(&link.borrow_and_update());
    while link.changed().await.is_ok() {
        let now = said_of(&link.borrow_and_update());
        let Some(runs) = runs.upgrade() else { return };
        if now != said {
            runs.wake_at(&source);
            said = now;
        }
    }
}

/// Whether an IDE is connected, in a word, and for people.
pub(super) fn said_of(link: &Link) -> (bool, &'static str, String) {
    let message = match link {
        Link::Connected(agreed) => {
            format!("The IDE is connected, by version {} of the protocol", agreed.version)
        }
        Link::Connecting { why: Some(why), .. } => sentence(&why.to_string()),
        Link::Connecting { why: None, .. } => "The IDE is being connected".to_owned(),
        Link::Closed => "The connection to the IDE was closed".to_owned(),
    };
    (matches!(link, Link::Connected(_)), link.reason(), message)
}

/// An error as a sentence of its own.
fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().into_iter().flat_map(char::to_uppercase).chain(rest.as_str().chars()).collect()
}

/// What is known of an endpoint.
pub(super) fn facts(
    known: &ResolvedEndpoint,
    (connected, reason, message): (bool, &'static str, String),
) -> EndpointFacts {
    EndpointFacts::Known {
        secret_uid: known.secret_uid.clone(),
        instance_id: known.instance.to_string(),
        connected,
        reason,
        message,
    }
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup").field("limits", &self.limits).finish_non_exhaustive()
    }
}
