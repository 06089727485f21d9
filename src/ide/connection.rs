//! The connection to one IDE: starts, stops and releases sessions, and delivers notifications.
//!
//! Starts and stops are requests of their own; the WebSocket is kept open beside them. Nothing is decided about a
//! session here: its end is reported, not interpreted.

use super::{
    buffer::{Disposition, Limits, NotificationBuffer, Stats, Tally},
    dial::{Dialer, Lookup, SystemLookup},
    egress::Egress,
    endpoint::Endpoint,
    instance::InstanceId,
    launch::RunRequest,
    notification::{Notification, Skip},
    reason::ConnectionReason,
    request::Client,
    session::SessionId,
    socket,
    start::{self, Start, StartError, StartErrorKind},
    timing::Timing,
    version::Agreed,
};
use crate::reason::Reason;
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

/// The options of a connection.
pub struct Options {
    /// Timeouts and intervals.
    pub timing: Timing,
    /// Limits of the notification buffer.
    pub limits: Limits,
    /// Addresses that may be connected to.
    pub egress: Egress,
    /// Resolves host names.
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

/// The state of a connection.
#[derive(Clone, Debug)]
pub enum ConnectionState {
    /// The IDE is not connected; the connection is retried.
    Connecting {
        /// Consecutive failed attempts; 0 before the first.
        failures: u32,
        /// The error of the last attempt, or of the connection that was lost.
        why: Option<Arc<ConnectError>>,
    },
    /// The IDE is connected.
    Connected(Agreed),
    /// The connection was closed by the operator. This is final.
    Closed,
}

/// The session was not stopped.
#[derive(Debug, thiserror::Error)]
#[error("run session could not be stopped: {cause}")]
pub struct StopError {
    /// The cause.
    #[from]
    pub cause: StopErrorKind,
}

/// Why a session was not stopped.
#[derive(Debug, thiserror::Error)]
pub enum StopErrorKind {
    /// The IDE has never been connected, so its protocol version is unknown.
    #[error("the IDE is not connected")]
    NotConnected,
    /// There was no answer.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The IDE responded with an error status.
    #[error("{said}")]
    Status {
        /// The status.
        status: StatusCode,
        /// Status line and body.
        said: String,
    },
}

/// How a session was stopped. Except for the last, its end is among the notifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The IDE reported the end.
    Ended,
    /// The IDE accepted the request and reported no end in time; the end is inferred.
    Silent,
    /// The IDE does not know the session; the end is inferred.
    Gone,
    /// The session is not the operator's. Nothing was sent.
    NotOurs,
}

/// Counters of a connection, for metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectionStats {
    /// The state of the notification buffer.
    pub buffer: Stats,
    /// Notifications by type.
    pub received: Tally,
    /// Skipped notifications by reason.
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
    /// The last negotiated version, for requests while the socket is down.
    agreed: Option<Agreed>,
    /// Cancelled when the session ends, for tasks that wait for that.
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
    /// Connects, and reconnects when the connection is lost. `known` are sessions of an earlier process, registered
    /// before notifications about them arrive.
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

    /// The state of the connection, and its changes.
    pub fn link(&self) -> watch::Receiver<ConnectionState> {
        self.shared.link.subscribe()
    }

    /// Waits until the IDE is connected, at most for the time of a request. To be awaited before a slot for starts is
    /// taken, so that an IDE that is away does not block other starts.
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

    /// Takes ownership of a session of an earlier process. Those known at the start are given to [`Connection::open`].
    pub fn adopt(&self, session: &SessionId) {
        self.shared.state.lock().buffer.adopt(session);
        self.shared.news.notify_one();
    }

    /// Gives up a session: held notifications are dropped, later ones are ignored.
    pub fn release(&self, session: &SessionId) {
        let mut state = self.shared.state.lock();
        state.buffer.release(session, Instant::now());
        state.over(session);
    }

    /// Counters of a connection, for metrics.
    pub fn counts(&self) -> ConnectionStats {
        let state = self.shared.state.lock();
        ConnectionStats { buffer: state.buffer.stats(), ..state.counts.clone() }
    }

    /// Closes the WebSocket and returns when that is done. Sessions go on.
    pub async fn close(&self) {
        self.shared.stop.cancel();
        // The sender lives as long as we do.
        self.link().wait_for(|link| matches!(link, ConnectionState::Closed)).await.ok();
    }
}

impl Notifications {
    /// The next notification; `None` when the connection is closed and all are consumed. Cancel safe.
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
    /// The negotiated version, while the socket is open.
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

    /// Buffers or counts what was received over the socket.
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
    /// Wakes the tasks that wait for the end of a session.
    fn over(&mut self, session: &SessionId) {
        if let Some(over) = self.ends.remove(session) {
            over.cancel();
        }
    }
}

impl ConnectionState {
    /// The reason of the condition that reports the state.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Connected(_) => ConnectionReason::Connected.as_str(),
            Self::Closed => ConnectionReason::Closed.as_str(),
            Self::Connecting { why: None, .. } => ConnectionReason::Connecting.as_str(),
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
