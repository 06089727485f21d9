//! The properties of a code, as columns of the list of codes.

/// Whether a finding denies the request or only warns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// The object cannot work: the request is denied.
    Deny,
    /// The object is probably not what was meant: the requester gets a warning.
    Warn,
}

/// Whether the object or the requester is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The object is invalid: HTTP 422.
    Invalid,
    /// The requester may not do this: HTTP 403.
    Forbidden,
}

/// The reason of one cause in a `Status`: those of `metav1.CauseType` that are in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CauseType {
    /// The value of the field is invalid.
    FieldValueInvalid,
    /// The field may not have this value here.
    FieldValueForbidden,
    /// The field is required and absent.
    FieldValueRequired,
}

impl CauseType {
    /// The reason as the API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            CauseType::FieldValueInvalid => "FieldValueInvalid",
            CauseType::FieldValueForbidden => "FieldValueForbidden",
            CauseType::FieldValueRequired => "FieldValueRequired",
        }
    }
}

/// Whether a session with the finding can have a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    /// The workload can exist.
    Allows,
    /// Kubernetes refuses the workload, or it can never run.
    Prevents,
}

/// Whether the finding is about the object or about the step from the old object to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FindingScope {
    /// The object alone. On an update, a finding that the old object has too is dropped.
    Object,
    /// The change. Such a finding stands, whatever the old object has.
    Change,
}
