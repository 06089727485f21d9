//! What there is to say about one object of the input, as values: [`super::report`] makes text of it.

use super::kind::Forecast;
use crate::cmd::check::{document::Place, examine::Located};

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
    /// The operator would work for it.
    Planned(Standing, Box<dyn Forecast>),
}

/// What an object was compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// With nothing: no cluster was asked.
    Offline,
    /// With the object in the cluster.
    Exists,
    /// With a cluster that has no such object.
    New,
}
