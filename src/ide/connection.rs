//! One IDE as a reconciler sees it: sessions are started, stopped and released, and notifications come out.
//!
//! Starting and stopping are requests of their own; the WebSocket is kept open beside them. Nothing is
//! decided about a session here: ends are told, not judged.

use super::{
    buffer::{Disposition, Limits, NotificationBuffer, Stats, Tally},
    dial::{Dialer, Lookup, SystemLookup},
    egress::Egress,
    endpoint::Endpoint,
    instance::InstanceId,
    launch::RunRequest,
    notification::{Notification, Skip},
    request::Client,
    session::SessionId,
    socket,
    start::{self, Start, StartError, StartErrorKind},
    timing::Timing,
    version::Agreed,
};
use http::{Method, StatusCode};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    runtime::Handle,
    sync::{Notify, watch},
};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use super::{
    dial::DialError,
    request::RequestError,
    socket::{ConnectError, DisconnectError},
};

/// What a connection depends on beside its endpoint.
pub struct Options {
    /// Times.
    pub timing: Timing,
    /// Bounds.
    pub limits: Limits,
    /// Where we may connect to.
    pub egress: Egress,
    /// How names are resolved.
    pub lookup: Arc<dyn Lookup>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            timing: Timing::default(),
            limits: Limits::default(),
            egress: Egress::default(),
            lookup: Arc::new(SystemLookup),
        }
    }
}

/// The connection cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum OpenConnectionError {
    /// The certificate of the endpoint cannot be used.
    #[error("the TLS settings of the endpoint: {0}")]
    Tls(#[from] rustls::Error),
}

/// Whether an IDE is connected.
#[derive(Clone, Debug)]
pub enum ConnectionState {
    /// It is not, and is tried.
    Connecting {
        /// Attempts that failed in a row; 0 before the first.
        failures: u32,
        /// Why the last one failed, or how the connection was lost.
        why: Option<Arc<ConnectError>>,
    },
    /// It is.
    Connected(Agreed),
    /// It will not be any more: we closed it.
    Closed,
}

/// The session was not stopped.
#[derive(Debug, thiserror::Error)]
#[error("run session could not be stopped: {cause}")]
pub struct StopError {
    /// Why.
    #[from]
    pub cause: StopErrorKind,
}

/// Why a session was not stopped.
#[derive(Debug, thiserror::Error)]
pub enum StopErrorKind {
    /// The IDE has never been connected, so that nobody knows what it speaks.
    #[error("the IDE is not connected")]
    NotConnected,
    /// There was no answer.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The IDE refused.
    #[error("{said}")]
    Status {
        /// The status.
        status: StatusCode,
        /// Status line and body.
        said: String,
    },
}

/// How a session was stopped. But for the last, its end is among the notifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The IDE says that it is over.
    Ended,
    /// The IDE agreed and said no more in time; that it is over is our conclusion.
    Silent,
    /// The IDE knows of no such session; that it is over is our conclusion.
    Gone,
    /// It is none of ours. Nothing was sent, and nothing will be heard of it.
    NotOurs,
}

/// Stats for those who watch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectionStats {
    /// How full the buffer is.
    pub buffer: Stats,
    /// Notifications by type.
    pub received: Tally,
    /// What was skipped, by reason.
    pub skipped: Tally,
    /// How often the IDE was connected.
    pub connections: u64,
}

/// What the socket, requests and the reconciler share.
pub(super) struct Shared {
    pub(super) client: Client,
    pub(super) timing: Timing,
    pub(super) link: watch::Sender<ConnectionState>,
    pub(super) news: Notify,
    pub(super) stop: CancellationToken,
    pub(super) runtime: Handle,
    pub(super) state: Mutex<State>,
}

pub(super) struct State {
    pub(super) buffer: NotificationBuffer,
    counts: ConnectionStats,
    /// What was agreed on last, for requests while the socket is down.
    agreed: Option<Agreed>,
    /// Ends that somebody waits for.
    ends: HashMap<SessionId, CancellationToken>,
}

