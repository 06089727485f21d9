//! Creating a run session.
//!
//! A create request cannot be repeated, and one whose response is dropped would leave a session behind without an
//! owner. So a request that was sent is completed even when its caller is gone, and a session without an owner is
//! deleted.

use super::{
    buffer::{Created, EndedEarly, SessionIdTakenError, Ticket, TooManySessionsError},
    connection::Shared,
    launch::{RunRequest, Unsupported},
    request::RequestError,
    session::{ReadSessionIdError, SessionId},
    version::Version,
};
use http::{Method, StatusCode};
use std::{fmt, sync::Arc, time::Instant};
use tokio::sync::oneshot;

/// The result of a successful create request.
#[derive(Debug)]
pub enum Start {
    /// The IDE created the session.
    Running(Started),
    /// The session ended before the IDE responded. No further notifications arrive.
    Over {
        /// The session.
        session: SessionId,
        /// What was received of the session.
        early: EndedEarly,
    },
}

/// A session that the IDE created, whose notifications are held until [`Started::confirm`]. If this is dropped before,
/// the session has no owner, and is stopped and released.
pub struct Started {
    session: SessionId,
    shared: Arc<Shared>,
    confirmed: bool,
}

/// The session was not created.
#[derive(Debug, thiserror::Error)]
#[error("run session could not be started: {cause}")]
pub struct StartError {
    /// The cause.
    #[from]
    pub cause: StartErrorKind,
}

/// Why a session was not created.
#[derive(Debug, thiserror::Error)]
pub enum StartErrorKind {
    /// The connection was closed by us.
    #[error("the IDE session endpoint is not available")]
    Closed,
    /// The IDE is not connected now. Nothing was sent.
    #[error("the IDE is not connected")]
    NotConnected,
    /// The endpoint has as many sessions as it may have. Nothing was sent.
    #[error(transparent)]
    TooManySessions(#[from] TooManySessionsError),
    /// The IDE cannot launch it. Nothing was sent.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// There was no answer. The IDE may have created a session.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The IDE refused.
    #[error("IDE returned unexpected status: {said}")]
    Status {
        /// The status.
        status: StatusCode,
        /// Status line and body.
        said: String,
    },
    /// The answer names no session.
    #[error("IDE response is missing required 'Location' header")]
    NoLocation,
    /// The answer's session cannot be named.
    #[error(transparent)]
    SessionId(#[from] ReadSessionIdError),
    /// The response names a session that has another owner.
    #[error(transparent)]
    SessionIdTaken(#[from] SessionIdTakenError),
}

impl Started {
    /// The id of the session.
    pub fn session(&self) -> &SessionId {
        &self.session
    }

    /// Releases the notifications of the session, including those that were held: its owner has recorded it.
    pub fn confirm(mut self) {
        self.confirmed = true;
        self.shared.state.lock().buffer.confirm(&self.session);
        self.shared.news.notify_one();
    }
}

impl fmt::Debug for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Started").field(&self.session).finish()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if self.confirmed {
            return;
        }
        let (shared, session) = (self.shared.clone(), self.session.clone());
        self.shared.runtime.spawn(async move {
            if let Err(error) = shared.stop(&session).await {
                tracing::warn!(%session, "a run session without an owner may be left in the IDE");
                tracing::debug!(%session, %error, "it could not be stopped");
            }
            shared.state.lock().buffer.release(&session, Instant::now());
        });
    }
}

/// A create request in progress. Its ticket is returned to the buffer when this is dropped.
struct Outstanding {
    shared: Arc<Shared>,
    ticket: Option<Ticket>,
}

impl Drop for Outstanding {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.shared.state.lock().buffer.failed(ticket);
        }
    }
}

/// Creates a session. The future may be dropped at any time: the request is completed, and the session is deleted.
pub(super) async fn start(shared: &Arc<Shared>, request: &RunRequest) -> Result<Start, StartError> {
    let agreed = shared.agreed_now()?;
    request.launch.check(&agreed.launches).map_err(StartErrorKind::from)?;
    let ticket = shared.state.lock().buffer.begin().map_err(StartErrorKind::from)?;
    let outstanding = Outstanding { shared: shared.clone(), ticket: Some(ticket) };
    let (tell, told) = oneshot::channel();
    let body = request.body();
    shared.runtime.spawn(async move {
        let result = create(outstanding, body, agreed.version).await;
        // If the caller is gone, `Started` is dropped here, and so the session is stopped.
        drop(tell.send(result));
    });
    Ok(told.await.unwrap_or(Err(StartErrorKind::Closed))?)
}

async fn create(
    mut outstanding: Outstanding,
    body: String,
    version: Version,
) -> Result<Start, StartErrorKind> {
    let shared = outstanding.shared.clone();
    let path = format!("/run_session?api-version={version}");
    let answer = shared.client.ask(Method::PUT, &path, Some(body)).await?;
    if !matches!(answer.status, StatusCode::OK | StatusCode::CREATED) {
        return Err(StartErrorKind::Status { status: answer.status, said: answer.said() });
    }
    let session = SessionId::of_location(&answer.location.ok_or(StartErrorKind::NoLocation)?)?;
    let created = match outstanding.ticket.take() {
        Some(ticket) => shared.state.lock().buffer.created(ticket, &session, Instant::now())?,
        None => return Err(StartErrorKind::Closed),
    };
    match created {
        Created::Over(early) => Ok(Start::Over { session, early }),
        Created::Waiting => {
            let started = Started { session, shared: shared.clone(), confirmed: false };
            // Lost on the way, the IDE keeps what it has to say until it is connected again.
            shared.connected_within(shared.timing.request).await.ok();
            Ok(Start::Running(started))
        }
    }
}
