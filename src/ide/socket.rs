//! The WebSocket of an endpoint: opened, read, and reopened when it is lost.
//!
//! Only the transport ends it. Invalid notifications of a peer are counted and otherwise ignored.

use super::{
    MAX_BYTES,
    connection::{ConnectionState, Shared},
    dial::DialError,
    notification,
    reason::ConnectionReason,
    request::{RequestError, Subscription},
    version::{Agreed, Info, NegotiateVersionError},
};
use crate::reason::Reason;
use futures::{SinkExt, StreamExt};
use http::{Method, StatusCode};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, MissedTickBehavior, sleep, sleep_until, timeout};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self, Message, Utf8Bytes,
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
    },
};

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Bytes per read from the socket.
const READ_BUFFER: usize = 16 << 10;
/// Notifications of one frame after which the task yields.
const TURN: usize = 64;

/// The WebSocket cannot be opened, or was lost.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The request for the protocol versions failed.
    #[error("the IDE cannot be asked for its protocol versions: {0}")]
    Ask(#[source] RequestError),
    /// The response to it has an error status.
    #[error("the IDE does not tell its protocol versions: {said}{}", way_out(*status))]
    NotTold {
        /// Status of the response.
        status: StatusCode,
        /// Status line and text of the body.
        said: String,
    },
    /// The response to it cannot be parsed.
    #[error("the IDE's protocol versions cannot be read: {0}")]
    Read(#[source] serde_json::Error),
    /// There is no common version of the protocol.
    #[error(transparent)]
    Version(#[from] NegotiateVersionError),
    /// The request for the WebSocket failed.
    #[error("the IDE cannot be asked for notifications: {0}")]
    Subscribe(#[source] RequestError),
    /// The IDE refused the WebSocket.
    #[error("the IDE refuses notifications: {said}{}", way_out(*status))]
    NotSubscribed {
        /// Status of the response.
        status: StatusCode,
        /// Status line and text of the body.
        said: String,
    },
    /// The connection was lost.
    #[error("the connection to the IDE was lost: {0}")]
    Disconnected(#[from] DisconnectError),
}

/// The remedy for an error status, if there is one.
fn way_out(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            "; DEBUG_SESSION_TOKEN must be the token that the IDE was started with"
        }
        _ => "",
    }
}

impl ConnectError {
    /// The reason of the condition that reports it.
    pub fn reason(&self) -> &'static str {
        self.connection_reason().as_str()
    }

    fn connection_reason(&self) -> ConnectionReason {
        match self {
            Self::Version(_) => ConnectionReason::VersionTooOld,
            Self::Ask(error) | Self::Subscribe(error) => match error {
                RequestError::Dial(DialError::Egress(_)) => ConnectionReason::AddressNotAllowed,
                RequestError::Dial(DialError::Refused { .. }) => ConnectionReason::ConnectionRefused,
                RequestError::Dial(DialError::Trust(_) | DialError::Tls(_)) => {
                    ConnectionReason::CertificateRefused
                }
                RequestError::Dial(DialError::Resolve { .. } | DialError::Connect { .. })
                | RequestError::Timeout(_) => ConnectionReason::Unreachable,
                RequestError::Exchange(_) | RequestError::Write(_) | RequestError::TooLarge => {
                    ConnectionReason::BadAnswer
                }
            },
            Self::NotTold { status, .. } | Self::NotSubscribed { status, .. } => match *status {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ConnectionReason::TokenRefused,
                _ => ConnectionReason::BadAnswer,
            },
            Self::Read(_) => ConnectionReason::BadAnswer,
            Self::Disconnected(_) => ConnectionReason::ConnectionLost,
        }
    }
}

/// How a connection was lost.
#[derive(Debug, thiserror::Error)]
pub enum DisconnectError {
    /// The IDE closed it, with this reason.
    #[error("the IDE closed it{}{}", if .0.is_empty() { "" } else { ": " }, .0)]
    Closed(String),
    /// The IDE sent nothing for this long, although it answers pings.
    #[error("the IDE was silent for {0:?}")]
    Silent(Duration),
    /// The transport failed.
    #[error("{0}")]
    Transport(#[source] Box<tungstenite::Error>),
}

impl From<tungstenite::Error> for DisconnectError {
    fn from(error: tungstenite::Error) -> Self {
        Self::Transport(Box::new(error))
    }
}

/// Keeps the endpoint connected until it is closed.
pub(super) async fn keep(shared: Arc<Shared>) {
    let stop = shared.stop.clone();
    // What is under way is dropped with its connection; only an open socket has something to say first.
    let mut socket = None;
    stop.run_until_cancelled(connect_for_ever(&shared, &mut socket)).await;
    if let Some(socket) = socket {
        close(socket, shared.timing.close).await;
    }
    shared.link.send_replace(ConnectionState::Closed);
    shared.news.notify_one();
}

async fn connect_for_ever(shared: &Shared, socket: &mut Option<Socket>) {
    let mut failures = 0;
    loop {
        match connect(shared).await {
            Ok((opened, agreed)) => {
                let (since, open) = (Instant::now(), socket.insert(opened));
                shared.connected(agreed.clone());
                let lost = listen(shared, open, &agreed).await;
                failures += 1;
                shared.lost(failures, lost.into());
                if let Some(socket) = socket.take() {
                    close(socket, shared.timing.close).await;
                }
                // One that did not last counts as a failed attempt: two operators that keep evicting each
                // other slow down.
                if since.elapsed() >= shared.timing.max_backoff {
                    failures = 0;
                }
                let wait = if failures > 1 { backoff(shared, failures - 1) } else { Duration::ZERO };
                sleep(wait.max(shared.timing.pause)).await;
            }
            Err(error) => {
                failures += 1;
                shared.lost(failures, error);
                sleep(backoff(shared, failures)).await;
            }
        }
    }
}

fn backoff(shared: &Shared, failures: u32) -> Duration {
    shared.timing.backoff(failures, rand::random())
}

async fn connect(shared: &Shared) -> Result<(Socket, Agreed), ConnectError> {
    let answer = shared.client.ask(Method::GET, "/info", None).await.map_err(ConnectError::Ask)?;
    if answer.status != StatusCode::OK {
        return Err(ConnectError::NotTold { status: answer.status, said: answer.said() });
    }
    let info: Info = serde_json::from_slice(&answer.body).map_err(ConnectError::Read)?;
    let agreed = info.agree()?;
    let path = format!("/run_session/notify?api-version={}", agreed.version);
    match shared.client.subscribe(&path).await.map_err(ConnectError::Subscribe)? {
        Subscription::Refused(answer) => {
            Err(ConnectError::NotSubscribed { status: answer.status, said: answer.said() })
        }
        Subscription::Open(stream) => {
            let config = WebSocketConfig::default()
                .read_buffer_size(READ_BUFFER)
                .max_message_size(Some(MAX_BYTES))
                .max_frame_size(Some(MAX_BYTES));
            Ok((WebSocketStream::from_raw_socket(stream, Role::Client, Some(config)).await, agreed))
        }
    }
}

/// Reads notifications until the connection is lost.
async fn listen(shared: &Shared, socket: &mut Socket, agreed: &Agreed) -> DisconnectError {
    let silence = shared.timing.silence;
    // Without pings, or without answers to them, a quiet peer is no dead peer.
    let watched = shared.timing.keepalive.is_some() && agreed.version.answers_pings();
    let mut pings = tokio::time::interval(shared.timing.keepalive.unwrap_or(Duration::from_secs(86_400)));
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings.reset();
    let mut deadline = Instant::now() + silence;
    loop {
        let message = tokio::select! {
            message = socket.next() => message,
            _ = pings.tick(), if shared.timing.keepalive.is_some() => {
                // A peer that takes nothing in is as silent as one that says nothing.
                match timeout(silence, socket.send(Message::Ping(Vec::new().into()))).await {
                    Ok(Ok(())) => continue,
                    Ok(Err(error)) => return error.into(),
                    Err(_) => return DisconnectError::Silent(silence),
                }
            }
            () = sleep_until(deadline), if watched => return DisconnectError::Silent(silence),
        };
        deadline = Instant::now() + silence;
        match message {
            Some(Ok(Message::Text(frame))) => take_in(shared, &frame).await,
            Some(Ok(Message::Close(frame))) => {
                let reason = frame.map(|frame| super::text::line(&frame.reason));
                return DisconnectError::Closed(reason.unwrap_or_default());
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => return error.into(),
            None => return DisconnectError::Closed(String::new()),
        }
    }
}

async fn take_in(shared: &Shared, frame: &str) {
    for (at, read) in notification::read(frame).enumerate() {
        shared.take_in(read);
        if at % TURN == TURN - 1 {
            tokio::task::yield_now().await;
        }
    }
}

async fn close(mut socket: Socket, within: Duration) {
    let frame = CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::from_static("") };
    if !matches!(timeout(within, socket.close(Some(frame))).await, Ok(Ok(()))) {
        tracing::debug!("the close frame did not reach the IDE");
    }
}