/// A connection to an IDE. Clones are the same connection; it closes when the last one is gone.
#[derive(Clone)]
pub struct Connection {
    shared: Arc<Shared>,
    _open: Arc<DropGuard>,
}

/// The notifications of a connection.
pub struct Notifications(Arc<Shared>);

impl Connection {
    /// Connects, now and whenever the connection is lost. Sessions of an earlier life are given as `known`,
    /// before anything is heard of them.
    ///
    /// Must be called within a runtime.
    pub fn open(
        endpoint: Endpoint,
        instance: InstanceId,
        known: impl IntoIterator<Item = SessionId>,
        options: Options,
    ) -> Result<(Self, Notifications), OpenConnectionError> {
        let Options { timing, limits, egress, lookup } = options;
        let endpoint = Arc::new(endpoint);
        let dialer = Dialer::new(endpoint.clone(), egress, lookup)?;
        let mut buffer = NotificationBuffer::new(limits);
        known.into_iter().for_each(|session| buffer.adopt(&session));
        let shared = Arc::new(Shared {
            client: Client::new(endpoint, instance, dialer, timing.request),
            timing,
            link: watch::Sender::new(ConnectionState::Connecting { failures: 0, why: None }),
            news: Notify::new(),
            stop: CancellationToken::new(),
            runtime: Handle::current(),
            state: Mutex::new(State {
                buffer,
                counts: ConnectionStats::default(),
                agreed: None,
                ends: HashMap::new(),
            }),
        });
        shared.runtime.spawn(socket::keep(shared.clone()));
        let open = Arc::new(shared.stop.clone().drop_guard());
        Ok((Self { shared: shared.clone(), _open: open }, Notifications(shared)))
    }

    /// Whether the IDE is connected, now and whenever that changes.
    pub fn link(&self) -> watch::Receiver<ConnectionState> {
        self.shared.link.subscribe()
    }

    /// Waits until the IDE is connected, for as long as a request may take. To be awaited before a slot for
    /// starts is taken, so that an IDE that is away keeps nobody else waiting.
    pub async fn connected(&self) -> Result<(), StartError> {
        Ok(self.shared.connected_within(self.shared.timing.request).await?)
    }

    /// Creates a session. See [`Start`] for what to do with it.
    pub async fn start(&self, request: &RunRequest) -> Result<Start, StartError> {
        start::start(&self.shared, request).await
    }

    /// Stops a session and waits for its end.
    pub async fn stop(&self, session: &SessionId) -> Result<Stop, StopError> {
        self.shared.stop(session).await
    }

    /// Makes a session of an earlier life ours. Those known from the start belong to [`Connection::open`].
    pub fn adopt(&self, session: &SessionId) {
        self.shared.state.lock().buffer.adopt(session);
        self.shared.news.notify_one();
    }

    /// Is done with a session: what waits is dropped, what comes late is ignored.
    pub fn release(&self, session: &SessionId) {
        let mut state = self.shared.state.lock();
        state.buffer.release(session, Instant::now());
        state.over(session);
    }

    /// Stats for those who watch.
    pub fn counts(&self) -> ConnectionStats {
        let state = self.shared.state.lock();
        ConnectionStats { buffer: state.buffer.stats(), ..state.counts.clone() }
    }

    /// Says goodbye to the IDE and returns when that is done. Sessions go on.
    pub async fn close(&self) {
        self.shared.stop.cancel();
        // The sender lives as long as we do.
        self.link().wait_for(|link| matches!(link, ConnectionState::Closed)).await.ok();
    }
}

impl Notifications {
    /// The next notification; none when the connection is closed and everything was taken. May be dropped
    /// while it waits.
    pub async fn next(&mut self) -> Option<Notification> {
        loop {
            if let Some(next) = self.0.state.lock().buffer.take() {
                return Some(next);
            }
            if matches!(*self.0.link.borrow(), ConnectionState::Closed) {
                return None;
            }
            self.0.news.notified().await;
        }
    }
}

impl Shared {
    /// What was agreed on, while the socket is open.
    pub(super) fn agreed_now(&self) -> Result<Agreed, StartErrorKind> {
        match &*self.link.borrow() {
            ConnectionState::Connected(agreed) => Ok(agreed.clone()),
            ConnectionState::Connecting { .. } => Err(StartErrorKind::NotConnected),
            ConnectionState::Closed => Err(StartErrorKind::Closed),
        }
    }

