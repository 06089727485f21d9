//! Kinds of errors, by what helps against them.

use crate::reason::Reason;

/// What kind of error it is, which decides when to try again and whether a person must act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorClass {
    /// Somebody else wrote first: observe again.
    Conflict,
    /// The API server cannot answer now.
    Transient,
    /// A quota is used up.
    Quota,
    /// The operator may not do it.
    Forbidden,
    /// The object of that name belongs to somebody else.
    Foreign,
    /// It can never work.
    Invalid,
}

impl Reason for ErrorClass {
    const ALL: &'static [Self] =
        &[Self::Conflict, Self::Transient, Self::Quota, Self::Forbidden, Self::Foreign, Self::Invalid];

    fn as_str(self) -> &'static str {
        ErrorClass::as_str(self)
    }

    fn explain(self) -> &'static str {
        match self {
            Self::Conflict => "Another client wrote the object first.",
            Self::Transient => "The API server cannot answer now.",
            Self::Quota => "A quota of the namespace is used up.",
            Self::Forbidden => "The operator may not write the object.",
            Self::Foreign => "An object with the name of the child belongs to another owner.",
            Self::Invalid => "The API server does not accept the object.",
        }
    }
}

impl ErrorClass {
    /// The class in one word, for conditions, metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            ErrorClass::Conflict => "Conflict",
            ErrorClass::Transient => "Transient",
            ErrorClass::Quota => "QuotaExceeded",
            ErrorClass::Forbidden => "Forbidden",
            ErrorClass::Foreign => "NameTaken",
            ErrorClass::Invalid => "Invalid",
        }
    }

    /// Whether it stays until a client changes the session.
    pub const fn is_final(self) -> bool {
        matches!(self, ErrorClass::Foreign | ErrorClass::Invalid)
    }

    /// Whether it goes away by itself, so that nobody has to be told.
    pub const fn passes(self) -> bool {
        matches!(self, ErrorClass::Conflict | ErrorClass::Transient)
    }
}
