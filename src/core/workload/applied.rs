//! What became of a plan's writes.

use super::observed::Children;
use crate::core::{error::ErrorClass, object::Kind};

/// What became of a plan's writes.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// The children after their writes.
    pub children: Children,
    /// Children that were deleted.
    pub deleted: Vec<(Kind, String)>,
    /// Writes that were refused or failed.
    pub errors: Vec<ChildError>,
}

/// Why a child is not as it should be.
#[derive(Clone, Debug, PartialEq)]
pub struct ChildError {
    /// Kind of the child.
    pub kind: Kind,
    /// Name of the child.
    pub name: String,
    /// Class of the error, which decides when to try again.
    pub class: ErrorClass,
    /// What the API server answered.
    pub message: String,
}

impl Applied {
    /// The class that decides when to try again: the one with the shortest backoff.
    pub fn retry_class(&self) -> Option<ErrorClass> {
        self.errors.iter().map(|error| error.class).min()
    }

    /// The error that a person has to act on, if there is one.
    pub fn lasting_error(&self) -> Option<&ChildError> {
        self.errors.iter().filter(|error| !error.class.passes()).max_by_key(|error| error.class)
    }
}