    pub(super) async fn connected_within(&self, limit: Duration) -> Result<(), StartErrorKind> {
        let mut link = self.link.subscribe();
        let settled = link.wait_for(|link| !matches!(link, ConnectionState::Connecting { .. }));
        match tokio::time::timeout(limit, settled).await {
            Ok(Ok(link)) if matches!(*link, ConnectionState::Connected(_)) => Ok(()),
            Ok(_) => Err(StartErrorKind::Closed),
            Err(_) => Err(StartErrorKind::NotConnected),
        }
    }

    /// The socket is open.
    pub(super) fn connected(&self, agreed: Agreed) {
        {
            let mut state = self.state.lock();
            state.counts.connections += 1;
            state.agreed = Some(agreed.clone());
        }
        tracing::debug!(version = %agreed.version, "the IDE is connected");
        self.link.send_replace(ConnectionState::Connected(agreed));
    }

    /// The socket is not open.
    pub(super) fn lost(&self, failures: u32, why: ConnectError) {
        tracing::debug!(failures, %why, "the IDE is not connected");
        self.link.send_replace(ConnectionState::Connecting { failures, why: Some(Arc::new(why)) });
    }

    /// Takes in what came over the socket.
    pub(super) fn take_in(&self, read: Result<Notification, Skip>) {
        let mut state = self.state.lock();
        let skipped = match read {
            Err(skip) => Some(skip.name()),
            Ok(notification) => {
                *state.counts.received.entry(notification.what.name()).or_default() += 1;
                let session = notification.session.clone();
                match state.buffer.notify(notification, Instant::now()) {
                    Disposition::Kept => None,
                    Disposition::Ended => {
                        state.over(&session);
                        None
                    }
                    Disposition::Repeated => Some("repeated"),
                    Disposition::Late => Some("late"),
                    Disposition::Unknown => Some("unknown_session"),
                }
            }
        };
        match skipped {
            Some(why) => *state.counts.skipped.entry(why).or_default() += 1,
            None => self.news.notify_one(),
        }
    }

    /// Stops a session and waits for its end.
    pub(super) async fn stop(&self, session: &SessionId) -> Result<Stop, StopError> {
        let (over, agreed) = {
            let mut state = self.state.lock();
            if !state.buffer.owns(session) {
                return Ok(Stop::NotOurs);
            }
            (state.ends.entry(session.clone()).or_default().clone(), state.agreed.clone())
        };
        let version = agreed.ok_or(StopErrorKind::NotConnected)?.version;
        let path = format!("/run_session/{session}?api-version={version}");
        let answer = self.client.ask(Method::DELETE, &path, None).await.map_err(StopErrorKind::from)?;
        let stop = match answer.status {
            StatusCode::OK => {
                // Often it comes before the answer.
                let ended = self.state.lock().buffer.has_ended(session)
                    || tokio::time::timeout(self.timing.end, over.cancelled()).await.is_ok();
                if ended { Stop::Ended } else { Stop::Silent }
            }
            StatusCode::NO_CONTENT => Stop::Gone,
            status => return Err(StopErrorKind::Status { status, said: answer.said() }.into()),
        };
        let mut state = self.state.lock();
        state.buffer.conclude(session);
        state.over(session);
        self.news.notify_one();
        Ok(stop)
    }
}

impl State {
    /// Tells who waits that a session is over.
    fn over(&mut self, session: &SessionId) {
        if let Some(over) = self.ends.remove(session) {
            over.cancel();
        }
    }
}

impl ConnectionState {
    /// A short name of why an IDE is not connected, as the reason of a condition.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Connected(_) => "Connected",
            Self::Closed => "Closed",
            Self::Connecting { why: None, .. } => "Connecting",
            Self::Connecting { why: Some(why), .. } => why.reason(),
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("link", &*self.shared.link.borrow()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Notifications {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notifications").finish_non_exhaustive()
    }
}
