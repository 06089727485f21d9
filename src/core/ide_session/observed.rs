//! What a decision is made of: the session, what is known of its IDE and of its run, and what can be done.
//!
//! The decisions and the code that carries them out share these values only. The facts come from the connections to
//! IDEs, by the UID of the session, so that a new object of the same name never gets those of an earlier one.

use super::reasons::{EndpointReason, LogsReason};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use sojourn_crds::ide_session::IdeSession;
use std::sync::Arc;

/// What is known of one session.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The session.
    pub session: Arc<IdeSession>,
    /// The IDE that it is for.
    pub endpoint: EndpointFacts,
    /// What this process knows of its run; none when it has not begun one and taken none over since it leads.
    pub run: Option<RunFacts>,
    /// What it wrote.
    pub capture: Capture,
}

/// What a decision may know beside what was observed.
#[derive(Clone, Copy, Debug)]
pub struct PlanContext {
    /// The moment that the decision is made for.
    pub now: Timestamp,
    /// How long a session waits for its IDE to be connected.
    pub patience: SignedDuration,
}

/// What is known of the IDE that a session is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointFacts {
    /// There is none, or none that may be used.
    Missing {
        /// Why, in one word.
        reason: EndpointReason,
        /// Why, and what to do about it. The same as long as nothing changes: it is written into the status.
        message: String,
    },
    /// It is known how it is reached.
    Known {
        /// UID of the Secret that says so; none for the operator's own environment.
        secret_uid: Option<String>,
        /// Who we are to it.
        instance_id: String,
        /// Whether it is connected now.
        connected: bool,
        /// Why it is or is not, in one word.
        reason: &'static str,
        /// Why it is or is not, and what to do about it. The same as long as nothing changes: an attempt that fails
        /// like the one before says the same.
        message: String,
    },
}

/// What this process knows of a run beside what is on record. It begins with [`Command::Record`] or
/// [`Command::Adopt`] and ends with [`Command::Release`], or when this process leads no more.
#[derive(Clone, Debug, PartialEq)]
pub struct RunFacts {
    /// What became of the start.
    pub start: StartFacts,
    /// What became of the stop.
    pub stop: StopFacts,
    /// The process, as the IDE said last; always positive.
    pub pid: Option<i64>,
    /// The last error that the IDE told, fit for a status.
    pub message: Option<String>,
    /// The end of a session whose notifications come through.
    pub end: Option<EndFacts>,
}

impl RunFacts {
    /// A run that has only begun to be known.
    pub fn new(start: StartFacts) -> Self {
        Self { start, stop: StopFacts::NotAsked, pid: None, message: None, end: None }
    }
}

/// What became of a start.
#[derive(Clone, Debug, PartialEq)]
pub enum StartFacts {
    /// Nobody asked for it yet. Nothing was sent.
    NotAsked,
    /// It waits for the IDE, or for its turn. Nothing was sent, and it can still be called off.
    Waiting,
    /// It was called off before it was sent, and never will be.
    Cancelled,
    /// The request is under way. It is seen to its end.
    Sent,
    /// The IDE created the session. What it says of it waits for [`Command::Confirm`].
    Accepted {
        /// The IDE's name for it.
        session_id: String,
        /// When the IDE had answered.
        at: Timestamp,
    },
    /// The session is ours, confirmed or adopted, and what the IDE says of it comes through.
    Owned,
    /// The session was over before the IDE answered. What was said of it until then is among the facts and files.
    Over {
        /// The IDE's name for it.
        session_id: String,
        /// Whether a process was seen.
        process: bool,
        /// With what it ended.
        exit_code: Option<i32>,
        /// When the IDE had answered.
        at: Timestamp,
    },
    /// There is no session.
    Failed {
        /// Why, as the status is to say it: with the prefixes of the original.
        message: String,
        /// Whether the IDE was called, or would have been but for the connection; not when the launch
        /// configurations cannot even be read.
        called: bool,
        /// When it failed.
        at: Timestamp,
    },
}

/// What became of a stop.
#[derive(Clone, Debug, PartialEq)]
pub enum StopFacts {
    /// Nobody asked for it yet.
    NotAsked,
    /// It is under way.
    Asked,
    /// The session is over: the IDE said so, or knows of no such session, or agreed and said no more. What it said of
    /// the end in time is among the facts by now.
    Ended {
        /// Since when that is known.
        at: Timestamp,
    },
    /// The IDE was asked, and did not do it.
    Failed {
        /// How often that was tried in a row.
        tries: u32,
        /// Why: `run session could not be stopped: ..`.
        message: String,
        /// When it failed.
        at: Timestamp,
    },
}

/// The end of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndFacts {
    /// With what it ended; none when that is not known.
    pub exit_code: Option<i32>,
    /// When it was first heard of.
    pub at: Timestamp,
}

/// What is there of a session's output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Capture {
    /// Nothing, and nothing was to be expected yet.
    #[default]
    None,
    /// It is written to these files.
    Kept(Files),
    /// It cannot be captured, or is not there any more.
    Unavailable {
        /// Why, in one word.
        reason: LogsReason,
        /// Why, for people. The same as long as nothing changes.
        message: String,
    },
}

/// Where the operator keeps what a session writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// Path of its standard output.
    pub std_out: String,
    /// Path of its standard error.
    pub std_err: String,
}

/// Something to do for a session. Each can be asked for again without harm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Remember that a start may follow, as [`StartFacts::NotAsked`]. Comes before the status says when the request is
    /// about to be sent, so that a process that does not remember it knows that another one may have sent it.
    Record,
    /// Ask the IDE to create the session. Comes after the status says when that was about to be, and once.
    Start {
        /// The launch configurations, as they stand in the spec.
        launch: String,
    },
    /// Call the start off if it was not sent yet.
    CancelStart,
    /// Let through what the IDE says of the session: its name is on record.
    Confirm,
    /// Make a session of an earlier life ours.
    Adopt {
        /// The IDE's name for it.
        session_id: String,
    },
    /// Ask the IDE to end the session.
    Stop {
        /// The IDE's name for it.
        session_id: String,
    },
    /// Forget the run. A session that was accepted and never confirmed is stopped.
    Release,
    /// Remove what was captured.
    RemoveFiles,
}
