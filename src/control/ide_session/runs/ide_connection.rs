//! The connection to one IDE, the facts that are reported of it, and the slots of starts and stops.

use super::run::Uid;
use crate::{
    control::ide_session::endpoints::{EndpointSource, ResolvedEndpoint},
    core::ide_session::EndpointFacts,
    ide::{
        Connection, ConnectionState, Notification, Notifications, Options, SessionId, buffer::Limits,
        connection::OpenConnectionError, dial::Lookup, egress::Egress, timing::Timing,
    },
};
use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, Weak},
};
use tokio::sync::{Semaphore, watch};

/// Create requests of an IDE in progress at a time.
const STARTS: usize = 8;
/// Stop requests of an IDE in progress at a time; each waits for the end of its session.
const STOPS: usize = 255;
/// Notifications after which the task yields.
const TURN: usize = 64;

/// The options of all connections.
pub(super) struct Setup {
    pub(super) timing: Timing,
    pub(super) limits: Limits,
    pub(super) egress: Egress,
    pub(super) lookup: Arc<dyn Lookup>,
    /// The number of connections opened so far; tasks that wait for one watch it.
    pub(super) changed: watch::Sender<u64>,
    /// What is notified of the connections. It owns them, so they do not own it.
    pub(super) events: Weak<dyn ConnectionEvents>,
}

/// What is notified of connections.
pub(super) trait ConnectionEvents: Send + Sync {
    /// The IDE of `source` has sent a notification.
    fn notification(&self, source: &EndpointSource, notification: Notification);

    /// The connection of that number delivers no more notifications.
    fn disconnected(&self, source: &EndpointSource, number: u64);

    /// The state of the connection that is reported for sessions has changed.
    fn link_changed(&self, source: &EndpointSource);
}

/// The connection to one IDE.
#[derive(Debug)]
pub(super) struct IdeConnection {
    /// Distinguishes this connection from earlier ones.
    pub(super) number: u64,
    pub(super) known: Arc<ResolvedEndpoint>,
    pub(super) connection: Connection,
    /// UIDs of the sessions that need it.
    pub(super) members: HashSet<Uid>,
    pub(super) starts: Arc<Semaphore>,
    pub(super) stops: Arc<Semaphore>,
}

impl IdeConnection {
    /// Begins to connect, and passes on what happens.
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
        tokio::spawn(receive(setup.events.clone(), source.clone(), number, notifications));
        tokio::spawn(watch_link(setup.events.clone(), source.clone(), connection.link()));
        Ok(Self {
            number,
            known: known.clone(),
            connection,
            members: HashSet::new(),
            starts: Arc::new(Semaphore::new(STARTS)),
            stops: Arc::new(Semaphore::new(STOPS)),
        })
    }

    /// What it takes to send requests by this connection.
    pub(super) fn ide_handle(&self) -> IdeHandle {
        IdeHandle {
            number: self.number,
            connection: self.connection.clone(),
            starts: self.starts.clone(),
            stops: self.stops.clone(),
        }
    }
}

/// What it takes to send requests to an IDE.
pub(super) struct IdeHandle {
    pub(super) number: u64,
    pub(super) connection: Connection,
    pub(super) starts: Arc<Semaphore>,
    pub(super) stops: Arc<Semaphore>,
}

/// Passes on notifications until the connection is closed.
async fn receive(
    events: Weak<dyn ConnectionEvents>,
    source: EndpointSource,
    number: u64,
    mut notifications: Notifications,
) {
    let mut taken = 0_usize;
    while let Some(notification) = notifications.next().await {
        let Some(events) = events.upgrade() else { return };
        events.notification(&source, notification);
        taken += 1;
        if taken.is_multiple_of(TURN) {
            tokio::task::yield_now().await;
        }
    }
    if let Some(events) = events.upgrade() {
        events.disconnected(&source, number);
    }
}

/// Passes on changes of what is reported of the connection.
async fn watch_link(
    events: Weak<dyn ConnectionEvents>,
    source: EndpointSource,
    mut link: watch::Receiver<ConnectionState>,
) {
    let mut reported = link_facts(&link.borrow_and_update());
    while link.changed().await.is_ok() {
        let now = link_facts(&link.borrow_and_update());
        let Some(events) = events.upgrade() else { return };
        if now != reported {
            events.link_changed(&source);
            reported = now;
        }
    }
}

/// Whether an IDE is connected, with reason and message of the condition that reports it.
pub(super) fn link_facts(link: &ConnectionState) -> (bool, &'static str, String) {
    let message = match link {
        ConnectionState::Connected(agreed) => {
            format!("The IDE is connected, by version {} of the protocol", agreed.version)
        }
        ConnectionState::Connecting { why: Some(why), .. } => sentence(&why.to_string()),
        ConnectionState::Connecting { why: None, .. } => "The IDE is being connected".to_owned(),
        ConnectionState::Closed => "The connection to the IDE was closed".to_owned(),
    };
    (matches!(link, ConnectionState::Connected(_)), link.reason(), message)
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
