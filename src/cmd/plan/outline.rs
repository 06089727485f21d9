//! What there is to say about one object of the input, as values: [`super::report`] makes text of it.

use crate::{
    cmd::check::{document::Place, examine::Located},
    core::{
        amalthea::{Observed, Preview},
        ide_session,
    },
};
use jiff::Timestamp;

/// One object of the input.
#[derive(Debug)]
pub(super) struct Outline {
    /// Name of the input.
    pub(super) file: String,
    /// Where the object starts in it.
    pub(super) place: Place,
    /// Kind of the object.
    pub(super) kind: String,
    /// Its namespace.
    pub(super) namespace: String,
    /// Its name.
    pub(super) name: String,
    /// What the rules say about it.
    pub(super) problems: Vec<Located>,
    /// What could not be found out.
    pub(super) notes: Vec<String>,
    /// What would become of it.
    pub(super) subject: Subject,
}

/// What would become of an object.
#[derive(Debug)]
pub(super) enum Subject {
    /// Of a kind for which nothing is planned.
    Unknown,
    /// It would not be admitted.
    Denied,
    /// A session that the operator would work for.
    Session(Box<Session>),
    /// A session in an IDE that it would work for.
    IdeSession(Box<IdeSession>),
}

/// A session in an IDE, and what would be done for it.
#[derive(Debug)]
pub(super) struct IdeSession {
    /// Whether it is in the cluster.
    pub(super) exists: bool,
    /// Whether a cluster was asked.
    pub(super) asked: bool,
    /// What would be done.
    pub(super) preview: ide_session::Preview,
}

/// A session, and what would be done for it.
#[derive(Debug)]
pub(super) struct Session {
    /// Whether it is in the cluster.
    pub(super) exists: bool,
    /// Whether a cluster was asked.
    pub(super) asked: bool,
    /// What would be done.
    pub(super) preview: Preview,
    /// What it was planned on.
    pub(super) observed: Observed,
    /// When.
    pub(super) now: Timestamp,
}
