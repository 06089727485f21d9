//! What the fake does instead of what it should. Each list holds what happens to the next requests of its
//! kind, in order; with an empty list the fake behaves. What is said of one session comes before what is said of all,
//! so that tests can share a fake.

use http::StatusCode;
use serde_json::Value;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::sync::Semaphore;

/// See the module.
#[derive(Debug, Default)]
pub struct Script {
    /// `GET /info`.
    pub info: VecDeque<Vec<Step>>,
    /// `PUT /run_session`.
    pub create: VecDeque<Vec<Step>>,
    /// `DELETE /run_session/{id}`.
    pub stop: VecDeque<Vec<Step>>,
    /// `PUT /run_session` with a body that has this text, once each.
    pub create_of: Vec<(String, Vec<Step>)>,
    /// `DELETE /run_session/{id}`, by that id.
    pub stop_of: BTreeMap<String, VecDeque<Vec<Step>>>,
    /// `GET /run_session/notify`.
    pub subscribe: VecDeque<Vec<Step>>,
    /// Whether it reads nothing from the WebSocket, so that pings stay unanswered.
    pub deaf: bool,
}

/// One step of what happens to a request. What comes after the answer happens after it.
#[derive(Clone, Debug)]
pub enum Step {
    /// Sends a notification, of the session that the request is about unless it names one.
    Notify(Value),
    /// Waits.
    Wait(Duration),
    /// Waits for a permit.
    Hold(Arc<Semaphore>),
    /// Drops the WebSocket without a word.
    DropSocket,
    /// Answers. A script without it ends with what the fake does when it behaves.
    Answer(Answer),
}

/// An answer.
#[derive(Clone, Debug)]
pub enum Answer {
    /// What the fake answers when it behaves.
    Behave,
    /// A status with a body.
    Status(StatusCode, String),
    /// A status with a `Location` and no body.
    Location(StatusCode, String),
    /// A status with a body of so many bytes.
    Flood(StatusCode, usize),
    /// None: the connection ends.
    Drop,
    /// None: the connection stays.
    Hang,
}

impl Answer {
    /// An error as the protocol writes it.
    pub fn failure(status: StatusCode, code: &str, message: &str) -> Self {
        let body = serde_json::json!({"error": {"code": code, "message": message}});
        Self::Status(status, body.to_string())
    }
}

impl From<Answer> for Step {
    fn from(answer: Answer) -> Self {
        Self::Answer(answer)
    }
}
