//! Notifications of an IDE about sessions, parsed from the text of WebSocket frames.
//!
//! A frame holds any number of JSON objects. An invalid one is skipped and counted; it never affects others, least of
//! all those of other sessions.

use super::{
    problem::Problem,
    session::SessionId,
    text::{first, line},
};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Bytes of one captured line that are kept at most.
const MAX_LINE: usize = 256 << 10;

/// A notification about one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// The session.
    pub session: SessionId,
    /// The content.
    pub what: Payload,
}

/// The content of a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// The session has a process.
    Process {
        /// The process id, if the IDE knows it. Values below 1 mean nothing.
        pid: Option<i64>,
    },
    /// The session has ended.
    Ended(End),
    /// The process wrote a line.
    Log {
        /// To standard error instead of standard output.
        stderr: bool,
        /// The line as received, at most 256 KiB of it.
        line: String,
    },
    /// A message of the IDE for users. The text is safe for a status.
    Message {
        /// Severity.
        level: Level,
        /// The text.
        text: String,
    },
    /// So many notifications before the next one were dropped, because they were not consumed in time.
    Dropped(u64),
}

/// The end of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Exit code; absent when unknown.
    pub exit_code: Option<i32>,
    /// The source of this fact.
    pub told_by: Teller,
}

/// The source of the end of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Teller {
    /// The IDE.
    Ide,
    /// The operator infers it: the IDE does not know the session, or stopped it and sends no notification.
    Client,
}

/// The severity of a message of an IDE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// An error.
    Error,
    /// Information.
    Info,
    /// Details for debugging.
    Debug,
}

/// Why a JSON object of a frame was skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Skip {
    /// It is not a JSON object.
    Malformed,
    /// Its type is unknown. Greetings of peers are of this kind.
    UnknownType,
    /// It names no session.
    NoSession,
    /// A field of it has the wrong type.
    BadField,
    /// It is a message without text, or of an unknown level.
    Blank,
}

impl Payload {
    /// The value of the metrics label.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Process { .. } => "processRestarted",
            Self::Ended(_) => "sessionTerminated",
            Self::Log { .. } => "serviceLogs",
            Self::Message { .. } => "sessionMessage",
            Self::Dropped(_) => "lost",
        }
    }

    /// Its size in bytes, for the limits of the buffer.
    pub(super) fn weight(&self) -> usize {
        let text = match self {
            Self::Log { line, .. } => line.len(),
            Self::Message { text, .. } => text.len(),
            Self::Process { .. } | Self::Ended(_) | Self::Dropped(_) => 0,
        };
        text + size_of::<Self>()
    }
}

impl Skip {
    /// The value of the metrics label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::UnknownType => "unknown_type",
            Self::NoSession => "no_session",
            Self::BadField => "bad_field",
            Self::Blank => "blank",
        }
    }
}

/// Reads the text of a frame: JSON objects, one a line or one after another.
pub fn read(frame: &str) -> impl Iterator<Item = Result<Notification, Skip>> + '_ {
    frame.split(['\n', '\r']).filter(|line| !line.trim().is_empty()).flat_map(|line| {
        // The iterator ends at its first error, since nothing tells where the next object would begin.
        serde_json::Deserializer::from_str(line)
            .into_iter::<Value>()
            .map(|object| interpret(object.map_err(|_| Skip::Malformed)?))
    })
}

fn interpret(object: Value) -> Result<Notification, Skip> {
    let Value::Object(mut fields) = object else { return Err(Skip::Malformed) };
    let read: fn(&mut Map<String, Value>) -> Result<Payload, Skip> =
        match fields.get("notification_type").and_then(Value::as_str) {
            Some("processRestarted") => process,
            Some("sessionTerminated") => ended,
            Some("serviceLogs") => log,
            Some("sessionMessage") => said,
            _ => return Err(Skip::UnknownType),
        };
    let session = fields.get("session_id").and_then(Value::as_str).filter(|id| !id.is_empty());
    let session = SessionId::read(session.ok_or(Skip::NoSession)?).map_err(|_| Skip::BadField)?;
    Ok(Notification { session, what: read(&mut fields)? })
}

fn process(fields: &mut Map<String, Value>) -> Result<Payload, Skip> {
    match fields.get("pid") {
        None | Some(Value::Null) => Ok(Payload::Process { pid: None }),
        Some(pid) => Ok(Payload::Process { pid: Some(pid.as_i64().ok_or(Skip::BadField)?) }),
    }
}

/// An end is an end, whatever its code looks like.
fn ended(fields: &mut Map<String, Value>) -> Result<Payload, Skip> {
    let code = fields.get("exit_code").and_then(Value::as_i64);
    Ok(Payload::Ended(End { exit_code: code.and_then(exit_code), told_by: Teller::Ide }))
}

fn log(fields: &mut Map<String, Value>) -> Result<Payload, Skip> {
    let stderr = fields.get("is_std_err").and_then(Value::as_bool).ok_or(Skip::BadField)?;
    let Some(Value::String(mut line)) = fields.remove("log_message") else { return Err(Skip::BadField) };
    line.truncate(first(&line, MAX_LINE).len());
    line.shrink_to_fit();
    Ok(Payload::Log { stderr, line })
}

fn said(fields: &mut Map<String, Value>) -> Result<Payload, Skip> {
    let level = match fields.get("level").map(Value::as_str) {
        Some(Some("error")) => Level::Error,
        Some(Some("info")) => Level::Info,
        Some(Some("debug")) => Level::Debug,
        Some(Some(_)) => return Err(Skip::Blank),
        _ => return Err(Skip::BadField),
    };
    let message = match fields.get("message") {
        None | Some(Value::Null) => return Err(Skip::Blank),
        Some(message) => message.as_str().ok_or(Skip::BadField)?,
    };
    if message.trim().is_empty() {
        return Err(Skip::Blank);
    }
    let text = match level {
        Level::Info | Level::Debug => line(message),
        Level::Error => {
            Problem::deserialize(Value::Object(std::mem::take(fields))).map_err(|_| Skip::BadField)?.to_text()
        }
    };
    Ok(Payload::Message { level, text })
}

/// The 32 bits of a code that a system gives as signed or as unsigned; none outside of both.
fn exit_code(code: i64) -> Option<i32> {
    i32::try_from(code).or_else(|_| u32::try_from(code).map(u32::cast_signed)).ok()
}

#[cfg(test)]
mod tests;
